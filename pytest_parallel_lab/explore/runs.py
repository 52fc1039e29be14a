"""Carrying out explored runs: each in a process tree of its own, forked from a zygote, and killed whole."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace

from pytest_parallel_lab.explore.controller import Choose, Controller
from pytest_parallel_lab.explore.inside.turns import Rules
from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.explore.zygotes import Subject, Zygote
from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.model.schedule import FREELY, Schedule

_GONE_LIMIT_S = 2.0


class Runs:
    """Conducts runs of one subject; one zygote for each hash seed."""

    def __init__(self, subject: Subject, limit_s: float, spare: Zygote | None = None) -> None:
        """Start nothing yet.

        Args:
            subject: what is explored.
            limit_s: seconds that one run may take.
            spare: a zygote that has loaded nothing yet, and is used if it was started as is needed.
        """
        self._spare = spare
        self._subject = subject
        self._limit_s = limit_s
        self._controller = Controller(subject.directory)
        self._zygotes: dict[int, Zygote] = {}
        self.count = 0

    def close(self) -> None:
        """End the zygotes."""
        for zygote in [*self._zygotes.values(), *([self._spare] if self._spare else [])]:
            zygote.close()
        self._controller.close()

    def conduct(
        self, schedule: Schedule, choose: Choose, *, records: bool = False, free: int | None = None, limit_s: float = 0
    ) -> Record:
        """Conduct one run, with its turns as they are chosen."""
        zygote = self._zygote(schedule.hash_seed)
        rules = Rules(self._controller.address, schedule.opcodes, records=records, seed=schedule.seed, free=free)
        pids: list[int] = []

        def start() -> int:
            pids.append(zygote.fork(rules))
            return pids[0]

        self.count += 1
        try:
            record = self._controller.conduct(schedule, start, choose, limit_s or self._limit_s)
        finally:
            if pids:
                status = _end(pids[0], zygote, self._subject.directory)
        if not record.ending and record.verdict is None:
            record.status = status
        record.printed = zygote.printed()
        return record

    def _zygote(self, hash_seed: int) -> Zygote:
        """The zygote with a hash seed, with the subject loaded."""
        if hash_seed not in self._zygotes:
            start = replace(self._subject.start, hash_seed=hash_seed)
            if self._spare is not None and self._spare.start == start and self._spare.lives:
                zygote, self._spare = self._spare, None
            else:
                zygote = Zygote(start)
            self._zygotes[hash_seed] = zygote
            zygote.open(self._subject)
        return self._zygotes[hash_seed]

    def freely(self, schedule: Schedule, number: int, limit_s: float) -> Record:
        """Conduct a run in which nobody is told when to go: as fast as may be in the first, disturbed in the others."""
        free = replace(schedule, free=FREELY, opcodes=schedule.opcodes and number > 0 and number % 2 == 0)
        return self.conduct(free, lambda decision: decision.usual, free=number, limit_s=limit_s)

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


def _end(root: int, zygote: Zygote, directory: str) -> int:
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
