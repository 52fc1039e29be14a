"""``multiprocessing`` pools in the caller's own process, warm, with workers that the keeper knows."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess

from pytest_parallel_lab.backends.processes import start_worker
from pytest_parallel_lab.keeper.ask import ask
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.model.errors import StartFailed, WorkerDied
from pytest_parallel_lab.model.outcome import Died, Outcome, Worker, WorkerReport
from pytest_parallel_lab.model.settings import default_start_method
from pytest_parallel_lab.model.verdict import Verdict, judge
from pytest_parallel_lab.model.waiting import TreeState

_START_LIMIT_S = 60.0
_DEATH_GRACE_S = 0.2


@dataclass
class _Warm:
    """A pool with what we know of it."""

    pool: Pool
    key: tuple[int, str | None]
    processes: list[BaseProcess]
    output: OutputReader


class LocalPools:
    """Keeps pools between tests; a pool goes to one test at a time."""

    def __init__(self, keeper: Callable[[], KeeperClient]) -> None:
        """Make no pool yet; ``keeper`` gives the keeper when the first is made."""
        self._keeper = keeper
        self._idle: dict[tuple[int, str | None], _Warm] = {}
        self._taken: dict[int, _Warm] = {}

    def take(self, workers: int, start_method: str | None) -> Pool:
        """A pool of so many workers: a warm one, or a new one.

        Raises:
            StartFailed: the workers did not come up.
        """
        warm = self._idle.pop((workers, start_method), None)
        if warm is not None and not self._intact(warm):
            self._stop(warm)
            warm = None
        if warm is None:
            warm = self._start(workers, start_method)
        self._taken[id(warm.pool)] = warm
        return warm.pool

    def printed(self, pool: Pool) -> list[tuple[str, str]]:
        """What each worker of a taken pool has printed since it was last asked."""
        warm = self._taken[id(pool)]
        return warm.output.printed((f"worker {i}", p.pid or 0) for i, p in enumerate(warm.processes))

    def examine(self, pool: Pool, limit: str) -> Verdict:
        """What each worker of a taken pool does now, when the limit has passed."""
        keeper, warm = self._keeper(), self._taken[id(pool)]
        states = [keeper.examine(p.pid) for p in warm.processes if p.pid is not None and p.is_alive()]
        state = TreeState(tuple(process for state in states for process in state.processes))
        return judge(state, ask(keeper.directory, state), limit)

    def give_back(self, pool: Pool) -> None:
        """Keep a pool for the next test if it is intact and idle."""
        warm = self._taken.pop(id(pool))
        if self._intact(warm) and warm.key not in self._idle:
            self._idle[warm.key] = warm
        else:
            self._stop(warm)

    def close(self) -> None:
        """Stop all pools."""
        for warm in [*self._idle.values(), *self._taken.values()]:
            self._stop(warm)
        self._idle.clear()
        self._taken.clear()

    def _start(self, workers: int, start_method: str | None) -> _Warm:
        keeper = self._keeper()
        context = multiprocessing.get_context(start_method or default_start_method())
        before = set(multiprocessing.active_children())
        started = context.Barrier(workers + 1)
        pool = context.Pool(workers, start_worker, (started, keeper.directory, os.getpid()))
        try:
            started.wait(_START_LIMIT_S)
        except Exception as error:
            pool.terminate()
            raise StartFailed(f"process_pool: {workers} workers were not up after {_START_LIMIT_S:g} s") from error
        processes = sorted(set(multiprocessing.active_children()) - before, key=lambda p: p.pid or 0)
        for process in processes:
            keeper.adopt(process.pid or 0)
        if hasattr(os, "pidfd_open"):
            watch = threading.Thread(target=_watch, args=(pool, processes), daemon=True, name="exit-watch")
            watch.start()
        return _Warm(pool, (workers, start_method), processes, OutputReader(keeper.directory))

    def _intact(self, warm: _Warm) -> bool:
        """Whether all workers live, none is still busy, and the test has not closed the pool."""
        outstanding = getattr(warm.pool, "_cache", {})  # no public way to ask
        still_open = getattr(warm.pool, "_state", "RUN") == "RUN"
        return still_open and not outstanding and all(p.is_alive() for p in warm.processes)

    def _stop(self, warm: _Warm) -> None:
        warm.pool.terminate()
        for process in warm.processes:
            self._keeper().release(process.pid or 0)
            if process.is_alive():
                process.kill()
        warm.pool.join()


def _watch(pool: Pool, processes: Sequence[BaseProcess]) -> None:
    """Fail the tasks that are out when a worker dies: the Pool itself would wait for them for ever."""
    poll = select.poll()
    fds = {}
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            fd = os.pidfd_open(process.pid or 0)
            fds[fd] = process
            poll.register(fd, select.POLLIN)
    ended = [fds[fd] for fd, _ in poll.poll()]
    for fd in fds:
        os.close(fd)
    time.sleep(_DEATH_GRACE_S)  # in which the Pool takes in what the worker had sent, and its exit status
    if getattr(pool, "_state", "RUN") != "RUN":
        return  # it was stopped
    dead = ended[0]
    index = list(processes).index(dead)
    worker = Worker("worker", index, len(processes), dead.pid or 0, socket.gethostname())
    fate = Died(dead.exitcode)
    outcome = Outcome("processes", len(processes), (WorkerReport(worker, fate),))
    error = WorkerDied(f"process_pool: {worker.heading} {fate.reason} while tasks were out", outcome)
    for job in list(getattr(pool, "_cache", {}).values()):  # no public way to reach them
        for _ in range(getattr(job, "_number_left", 1)):
            job._set(getattr(job, "_index", 0), (False, error))
