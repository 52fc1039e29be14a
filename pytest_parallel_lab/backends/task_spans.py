"""When the workers of a pool computed, moved data, and waited for tasks: noted by each, for a runner to read.

A worker appends what it notes to a file of its own in the session's directory: pools have no way
back but their results, and those are the user's.
"""

from __future__ import annotations

import concurrent.futures.process as process_futures
import concurrent.futures.thread as thread_futures
import functools
import multiprocessing.pool as pools
import os
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

from pytest_parallel_lab.model.timeline import COMMUNICATION, COMPUTE, Span

_SETTLE_S = 0.05  # the last results are on their way back before their sending has been noted

# Of the library, before anything is put in their place; a spawned child has them under the same names.
_pool_worker: Callable[..., None] = pools.worker  # type: ignore[attr-defined]
_executor_worker: Callable[..., None] = process_futures._process_worker

Noted = tuple[float, float, str, str]


class _Notes:
    """What this process notes."""

    def __init__(self, directory: str) -> None:
        self._fd = os.open(_path(directory, os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._began_s = 0.0
        self._task = ""

    def took(self, began_s: float, task: str) -> None:
        """A task has been taken in since then, and begins now."""
        self._began_s = time.perf_counter()
        self._task = task
        self._write((began_s, self._began_s, COMMUNICATION, "get"))

    def done(self) -> float:
        """The task has been done; when."""
        now_s = time.perf_counter()
        if self._task:
            self._write((self._began_s, now_s, COMPUTE, self._task))
            self._task = ""
        return now_s

    def gave(self, began_s: float) -> None:
        """A result has been given back since then."""
        self._write((began_s, time.perf_counter(), COMMUNICATION, "put"))

    def _write(self, noted: Noted) -> None:
        os.write(self._fd, (f"{noted[0]!r} {noted[1]!r} {noted[2]} {noted[3]}\n").encode())


class _Tasks:
    """A queue of tasks that notes when one comes, and how long it takes to be received."""

    def __init__(self, queue: Any, notes: _Notes, name: Callable[[Any], str]) -> None:
        self._queue = queue
        self._notes = notes
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def get(self, block: bool = True) -> Any:
        """The next task. Waiting for it is no communication."""
        with self._queue._rlock:
            self._queue._reader.poll(None)
            began_s = time.perf_counter()
            data = self._queue._reader.recv_bytes()
            if hasattr(self._queue, "_sem"):  # of a bounded queue: there is room again
                self._queue._sem.release()
        task = ForkingPickler.loads(data)
        if task is not None:
            self._notes.took(began_s, _told(self._name, task))
        return task


class _Results:
    """A queue of results that notes how long it takes to send one."""

    def __init__(self, queue: Any, notes: _Notes) -> None:
        self._queue = queue
        self._notes = notes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def put(self, result: Any) -> None:
        """Send a result."""
        began_s = self._notes.done()
        self._queue.put(result)
        self._notes.gave(began_s)


class _Worker:
    """In place of the function that a pool's worker runs: that one, with queues that note."""

    def __init__(self, kind: str, directory: str) -> None:
        self.__name__ = f"{kind} worker"
        self._kind = kind
        self._directory = directory

    def __call__(self, tasks: Any, results: Any, *rest: Any) -> None:
        run, name = _KINDS[self._kind]
        if not hasattr(tasks, "_rlock"):  # of a pool of threads, which has the same loop and other queues
            run(tasks, results, *rest)
            return
        notes = _Notes(self._directory)
        run(_Tasks(tasks, notes, name), _Results(results, notes), *rest)


def note_pool_tasks(directory: str) -> None:
    """Have the workers of pools that this process makes from now on note what they do."""
    pools.worker = _Worker("pool", directory)  # type: ignore[attr-defined]


def note_executor_tasks(directory: str) -> None:
    """Have the workers of executors that this process makes from now on note what they do."""
    process_futures._process_worker = _Worker("executor", directory)  # type: ignore[assignment]


def spans_of(directory: str, pids: Sequence[int]) -> list[Span]:
    """What the workers with these pids have noted since this was last asked, in that order."""
    time.sleep(_SETTLE_S)
    spans = []
    for worker, pid in enumerate(pids):
        path = _path(directory, pid)
        text = path.read_text() if path.exists() else ""
        if text:
            os.truncate(path, 0)
        for line in text.splitlines():
            start, end, kind, name = line.split(" ", 3)
            spans.append(Span(worker, float(start), float(end), kind, name))
    return spans


class ThreadNotes:
    """What the threads of a ``ThreadPoolExecutor`` in this process do."""

    def __init__(self) -> None:
        """Note from now on."""
        self._spans: list[Span] = []
        self._numbers: dict[int, int] = {}
        run = thread_futures._WorkItem.run
        lock = threading.Lock()

        self._running: set[Any] = set()

        def running(item: Any) -> None:
            with lock:
                self._running.add(item.future)
            began_s = time.perf_counter()
            name, future = _told(_name, item.fn), item.future
            run(item)
            with lock:
                self._running.discard(future)
                worker = self._numbers.setdefault(threading.get_ident(), len(self._numbers))
                self._spans.append(Span(worker, began_s, time.perf_counter(), COMPUTE, name))

        thread_futures._WorkItem.run = running  # type: ignore[method-assign, assignment]

    def outstanding(self) -> int:
        """How many tasks have been begun, and have no result yet."""
        return sum(not future.done() for future in list(self._running))

    def take(self) -> list[Span]:
        """What they have done since this was last asked."""
        time.sleep(_SETTLE_S)  # a result is there before its task's end has been noted
        spans, self._spans = self._spans, []
        return spans


def _path(directory: str, pid: int) -> Path:
    return Path(directory, f"{pid}.spans")


def _name_of_pool_task(task: Any) -> str:
    _, _, function, args, _ = task
    if function is pools.mapstar or function is pools.starmapstar:  # type: ignore[attr-defined]
        return _name(args[0][0])
    return _name(function)


def _name_of_executor_task(task: Any) -> str:
    if task.fn is process_futures._process_chunk and task.args:
        return _name(task.args[0])
    if isinstance(task.fn, functools.partial) and task.fn.func is process_futures._process_chunk and task.fn.args:
        return _name(task.fn.args[0])
    return _name(task.fn)


def _name(function: Any) -> str:
    named = function.func if isinstance(function, functools.partial) else function
    return str(getattr(named, "__name__", type(named).__name__))


def _told(name: Callable[[Any], str], task: Any) -> str:
    """The name of a task, in one word that can be written; users' callables may refuse to tell."""
    try:
        told = name(task)
    except Exception:
        return "task"
    return "_".join(told.encode("utf-8", "replace").decode().split()) or "task"


_KINDS: dict[str, tuple[Callable[..., None], Callable[[Any], str]]] = {
    "pool": (_pool_worker, _name_of_pool_task),
    "executor": (_executor_worker, _name_of_executor_task),
}
