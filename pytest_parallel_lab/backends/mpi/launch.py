"""Starting ranks: the launcher, its environment, and the connections that ranks make back to us."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import answer_challenge, deliver_challenge
from pathlib import Path

from pytest_parallel_lab.backends.collect import ready
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.client import KeeperClient, worker_environment
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.outcome import Died
from pytest_parallel_lab.model.settings import Settings, command_line

ADDRESS_VARIABLE = "PARALLEL_LAB_ADDRESS"
KEY_VARIABLE = "PARALLEL_LAB_KEY"
_LOOK_EVERY_S = 0.02

# Open MPI refuses to run as root, or with more ranks than cores, unless told; binding ranks to
# cores would put two groups on the same ones. Shared memory alone brings its start from 1.1 s to
# 0.14 s. Ranks of either MPI that wait give way to what they wait for: where all cores are taken, a
# spinning rank else holds its core for a time slice of milliseconds.
_ENVIRONMENT = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,sm,tcp",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
}
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def mpi_environment() -> dict[str, str]:
    """The environment of a launcher and its ranks; what the user has set goes before what we would."""
    return {**_ENVIRONMENT, **(_AS_ROOT if os.getuid() == 0 else {}), **worker_environment()}


def find_launcher(settings: Settings) -> str | None:
    """The launcher's path: beside this Python first, as the package index's mpiexec is, then on PATH."""
    program = command_line(settings.mpiexec, 1)[0]
    return shutil.which(program, path=worker_environment()["PATH"])


def launcher_version(settings: Settings) -> str:
    """Flavour and version of the launcher, by what it says of itself."""
    launcher = find_launcher(settings)
    if launcher is None:
        return "not found"
    try:
        shown = subprocess.run([launcher, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{launcher} ({error})"
    said = shown.stdout + shown.stderr
    lines = said.splitlines() or ["says nothing"]
    if "HYDRA" in said:
        version = next((line.split()[-1] for line in lines if "Version:" in line), "")
        return f"MPICH {version} ({launcher})"
    if "Open MPI" in said or "prterun" in said.lower():
        return f"Open MPI {lines[0].split()[-1]} ({launcher})"
    return f"{lines[0]} ({launcher})"


class Launch:
    """One run of the launcher, and the authenticated connections its processes make to us."""

    def __init__(
        self,
        keeper: KeeperClient,
        settings: Settings,
        ranks: int,
        command: Sequence[str],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the launcher.

        Args:
            keeper: starts it, and kills it whole.
            settings: its command template, and how long ranks may take to come up.
            ranks: how many.
            command: what every rank is to run.
            env: environment variables to add.

        Raises:
            StartFailed: there is no such program.
        """
        self._keeper = keeper
        self._settings = settings
        self.ranks = ranks
        self._name = secrets.token_hex(4)
        self._key = secrets.token_bytes(32)
        self._output = Path(keeper.directory, f"mpiexec-{self._name}.out")
        self.directory = Path(keeper.directory, f"mpi-{self._name}")
        self.directory.mkdir()
        self._accepted: list[Channel] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.directory / "s"))
        self._listener.listen(2 * ranks)
        argv = command_line(settings.mpiexec, ranks)
        try:
            argv[0] = find_launcher(settings) or argv[0]
            self.pid = keeper.launch(
                [*argv, *command], {**self._environment(), **(env or {})}, os.getcwd(), str(self._output)
            )
        except OSError as error:
            self._listener.close()
            raise StartFailed(f"mpi: the launcher {argv[0]!r} cannot be started: {error}") from error

    def _environment(self) -> dict[str, str]:
        environ = mpi_environment()
        environ.pop("PYTHONUNBUFFERED", None)  # it cuts print() in two, and launchers garble the halves
        environ.update(
            {
                ADDRESS_VARIABLE: str(self.directory / "s"),
                KEY_VARIABLE: self._key.hex(),
                "TMPDIR": str(self.directory),  # where Open MPI keeps its session files
            }
        )
        return environ

    def printed(self) -> str:
        """What the launcher printed, and its processes before they captured their output."""
        with contextlib.suppress(FileNotFoundError):
            return self._output.read_text(errors="replace")[-4000:]
        return ""

    def accept(self, take: Callable[[Channel, Message], None], done: Callable[[], bool]) -> None:
        """Take in connections with their first message until ``done``.

        Raises:
            StartFailed: the launcher ended, or the limit passed, before.
        """
        deadline = time.monotonic() + self._settings.start_limit_s
        silent: list[Channel] = []  # connected, but yet to say who they are: MPI_Init needs all others first
        ended = False
        while not done():
            readable = ready([self._listener, *silent], _LOOK_EVERY_S)
            if self._listener in readable and (channel := self._accept_one()) is not None:
                silent.append(channel)
            for channel in [c for c in silent if c in readable]:
                silent.remove(channel)
                with contextlib.suppress(ChannelClosed):  # it died: the missing one will be noticed
                    take(channel, channel.receive())
            if not readable:
                if ended or time.monotonic() > deadline:
                    raise StartFailed(self._why_not(ended))
                ended = not self.running()  # once more round for what it left in the queue

    def _accept_one(self) -> Channel | None:
        sock, _ = self._listener.accept()
        sock.settimeout(self._settings.start_limit_s)
        channel = Channel(sock, private=True)
        self._accepted.append(channel)
        try:
            deliver_challenge(channel, self._key)  # type: ignore[arg-type]  # what it uses of a Connection
            answer_challenge(channel, self._key)  # type: ignore[arg-type]
        except Exception:  # not one of ours, or it died: the missing one will be noticed
            return None
        sock.settimeout(None)
        return channel

    def running(self) -> bool:
        """Whether the launcher still runs."""
        self.status = self._keeper.wait(self.pid, 0.0)
        return self.status is None

    def _why_not(self, ended: bool) -> str:
        command = " ".join(command_line(self._settings.mpiexec, self.ranks))
        if ended:
            why = f"{command!r} {_ended(self.status)} before {self.ranks} ranks had come up. Is it an MPI launcher?"
        else:
            why = f"{command!r} did not bring up {self.ranks} ranks within {self._settings.start_limit_s:g} s."
        return f"mpi: {why} It printed:\n{self.printed() or '(nothing)'}\n{memory.space()}"

    def close(self, *, limit_s: float) -> None:
        """Close all connections, wait for the launcher to end, kill it at the limit, and tidy up."""
        for channel in self._accepted:
            channel.close()
        self._listener.close()
        if limit_s:
            self._keeper.wait(self.pid, limit_s)
        self._keeper.kill(self.pid)
        shutil.rmtree(self.directory, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self._output.unlink()


def _ended(status: int | None) -> str:
    return f"ended with exit status {status}" if status is not None and status >= 0 else Died(status).reason


def connect_back() -> Channel:
    """In a launched process: connect to the Launch that started it, and authenticate."""
    key = bytes.fromhex(os.environ[KEY_VARIABLE])
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(os.environ[ADDRESS_VARIABLE])
    channel = Channel(sock, private=True)
    answer_challenge(channel, key)  # type: ignore[arg-type]
    deliver_challenge(channel, key)  # type: ignore[arg-type]
    return channel


def forget_key() -> None:
    """In a launched process: keep the key from user code and its children."""
    for name in (ADDRESS_VARIABLE, KEY_VARIABLE):
        os.environ.pop(name, None)


def rank_by_environment() -> int | None:
    """The rank as the launcher gives it to a process before MPI_Init; None where it gives none."""
    for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name])
    return None
