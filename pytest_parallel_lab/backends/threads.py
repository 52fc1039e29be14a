"""Threads of one runner; implementations get a ``concurrent.futures.ThreadPoolExecutor``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Barrier

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.backends.task_spans import ThreadNotes
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.timeline import Section


class ThreadsHost(Host):
    """Owns a thread pool."""

    _pool: ThreadPoolExecutor
    _workers = 1
    _notes: ThreadNotes | None = None

    def open(self, workers: int, settings: Settings, directory: str) -> ThreadPoolExecutor:
        """Make the pool. It starts a thread when a task finds none idle, but all at once where spans are wanted.

        There a thread that comes later would be taken for one that the implementation has left running.
        """
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        if settings.spans:
            together = Barrier(workers)
            wait([self._pool.submit(together.wait) for _ in range(workers)])
            self._notes = ThreadNotes()
        return self._pool

    def section(self, start_s: float, end_s: float) -> Section | None:
        """When they had tasks."""
        if self._notes is None:
            return None
        outstanding = self._notes.outstanding() + self._pool._work_queue.qsize()
        spans = self._notes.take()
        return Section(self._workers, start_s, end_s, tuple(spans), outstanding=outstanding)

    def close(self) -> None:
        """Leave the threads behind: they go with the runner."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class ThreadsBackend(RunnerBackend):
    """``threads``: a ThreadPoolExecutor in a runner."""

    name = "threads"

    def host(self) -> Host:
        """Host of a thread pool."""
        return ThreadsHost()
