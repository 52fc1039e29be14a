"""Threads of one runner; implementations get a ``concurrent.futures.ThreadPoolExecutor``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.settings import Settings


class ThreadsHost(Host):
    """Owns a thread pool."""

    _pool: ThreadPoolExecutor

    def open(self, workers: int, settings: Settings, directory: str) -> ThreadPoolExecutor:
        """Make the pool; it starts a thread when a task finds none idle."""
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="worker")
        return self._pool

    def close(self) -> None:
        """Leave the threads behind: they go with the runner."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class ThreadsBackend(RunnerBackend):
    """``threads``: a ThreadPoolExecutor in a runner."""

    name = "threads"

    def host(self) -> Host:
        """Host of a thread pool."""
        return ThreadsHost()
