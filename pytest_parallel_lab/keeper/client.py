"""Pytest's side of the keeper."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_parallel_lab.keeper import blas
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, pair
from pytest_parallel_lab.model.errors import KeeperLost
from pytest_parallel_lab.model.waiting import TreeState

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0
_READ_CHARACTERS = 4000


def worker_environment() -> dict[str, str]:
    """The environment of worker processes: ours, with BLAS pinned to one thread each.

    The programs installed beside this Python come first, as in an activated environment.
    """
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, **blas.ENVIRONMENT, "PATH": path}


def python_command(module: str, call: str = "main()") -> list[str]:
    """The command that makes one call in one of our modules, installed or not."""
    function = call.partition("(")[0]
    code = f"import sys; sys.path.append({_PACKAGE_PARENT!r}); from {module} import {function}; {call}"
    return [sys.executable, "-c", code]


def _say_nothing(text: str) -> None:
    """Show nothing: nobody has asked for it."""


class KeeperClient:
    """A running keeper and the session's private directory, which goes with it."""

    def __init__(self, imports: Iterable[str] = (), say: Callable[[str], None] | None = None) -> None:
        """Start a keeper.

        Args:
            imports: modules that most runners will want; they find them imported already.
            say: shows how a long wait goes, in one line that replaces the one before; "" takes it away.

        Raises:
            KeeperLost: it did not come up; the text carries what it printed.
        """
        # Resolved, and short: Unix socket paths are limited to about 100 bytes.
        self.directory = os.path.realpath(tempfile.mkdtemp(prefix="parallel-lab-"))
        self._asking = threading.Lock()
        self._pid = os.getpid()
        theirs: socket.socket
        self._control, theirs = pair()
        self._log = Path(self.directory, "keeper.log")
        call = f"main({theirs.fileno()}, {os.getpid()}, {self.directory!r}, {list(imports)!r})"
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                python_command("pytest_parallel_lab.keeper.serve", call),
                env=worker_environment(),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for pytest to act on
            )
        self.say = say or _say_nothing
        self.at_close = contextlib.ExitStack()
        """What is to be closed before the keeper is."""
        self._ready = False
        self.cannot_watch: str | None = None

    @property
    def pid(self) -> int:
        """The keeper's own pid."""
        return self._process.pid

    @property
    def lost(self) -> bool:
        """Whether it is gone, or cannot be talked to any more."""
        return self._control.fileno() < 0 or self._process.poll() is not None

    def fork(self) -> tuple[Channel, int]:
        """Fork a runner; return the channel to it and its pid."""
        channel, reply = self._ask_with_channel("fork", {})
        return channel, int(reply["pid"])

    def preload(self, module: str) -> None:
        """Have runners forked from now on find a module of ours imported already."""
        self._ask("preload", {"module": module})

    def watch(self, pid: int) -> Channel:
        """Have a runner or command watched, with all below it, until the channel is closed.

        A ``stuck`` message comes with the ``TreeState`` when it is proved that nothing in it can move.
        """
        return self._ask_with_channel("watch", {"pid": pid})[0]

    def cast(self, pid: int, engines: Sequence[int]) -> None:
        """Say that a tree is a cluster, idle now, with these engines: all else in it only serves."""
        self._ask("cast", {"pid": pid, "engines": list(engines)})

    def examine(self, pid: int) -> TreeState:
        """What every thread of a tree does now."""
        state: TreeState = self._ask("examine", {"pid": pid})["state"]
        return state

    def launch(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: str) -> int:
        """Start a command whose output goes to a file; return its pid.

        Raises:
            OSError: it cannot be started.
        """
        reply = self._ask("launch", {"argv": list(argv), "env": dict(env), "cwd": cwd, "output": output})
        if "error" in reply:
            raise OSError(reply["error"])
        return int(reply["pid"])

    def read(self, output: str) -> str:
        """The end of what a command has printed."""
        with contextlib.suppress(FileNotFoundError):
            return Path(output).read_text(errors="replace")[-_READ_CHARACTERS:]
        return ""

    def kill(self, pid: int) -> int | None:
        """Kill a runner or command with all below it; return its exit status."""
        status: int | None = self._ask("kill", {"pid": pid})["status"]
        return status

    def wait(self, pid: int, limit_s: float) -> int | None:
        """Wait for a runner or command to end; return its exit status, or None at the limit."""
        status: int | None = self._ask("wait", {"pid": pid, "limit_s": limit_s})["status"]
        return status

    def adopt(self, pid: int) -> None:
        """Have a process of our own killed should we end without having stopped it."""
        self._ask("adopt", {"pid": pid})

    def release(self, pid: int) -> None:
        """Take an adoption back."""
        self._ask("release", {"pid": pid})

    def bequeath(self, argv: Sequence[str], directory: str) -> int:
        """Have a command run, if any, and a directory removed, should we end before ``renounce``; what to renounce."""
        return int(
            self._ask("bequeath", {"argv": list(argv), "env": dict(os.environ), "directory": directory})["number"]
        )

    def renounce(self, number: int) -> None:
        """Take a bequest back."""
        self._ask("renounce", {"number": number})

    def close(self) -> None:
        """Stop the keeper; all that it started goes with it."""
        if os.getpid() != self._pid:  # a forked child of pytest has no say
            return
        self.at_close.close()
        self._control.close()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _ask_with_channel(self, kind: str, body: Mapping[str, Any]) -> tuple[Channel, dict[str, Any]]:
        """Ask for something that comes with a channel of its own."""
        mine, theirs = pair()
        try:
            with theirs:
                reply = self._ask(kind, body, fd=theirs.fileno())
        except BaseException:
            mine.close()
            raise
        return mine, reply

    def _ask(self, kind: str, body: Mapping[str, Any], fd: int | None = None) -> dict[str, Any]:
        with self._asking:
            try:
                if self._control.fileno() < 0:
                    raise ChannelClosed("an interrupted request has ended it")
                if not self._ready:
                    if not select.select([self._control], [], [], _START_LIMIT_S)[0]:
                        raise ChannelClosed("it did not come up")
                    self.cannot_watch = self._control.receive().body["cannot_watch"]
                    self._ready = True
                self._control.send(kind, body, fd=fd)
                reply: Message = self._control.receive()
            except (ChannelClosed, OSError) as error:
                printed = ""
                with contextlib.suppress(OSError):
                    printed = self._log.read_text(errors="replace")[-2000:]
                raise KeeperLost(
                    f"the keeper (pid {self._process.pid}) is gone: {error}; its exit status is "
                    f"{self._process.poll()}. It printed:\n{printed or '(nothing)'}"
                ) from error
            except BaseException:
                # An interrupted exchange leaves its reply in the pipe: nobody may read it as another's.
                self._control.close()
                raise
            return reply.body
