"""Worker processes of ``concurrent.futures``; implementations get a ``ProcessPoolExecutor``."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, wait

from pytest_parallel_lab.backends.processes import ProcessesBackend, ProcessHost, context_for, start_worker
from pytest_parallel_lab.backends.task_spans import note_executor_tasks
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.model.settings import Settings


class ExecutorHost(ProcessHost):
    """Owns a ``ProcessPoolExecutor``."""

    _pool: ProcessPoolExecutor

    def open(self, workers: int, settings: Settings, directory: str) -> ProcessPoolExecutor:
        """Start the executor and wait until all its workers are up."""
        self.prepare()
        if settings.spans:
            self._notes_in = directory
            note_executor_tasks(directory)
        context = context_for(settings)
        started = context.Barrier(workers)
        self._pool = ProcessPoolExecutor(workers, context, start_worker, (started, directory, os.getpid()))
        up = wait([self._pool.submit(os.getpid) for _ in range(workers)], settings.start_limit_s)
        for future in up.done:
            future.result()
        if up.not_done:
            raise TimeoutError(f"only {len(up.done)} of {workers} workers answered in {settings.start_limit_s:g} s")
        self.remember_processes()
        return self._pool

    def outstanding(self) -> int:
        """How many futures are not done yet."""
        return len(self._pool._pending_work_items)

    def close(self) -> None:
        """Stop the workers."""
        self._pool.shutdown(cancel_futures=True)


class ExecutorBackend(ProcessesBackend):
    """``executor``: a ProcessPoolExecutor in a runner."""

    name = "executor"

    def host(self) -> Host:
        """Host of an executor."""
        return ExecutorHost()
