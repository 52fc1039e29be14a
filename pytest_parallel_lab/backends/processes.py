"""Worker processes of ``multiprocessing``; implementations get a ``multiprocessing.pool.Pool``."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from multiprocessing.pool import Pool
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from typing import Any

from pytest_parallel_lab.backends.base import RunnerBackend
from pytest_parallel_lab.backends.task_spans import note_pool_tasks, spans_of
from pytest_parallel_lab.keeper import blas, output
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.keeper.tree import die_with_parent
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.timeline import Section


def context_for(settings: Settings) -> BaseContext:
    """The ``multiprocessing`` context of the start method in force."""
    return multiprocessing.get_context(settings.start_method_in_force)


def start_worker(started: Barrier, directory: str, parent_pid: int) -> None:
    """First thing in every worker: pin BLAS, capture its output, and wait until all are there.

    Without the wait an executor that starts processes on demand would start fewer than asked.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.getppid() == parent_pid:  # not under forkserver, whose parent is the server
        die_with_parent(parent_pid)
    blas.pin()
    output.capture(directory)
    started.wait()


class ProcessHost(Host):
    """What hosts of worker processes share: knowing the processes and how they ended."""

    def __init__(self) -> None:
        self._processes: list[BaseProcess] = []
        self._notes_in: str | None = None

    def prepare(self) -> None:
        """Start the resource tracker, so that the workers share it.

        A worker that attaches to a SharedMemory would else start one of its own, which removes
        the segment from under all others when that worker ends (Python before 3.13).
        """
        resource_tracker.ensure_running()

    def remember_processes(self) -> None:
        """Take note of all worker processes that live now."""
        self._processes = sorted(multiprocessing.active_children(), key=lambda p: p.pid or 0)

    def pids(self) -> list[int]:
        """The workers' pids, in the order they were started."""
        return [p.pid for p in self._processes if p.pid is not None]

    def exit_status(self, pid: int) -> int | None:
        """A worker's exit code, or minus the signal."""
        return next((p.exitcode for p in self._processes if p.pid == pid), None)

    def outstanding(self) -> int:
        """How many results of tasks have not come yet."""
        return 0

    def section(self, start_s: float, end_s: float) -> Section | None:
        """When the workers had tasks."""
        if self._notes_in is None:
            return None
        outstanding = self.outstanding()
        spans = spans_of(self._notes_in, self.pids())
        return Section(len(self._processes), start_s, end_s, tuple(spans), outstanding=outstanding)


class PoolHost(ProcessHost):
    """Owns a ``multiprocessing.pool.Pool``."""

    _pool: Pool

    def open(self, workers: int, settings: Settings, directory: str) -> Pool:
        """Start the pool and wait until all its workers are up."""
        self.prepare()
        if settings.spans:
            self._notes_in = directory
            note_pool_tasks(directory)
        context = context_for(settings)
        started = context.Barrier(workers + 1)
        self._pool = context.Pool(workers, start_worker, (started, directory, os.getpid()))
        started.wait(settings.start_limit_s)
        self.remember_processes()
        return self._pool

    def outstanding(self) -> int:
        """How many calls, such as of ``map_async``, have not all their results yet."""
        return len(self._pool._cache)  # type: ignore[attr-defined]

    def executor(self, handle: Pool) -> Executor:
        """The pool behind the interface of ``concurrent.futures``."""
        return PoolExecutor(handle)

    def close(self) -> None:
        """Stop the workers."""
        self._pool.terminate()
        self._pool.join()


class PoolExecutor(Executor):
    """A ``multiprocessing`` pool as an executor."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send one task to the pool."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._pool.apply_async(fn, args, kwargs, future.set_result, future.set_exception)
        return future


class ProcessesBackend(RunnerBackend):
    """``processes``: a multiprocessing Pool in a runner."""

    name = "processes"

    def version(self, settings: Settings) -> str:
        """Python's version and the start method in force."""
        return f"Python {sys.version.split()[0]}, start method {settings.start_method_in_force}"

    def host(self) -> Host:
        """Host of a pool."""
        return PoolHost()
