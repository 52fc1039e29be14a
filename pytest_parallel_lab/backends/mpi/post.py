"""A post: where a launcher runs, and how the processes that it starts find back."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from multiprocessing.connection import answer_challenge, deliver_challenge
from pathlib import Path
from typing import Protocol

from pytest_parallel_lab.backends.mpi.launchers import find_launcher, mpi_environment
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.channel import Channel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.settings import Settings, command_line
from pytest_parallel_lab.model.site import Site

ADDRESS_VARIABLE = "PARALLEL_LAB_ADDRESS"
KEY_VARIABLE = "PARALLEL_LAB_KEY"


class Door(Protocol):
    """Where launched processes come in."""

    def fileno(self) -> int:
        """For select: readable when somebody is there."""

    def take(self) -> Channel | None:
        """Let one in; None for who could not prove that it is one of ours."""

    def close(self) -> None:
        """Let nobody in any more. May be called twice."""


class Starter(Protocol):
    """Who starts a launcher, and ends it with all below it: our keeper, or one in a job."""

    def launch(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: str) -> int:
        """Start a command whose output goes to a file; its pid."""

    def wait(self, pid: int, limit_s: float) -> int | None:
        """Its exit status; None at the limit."""

    def kill(self, pid: int) -> int | None:
        """End it."""

    def read(self, output: str) -> str:
        """The end of what it has printed."""


class Post(Protocol):
    """Where launchers run, and what they are given.

    Attributes:
        heading: what errors begin with.
        site: where it is; None for this machine.
        starter: starts launchers there.
    """

    heading: str
    site: Site | None
    starter: Starter

    def open(self, directory: Path, ranks: int) -> Door:
        """Make a door for the processes of one launch."""

    def command(self, ranks: int) -> list[str]:
        """The launcher's command line, up to what every rank is to run."""

    def shown(self, ranks: int) -> str:
        """The same, as users know it."""

    def call(self, door: Door) -> str:
        """The call of ``main`` that every process is to make."""

    def environment(self, door: Door, directory: Path) -> dict[str, str]:
        """The launcher's environment."""

    def output(self, name: str) -> str:
        """The file for what a launcher prints, where its starter is."""

    def check(self, members: Sequence[Worker]) -> None:
        """Make sure that all are where they were to be. Raises StartFailed."""

    def remedy(self) -> str:
        """What to do where processes came up as worlds of their own."""

    def says(self) -> str:
        """What there is to say about the place when something went wrong there; the scheduler's own words."""

    def lifeline(self) -> Sequence[Channel]:
        """What closes, and says nothing before, when the place is gone with all ranks."""

    def trouble(self, *, lost: bool) -> str:
        """The same after a rank's death; nothing where the site has no part in it.

        Args:
            lost: nobody knows how a rank ended.
        """


class UnixDoor:
    """A socket in the session's private directory."""

    def __init__(self, path: Path, ranks: int, limit_s: float) -> None:
        """Listen."""
        self.key = secrets.token_bytes(32)
        self.path = path
        self._limit_s = limit_s
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(2 * ranks)

    def fileno(self) -> int:
        """For select."""
        return self._listener.fileno()

    def take(self) -> Channel | None:
        """Accept and authenticate."""
        sock, _ = self._listener.accept()
        sock.settimeout(self._limit_s)
        channel = Channel(sock, private=True)
        try:
            deliver_challenge(channel, self.key)  # type: ignore[arg-type]  # what it uses of a Connection
            answer_challenge(channel, self.key)  # type: ignore[arg-type]
        except Exception:  # not one of ours, or it died: the missing one will be noticed
            channel.close()
            return None
        sock.settimeout(None)
        return channel

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()


class HerePost:
    """This machine: our own keeper starts the launcher."""

    heading = "mpi"
    site: Site | None = None

    def __init__(self, keeper: KeeperClient, settings: Settings) -> None:
        """Use a keeper."""
        self.starter: Starter = keeper
        self._keeper = keeper
        self._settings = settings

    def open(self, directory: Path, ranks: int) -> UnixDoor:
        """Listen in the launch's directory."""
        return UnixDoor(directory / "s", ranks, self._settings.start_limit_s)

    def command(self, ranks: int) -> list[str]:
        """As the user's template says, with the launcher found."""
        argv = command_line(self._settings.mpiexec, ranks)
        return [find_launcher(self._settings) or argv[0], *argv[1:]]

    def shown(self, ranks: int) -> str:
        """As the user's template says."""
        return " ".join(command_line(self._settings.mpiexec, ranks))

    def call(self, door: Door) -> str:
        """The way back is in the environment."""
        return "main()"

    def environment(self, door: Door, directory: Path) -> dict[str, str]:
        """Ours, with the way back."""
        assert isinstance(door, UnixDoor)
        return {
            **mpi_environment(),
            ADDRESS_VARIABLE: str(door.path),
            KEY_VARIABLE: door.key.hex(),
            "TMPDIR": str(directory),  # where Open MPI keeps its session files
        }

    def output(self, name: str) -> str:
        """In the session's directory."""
        return str(Path(self._keeper.directory, f"mpiexec-{name}.out"))

    def check(self, members: Sequence[Worker]) -> None:
        """They cannot be elsewhere."""

    def remedy(self) -> str:
        """The launcher is another library's."""
        return (
            "they do not belong together. Install one MPI only (pip install 'pytest-parallel-lab[mpi]' brings MPICH), "
            "or name its own launcher with --parallel-mpiexec, such as 'srun --mpi=pmi2 -n {ranks}' under Slurm"
        )

    def says(self) -> str:
        """How full the shared memory is."""
        return memory.space()

    def lifeline(self) -> Sequence[Channel]:
        """This machine is not gone before we are."""
        return ()

    def trouble(self, *, lost: bool) -> str:
        """This machine has none."""
        return ""


def connect_back() -> Channel:
    """In a process launched on this machine: connect to the door, and authenticate."""
    key = bytes.fromhex(os.environ[KEY_VARIABLE])
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.environ[ADDRESS_VARIABLE])
    channel = Channel(sock, private=True)
    answer_challenge(channel, key)  # type: ignore[arg-type]
    deliver_challenge(channel, key)  # type: ignore[arg-type]
    return channel


def forget_key() -> None:
    """Keep the key from user code and its children."""
    for name in (ADDRESS_VARIABLE, KEY_VARIABLE):
        with contextlib.suppress(KeyError):
            del os.environ[name]
