"""Noting what orders the threads and processes of a run, beside locks: starts and joins, queues, events, ...

Patches the classes of the standard library that are written in Python. More order than there is
makes a possible deadlock go unreported; less would accuse an ordered program.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.keeper.agent import sites
from pytest_parallel_lab.keeper.agent.order import Notes
from pytest_parallel_lab.keeper.agent.tell import describe_semaphore

_Key = Callable[[Any], str]


def note_syncs(notes: Notes) -> None:
    """Have all synchronisation from now on noted."""
    _threads(notes)
    _processes(notes)
    _within_a_process(notes)
    _between_processes(notes)
    _pools(notes)


def _own(thing: Any) -> str:
    return f"{type(thing).__name__} {os.getpid()}:{id(thing)}"


def _shared(lock: Any) -> str:
    return str(describe_semaphore(lock)["key"])


def _patch(notes: Notes, cls: Any, name: str, key: _Key, *, before: bool = False, after: bool = False) -> None:
    """Have a method note that it lets others go on, before it does, or that it went on itself, after it did."""
    original = getattr(cls, name)

    @functools.wraps(original)
    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        if before:
            notes.releases(key(self))
        result = original(self, *args, **kwargs)
        if after and result is not False:  # a wait that has run out of time
            notes.acquires(key(self))
        return result

    setattr(cls, name, noting)


def _threads(notes: Notes) -> None:
    start, join = threading.Thread.start, threading.Thread.join

    def noting_start(self: threading.Thread) -> None:
        notes.starts_thread(self)
        start(self)

    def noting_join(self: threading.Thread, timeout: float | None = None) -> None:
        join(self, timeout)
        if not self.is_alive():
            notes.note("joins thread", thread=f"thread {os.getpid()}:{id(self)}")
            notes.syncs += 1

    threading.Thread.start = noting_start  # type: ignore[method-assign]
    threading.Thread.join = noting_join  # type: ignore[method-assign]


def _processes(notes: Notes) -> None:
    from multiprocessing.process import BaseProcess

    join = BaseProcess.join

    def noting_join(self: BaseProcess, timeout: float | None = None) -> None:
        if timeout is None:
            notes.note("begins to join", joined=self.pid)
        join(self, timeout)
        if self.exitcode is not None:
            notes.note("joins", joined=self.pid, for_ever=timeout is None, at=_where())
            notes.syncs += 1

    BaseProcess.join = noting_join  # type: ignore[method-assign]


def _where() -> Any:
    return sites.users_site(sys._getframe(1))


def _within_a_process(notes: Notes) -> None:
    import queue
    from concurrent.futures import Future

    _patch(notes, threading.Event, "set", _own, before=True)
    _patch(notes, threading.Event, "wait", _own, after=True)
    _patch(notes, threading.Condition, "notify", _own, before=True)
    _patch(notes, threading.Condition, "wait", _own, after=True)
    _patch(notes, threading.Semaphore, "release", _own, before=True)
    _patch(notes, threading.Semaphore, "acquire", _own, after=True)
    _patch(notes, threading.Barrier, "wait", _own, before=True, after=True)
    _patch(notes, queue.Queue, "put", _own, before=True)
    _patch(notes, queue.Queue, "get", _own, after=True)
    _patch(notes, queue.Queue, "task_done", _own, before=True)
    _patch(notes, queue.Queue, "join", _own, after=True)
    for name in ("set_result", "set_exception"):
        _patch(notes, Future, name, _own, before=True)
    for name in ("result", "exception"):
        _patch(notes, Future, name, _own, after=True)


def _between_processes(notes: Notes) -> None:
    from multiprocessing import connection, managers, queues, synchronize

    def of_condition(thing: Any) -> str:
        return _shared(thing._cond._lock)

    _patch(notes, synchronize.Event, "set", of_condition, before=True)
    _patch(notes, synchronize.Event, "wait", of_condition, after=True)
    _patch(notes, synchronize.Condition, "notify", lambda c: _shared(c._lock), before=True)
    _patch(notes, synchronize.Condition, "wait", lambda c: _shared(c._lock), after=True)
    _patch(notes, queues.Queue, "put", _queue, before=True)
    _patch(notes, queues.Queue, "get", _queue, after=True)
    _patch(notes, queues.SimpleQueue, "put", _queue, before=True)
    _patch(notes, queues.SimpleQueue, "get", _queue, after=True)
    for cls in (connection.Connection, connection._ConnectionBase):
        for name in ("send", "send_bytes"):
            if name in vars(cls):
                _patch(notes, cls, name, lambda _: "connections", before=True)
        for name in ("recv", "recv_bytes"):
            if name in vars(cls):
                _patch(notes, cls, name, lambda _: "connections", after=True)
    _patch(notes, managers.BaseProxy, "_callmethod", lambda _: "managers", before=True, after=True)
    _drained(notes, queues)


def _queue(queue: Any) -> str:
    return f"Queue {_shared(queue._rlock)}"


def _drained(notes: Notes, queues: Any) -> None:
    """Note what is put into and taken out of queues whose feeder thread a process's end waits for."""
    put, get, cancel = queues.Queue.put, queues.Queue.get, queues.Queue.cancel_join_thread

    def noting_put(self: Any, *args: Any, **kwargs: Any) -> None:
        put(self, *args, **kwargs)
        notes.note("puts", queue=_queue(self))

    def noting_get(self: Any, *args: Any, **kwargs: Any) -> Any:
        item = get(self, *args, **kwargs)
        notes.note("gets", queue=_queue(self), at=_where())
        return item

    def noting_cancel(self: Any) -> None:
        notes.note("gives up", queue=_queue(self))
        cancel(self)

    queues.Queue.put, queues.Queue.get = noting_put, noting_get
    queues.Queue.cancel_join_thread = noting_cancel


def _pools(notes: Notes) -> None:
    """Note a Pool's worker that ends while results are still to come: nobody will ever deliver its own."""
    import weakref
    from multiprocessing.pool import Pool

    pools: weakref.WeakSet[Any] = weakref.WeakSet()
    pool_class: Any = Pool
    init, join_exited = pool_class.__init__, pool_class._join_exited_workers

    def noting_init(self: Any, *args: Any, **kwargs: Any) -> None:
        pools.add(self)
        init(self, *args, **kwargs)

    def noting_exits(workers: list[Any]) -> Any:
        before = list(workers)
        cleaned = join_exited(workers)
        # Only now: a worker's pipe closes before the kernel calls the worker ended.
        ended = [worker for worker in before if worker not in workers and worker.exitcode]
        owner = next((pool for pool in list(pools) if getattr(pool, "_pool", None) is workers), None)
        if ended and owner is not None and owner._cache:
            for worker in ended:
                notes.note("pool worker died", child=worker.pid, status=worker.exitcode)
        return cleaned

    pool_class.__init__ = noting_init
    pool_class._join_exited_workers = staticmethod(noting_exits)
