"""Carrying out explored runs: each in a process tree of its own, forked from a zygote, and killed whole."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_parallel_lab.explore.controller import Choose, Controller
from pytest_parallel_lab.explore.inside.turns import Rules
from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.channel import ChannelClosed, Message, Parcel, pair
from pytest_parallel_lab.keeper.client import python_command
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.model.errors import CannotSend, StartFailed
from pytest_parallel_lab.model.schedule import Schedule

_GONE_LIMIT_S = 2.0


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
        cwd: of the caller.
    """

    call: Parcel
    host: Any
    workers: int
    settings: Any
    directory: str
    sys_path: list[str]
    environ: Mapping[str, str]
    cwd: str = field(default_factory=os.getcwd)


class Runs:
    """Conducts runs of one subject; one zygote for each hash seed."""

    def __init__(self, subject: Subject, limit_s: float) -> None:
        """Start nothing yet.

        Args:
            subject: what is explored.
            limit_s: seconds that one run may take.
        """
        self._subject = subject
        self._limit_s = limit_s
        self._controller = Controller(subject.directory)
        self._zygotes: dict[int, _Zygote] = {}
        self.count = 0

    def close(self) -> None:
        """End the zygotes."""
        for zygote in self._zygotes.values():
            zygote.close()
        self._controller.close()

    def conduct(self, schedule: Schedule, choose: Choose, *, records: bool = False) -> Record:
        """Conduct one run, with its turns as they are chosen."""
        zygote = self._zygotes.get(schedule.hash_seed)
        if zygote is None:
            zygote = self._zygotes[schedule.hash_seed] = _Zygote(self._subject, schedule.hash_seed)
        rules = Rules(self._controller.address, opcodes=schedule.opcodes, records=records, seed=schedule.seed)
        pids: list[int] = []

        def start() -> int:
            pids.append(zygote.fork(rules))
            return pids[0]

        self.count += 1
        try:
            record = self._controller.conduct(schedule, start, choose, self._limit_s)
        finally:
            if pids:
                status = _end(pids[0], zygote, self._subject.directory)
        if not record.ending and record.verdict is None:
            record.status = status
        record.printed = zygote.printed()
        return record

    def follow(self, schedule: Schedule, *, records: bool = False) -> Record:
        """Conduct the run that a schedule describes."""
        turns = dict(schedule.turns)
        strayed = []

        def choose(decision: Decision) -> str:
            wanted = turns.get(decision.step, decision.usual)
            if wanted not in decision.candidates:
                strayed.append(decision.step)
                return decision.usual
            return wanted

        record = self.conduct(schedule, choose, records=records)
        record.strayed = bool(strayed)
        return record


class _Zygote:
    def __init__(self, subject: Subject, hash_seed: int) -> None:
        self._output = OutputReader(subject.directory)
        theirs: socket.socket
        self._channel, theirs = pair()
        call = f"main({theirs.fileno()}, {subject.directory!r})"
        with theirs:
            self._process = subprocess.Popen(
                python_command("pytest_parallel_lab.explore.zygote", call),
                env={**subject.environ, "PYTHONHASHSEED": str(hash_seed)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        environ = {name: value for name, value in subject.environ.items() if name != "PYTHONHASHSEED"}
        body = {
            "sys_path": subject.sys_path,
            "environ": environ,
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
        self._channel.send("fork", asdict(rules))
        return int(self._reply().body["pid"])

    def reap(self, pid: int) -> int:
        self._channel.send("reap", {"pid": pid})
        return int(self._reply().body["status"])

    def printed(self) -> str:
        return self._output.new_output(self._process.pid)

    def close(self) -> None:
        self._channel.close()
        self._process.wait()


def _end(root: int, zygote: _Zygote, directory: str) -> int:
    """Kill a run whole; its first process's exit status."""
    pids = procfs.tree(root)
    for pid in pids[1:]:
        _kill(pid)
    _kill(root)
    status = zygote.reap(root)
    for pid in pids:  # another process may get the pid, and is not to inherit what this one noted
        for path in (contract.timer_note(directory, pid), contract.told_path(directory, pid)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    deadline = time.monotonic() + _GONE_LIMIT_S
    while (left := [pid for pid in pids[1:] if _is_left(pid)]) and time.monotonic() < deadline:
        for pid in left:
            for below in procfs.tree(pid):
                _kill(below)
            with contextlib.suppress(ChildProcessError):  # orphans are ours: the runner is their reaper
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.0005)
    return status


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_left(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")
