"""Zygotes, from the side of the runner that starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_parallel_lab.explore.inside.turns import Rules
from pytest_parallel_lab.keeper.channel import ChannelClosed, Message, Parcel, pair
from pytest_parallel_lab.keeper.client import python_command
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.model.errors import CannotSend, StartFailed

_PASSING = ("PYTEST_CURRENT_TEST",)  # said anew for every test; no interpreter looks at it
_HASH_SEED = "PYTHONHASHSEED"
_HEAVY = ("cloudpickle", "numpy", "numpy.random")


@dataclass(frozen=True)
class Start:
    """What an interpreter is started with, and cannot be changed later.

    Attributes:
        directory: private to the session.
        hash_seed: PYTHONHASHSEED.
        environ: of the process, but for what is said anew for every test.
        imports: modules that are sure to be wanted.
    """

    directory: str
    hash_seed: int
    environ: tuple[tuple[str, str], ...]
    imports: tuple[str, ...] = field(compare=False)

    @classmethod
    def like_here(cls, directory: str, hash_seed: int, environ: Mapping[str, str]) -> Start:
        """With the modules that this process has imported too."""
        lasting = tuple((name, value) for name, value in sorted(environ.items()) if name not in (*_PASSING, _HASH_SEED))
        return cls(directory, hash_seed, lasting, tuple(name for name in _HEAVY if name in sys.modules))


@dataclass(frozen=True)
class Subject:
    """What is explored, as a runner is sent it.

    Attributes:
        call: the packed function with its arguments.
        host: opens the workers that an implementation is given; None for a plain function.
        workers: how many.
        settings: how they are started.
        directory: private to the session.
        sys_path: of the caller.
        environ: of the workers.
        start: what the zygote of the usual schedule is started with.
        cwd: of the caller.
    """

    call: Parcel
    host: Any
    workers: int
    settings: Any
    directory: str
    sys_path: list[str]
    environ: Mapping[str, str]
    start: Start
    cwd: str = field(default_factory=os.getcwd)


class Zygote:
    """A fresh interpreter that loads what is explored, and forks one process for every run."""

    def __init__(self, start: Start) -> None:
        """Start the interpreter; it gets ready by itself to be told what to load."""
        self.start = start
        self._output = OutputReader(start.directory)
        theirs: socket.socket
        self._channel, theirs = pair()
        call = f"main({theirs.fileno()}, {start.directory!r}, {start.imports!r})"
        with theirs:
            self._process = subprocess.Popen(
                python_command("pytest_parallel_lab.explore.zygote", call),
                env={**dict(start.environ), _HASH_SEED: str(start.hash_seed)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def open(self, subject: Subject) -> None:
        """Have it load what is explored.

        Raises:
            CannotSend: the function cannot be loaded there.
            StartFailed: it has ended.
        """
        body = {
            "sys_path": subject.sys_path,
            "environ": {name: value for name, value in subject.environ.items() if name != _HASH_SEED},
            "cwd": subject.cwd,
            "directory": subject.directory,
        }
        self._channel.send("open", body, pack_value((subject.host, subject.workers, subject.settings, subject.call)))
        reply = self._reply()
        if reply.kind != "opened":
            if reply.body["type_name"] == "CannotSend" and reply.parcel is not None:
                raise reply.parcel.load()
            raise CannotSend(f"the function cannot be loaded where it is explored: {reply.body['traceback']}")

    def _reply(self) -> Message:
        try:
            return self._channel.receive()
        except ChannelClosed:
            status = self._process.wait()
            raise StartFailed(
                f"explore: the process that forks the runs has ended with {status}\n{self.printed()}"
            ) from None

    def fork(self, rules: Rules) -> int:
        """Have it fork the first process of a run; its pid."""
        self._channel.send("fork", asdict(rules))
        return int(self._reply().body["pid"])

    def reap(self, pid: int) -> int:
        """The exit status of a run's first process."""
        self._channel.send("reap", {"pid": pid})
        return int(self._reply().body["status"])

    def printed(self) -> str:
        """What it and its runs have printed since this was last asked."""
        return self._output.new_output(self._process.pid)

    def close(self) -> None:
        """End it."""
        self._channel.close()
        self._process.wait()
