"""Proving that nothing in a process tree can move any more: the closed-world quiescence test.

A tree is stuck for ever when every thread of every process in it sleeps in the kernel without a
time limit, for something that only a member of the tree could bring, and nothing moved between two
looks. Each thread was then asleep, uninterrupted, during the whole time from the end of the first
look to the start of the second, so there was a moment at which all of them were: nobody was left
to wake anybody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.keeper.watch.procfs import ThreadSample
from pytest_parallel_lab.keeper.watch.waits import Tree, may_last
from pytest_parallel_lab.model.waiting import BLOCKED, ProcessState, ThreadState, TreeState

_BETWEEN_LOOKS_S = 0.05
_CLUSTER_SETTLES_S = 0.8
_ENDED = "ZX"
_Look = dict[tuple[int, int], ThreadSample]


@dataclass(frozen=True)
class Cast:
    """Who in a tree is not to be judged as the user's: the threads and processes of ipyparallel.

    Attributes:
        servants: threads, by pid and tid, that only carry messages.
        engines: processes whose main thread counts while it has a task.
        settle_s: seconds in which a message on its way arrives: nothing may move for that long.
    """

    servants: frozenset[tuple[int, int]] = frozenset()
    engines: frozenset[int] = frozenset()
    settle_s: float = _BETWEEN_LOOKS_S


class Prover:
    """Looks at one tree again and again, as cheaply as it can."""

    def __init__(self, root: int, directory: str, cast: Cast | None = None) -> None:
        """Take a tree to watch.

        Args:
            root: the pid at its top.
            directory: the session's, for what processes note there.
            cast: who in it only serves others.
        """
        self._root = root
        self._directory = directory
        self._cast = cast or Cast()
        self._witness: tuple[int, int] | None = None  # a thread that moved: as long as it does, no other matters
        self._witnessed: ThreadSample | None = None
        self._last: _Look = {}
        self._last_s = 0.0

    @property
    def settle_s(self) -> float:
        """Seconds between the two looks of a proof."""
        return self._cast.settle_s

    @property
    def suspects(self) -> bool:
        """Whether the last look found nothing that moves: it is worth looking again soon."""
        return bool(self._last)

    def look(self) -> TreeState | None:
        """Look once; the tree's state where it is proved that nothing can move any more."""
        if self._witness_moves():
            return None
        look = self._look()
        last, since_s = self._last, self._last_s
        self._last, self._last_s = look, time.monotonic()
        if not look or look != last:
            return None
        state = self._judge(look, time.monotonic() - since_s)
        if state is not None and self._look() == look:  # nothing moved while we judged, either
            return state
        self._last = {}
        return None

    def _witness_moves(self) -> bool:
        if self._witness is None:
            return False
        try:
            now = procfs.sample(*self._witness)
        except OSError:
            self._witness = None
            return False
        if now.state in _ENDED:
            self._witness = None
            return False
        moved = not may_last(now) or now != self._witnessed
        self._witnessed = now
        return moved

    def _look(self) -> _Look:
        """A sample of every thread; empty as soon as one of them cannot be part of a deadlock."""
        look: _Look = {}
        try:
            for pid in procfs.tree(self._root):
                if procfs.is_zombie(pid):
                    continue
                for tid in procfs.threads_of(pid):
                    if self._serves(pid, tid):
                        continue
                    sample = procfs.sample(pid, tid)
                    if sample.state in _ENDED:  # the main thread has ended, others go on
                        continue
                    if not may_last(sample):
                        self._witness, self._witnessed = (pid, tid), sample
                        return {}
                    look[pid, tid] = sample
        except OSError:  # something ended meanwhile
            return {}
        return look

    def _serves(self, pid: int, tid: int) -> bool:
        """Whether a thread only carries messages, or waits for tasks that others would have to send."""
        if (pid, tid) in self._cast.servants:
            return True
        if not self._cast.engines:
            return False
        if pid in self._cast.engines and pid == tid:
            return not contract.is_busy(self._directory, pid)
        return procfs.read(f"/proc/{pid}/task/{tid}/comm").startswith("ZMQ")

    def _judge(self, look: _Look, watched_s: float) -> TreeState | None:
        tree = Tree(procfs.tree(self._root), look, self._directory, self._cast.engines)
        if self._cast.engines and not any(pid in self._cast.engines for pid, _ in look):
            return None  # no engine has a task: a result is on its way
        states: dict[int, list[ThreadState]] = {}
        for pid, tid in look:
            state = tree.judge(pid, tid)
            if state.condition != BLOCKED:
                return None
            states.setdefault(pid, []).append(state)
        return TreeState(tuple(_process(pid, states.get(pid, [])) for pid in tree.pids), watched_s)


def cast_of(root: int, engines: Sequence[int]) -> Cast:
    """The cast of an idle cluster: all threads that there are now, but for those that do the user's work."""
    players = {root, *engines}
    servants = {(pid, tid) for pid in procfs.tree(root) for tid in procfs.threads_of(pid)}
    return Cast(frozenset(servants - {(pid, pid) for pid in players}), frozenset(engines), _CLUSTER_SETTLES_S)


def examine(root: int, directory: str, cast: Cast | None = None) -> TreeState:
    """The state of a tree as it is now: with the proof that it is stuck, if there is one."""
    prover = Prover(root, directory, cast)
    for _ in range(2):
        if (proved := prover.look()) is not None:
            return proved
        time.sleep(prover.settle_s)
    look: _Look = {}
    pids = procfs.tree(root)
    for pid in pids:
        try:
            for tid in procfs.threads_of(pid):
                look[pid, tid] = procfs.sample(pid, tid)
        except OSError:
            continue
    tree = Tree(pids, look, directory)
    threads: dict[int, list[ThreadState]] = {}
    for (pid, tid), sample in look.items():
        if sample.state not in _ENDED:
            threads.setdefault(pid, []).append(tree.judge(pid, tid))
    return TreeState(tuple(_process(pid, threads.get(pid, [])) for pid in pids))


def _process(pid: int, threads: list[ThreadState]) -> ProcessState:
    try:
        parent, status = procfs.parent_and_exit(pid)
        ended = procfs.is_zombie(pid)
        tells = contract.SIGNAL in procfs.signals_caught(pid)
    except OSError:
        return ProcessState(pid, 0, "?", tells=False, ended=True)
    if ended:
        return ProcessState(
            pid, parent, procfs.command(pid), tells=False, ended=True, exit_status=os.waitstatus_to_exitcode(status)
        )
    return ProcessState(pid, parent, procfs.command(pid), tells, tuple(threads))
