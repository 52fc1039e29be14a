"""A keeper in a job: it starts launchers inside the allocation, and ends with the channel to us."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed
from pytest_parallel_lab.keeper.network import Home
from pytest_parallel_lab.keeper.serve import Keeper
from pytest_parallel_lab.keeper.tree import become_subreaper
from pytest_parallel_lab.model.errors import StartFailed

_READ_CHARACTERS = 4000
_END_LIMIT_S = 5.0


class Foreman(Keeper):
    """What runs in the job."""

    def _do_launch(self, argv: list[str], env: dict[str, str], cwd: str, output: str) -> dict[str, Any]:
        """Start a command in the job's environment, with ours over it."""
        return super()._do_launch(argv, {**os.environ, **env}, cwd, output)

    def _kill_orphans(self) -> None:
        """Leave them: guards end what their ranks have started, and janitors are orphans by trade."""

    def _do_read(self, output: str) -> dict[str, Any]:
        """Tell the end of what a command has printed."""
        with contextlib.suppress(FileNotFoundError):
            return {"text": Path(output).read_text(errors="replace")[-_READ_CHARACTERS:]}
        return {"text": ""}

    def _do_write(self, path: str, text: str) -> dict[str, Any]:
        """Write a file beside those of the commands."""
        Path(path).write_text(text)
        return {}


def main(address: str, key_file: str) -> None:
    """Be the foreman of this job."""
    become_subreaper()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda *_: None)  # the channel's end is our only end, or the scheduler's SIGKILL
    control, environ = Home(address, key_file).connect()
    os.environ.update(environ)
    directory = tempfile.mkdtemp(prefix="parallel-lab-")
    hostfile = os.environ.get("PE_HOSTFILE", "")
    control.send(
        "foreman",
        {
            "host": socket.gethostname(),
            "directory": directory,
            "nodelist": os.environ.get("SLURM_JOB_NODELIST", ""),
            "hostfile": Path(hostfile).read_text() if hostfile else "",
        },
    )
    keeper = Foreman(control, os.getppid(), directory)
    try:
        keeper.serve()
        _let_end()
    finally:
        keeper.clean_up()
        shutil.rmtree(directory, ignore_errors=True)


def _let_end() -> None:
    """Wait for the launchers: their guards have lost their connection too, and tidy up on every host."""
    deadline = time.monotonic() + _END_LIMIT_S
    while time.monotonic() < deadline and psutil.Process().children():
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.05)


class FarKeeper:
    """Our side of a foreman."""

    def __init__(self, channel: Channel, directory: str, heading: str) -> None:
        """Talk to it over a connected channel.

        Args:
            channel: to it.
            directory: its own, on its host.
            heading: what errors begin with.
        """
        self.channel = channel
        self.directory = directory
        self._heading = heading

    def launch(self, argv: Sequence[str], env: Mapping[str, str], cwd: str, output: str) -> int:
        """Start a command whose output goes to a file of that host.

        Raises:
            OSError: it cannot be started.
            StartFailed: the foreman is gone.
        """
        reply = self._ask("launch", {"argv": list(argv), "env": dict(env), "cwd": cwd, "output": output})
        if reply is None:
            raise StartFailed(f"{self._heading}: the job has ended before its ranks could be started")
        if "error" in reply:
            raise OSError(reply["error"])
        return int(reply["pid"])

    def wait(self, pid: int, limit_s: float) -> int | None:
        """Its exit status, None at the limit; that of a kill where the foreman is gone, and with it all below."""
        return self._status(self._ask("wait", {"pid": pid, "limit_s": limit_s}))

    def kill(self, pid: int) -> int | None:
        """End a command with all below it."""
        return self._status(self._ask("kill", {"pid": pid}))

    def read(self, output: str) -> str:
        """The end of what a command has printed."""
        return str((self._ask("read", {"output": output}) or {}).get("text", ""))

    def write(self, name: str, text: str) -> str:
        """Write a file in the foreman's directory; its path."""
        path = f"{self.directory}/{name}"
        self._ask("write", {"path": path, "text": text})
        return path

    def _status(self, reply: dict[str, Any] | None) -> int | None:
        return -signal.SIGKILL if reply is None else reply["status"]

    def _ask(self, kind: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask for something; None where the foreman is gone."""
        try:
            self.channel.send(kind, body)
            return self.channel.receive().body
        except (ChannelClosed, OSError):
            return None
        except BaseException:
            self.channel.close()  # an interrupted exchange leaves its reply: nobody may read it as another's
            raise
