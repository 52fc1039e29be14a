"""Pipes and what is built of them: connections, queues between processes, waits for several of them."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import stat
import sys
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.explore.inside.callers import users_site
from pytest_parallel_lab.explore.inside.threads import one_step
from pytest_parallel_lab.explore.inside.turns import FREE, TIMED_OUT, Actor, me, native, within
from pytest_parallel_lab.explore.protocol import MINOR

PIPES, SOCKETS = "pipes", "sockets"  # who sends through a socket may be somebody outside


def take_turns() -> None:
    """Have sending and receiving be points."""
    from multiprocessing import connection, queues

    base: Any = connection._ConnectionBase
    for name in ("send", "send_bytes"):
        _sends(base, name)
    for name in ("recv", "recv_bytes", "recv_bytes_into"):
        _receives(base, name)
    _polls(base)
    _closes(base)
    _waits(connection)
    for name in ("put", "get", "empty", "full", "qsize"):
        one_step(queues.Queue, name)
    for name in ("put", "get", "empty"):
        one_step(queues.SimpleQueue, name)
    one_step(queues.JoinableQueue, "task_done")


def _sends(cls: Any, name: str) -> None:
    original: Callable[..., None] = getattr(cls, name)

    @functools.wraps(original)
    def sending(self: Any, *args: Any, **kwargs: Any) -> None:
        actor = me()
        if actor is None:
            original(self, *args, **kwargs)
            return
        actor.point(f"Connection.{name}", _key(self._handle), lambda: _ready(self._handle, select.POLLOUT), tier=MINOR)
        with within(actor), native():
            original(self, *args, **kwargs)
        _changed(actor)

    setattr(cls, name, sending)


def _receives(cls: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(cls, name)

    @functools.wraps(original)
    def receiving(self: Any, *args: Any, **kwargs: Any) -> Any:
        actor = me()
        if actor is None or self._handle is None:
            return original(self, *args, **kwargs)
        actor.point(f"Connection.{name}", _key(self._handle), lambda: _ready(self._handle, select.POLLIN), tier=MINOR)
        with within(actor), native():
            result = original(self, *args, **kwargs)
        _changed(actor)  # another reader may find nothing any more, a writer may find space
        return result

    setattr(cls, name, receiving)


def _polls(cls: Any) -> None:
    original: Callable[..., bool] = cls.poll

    @functools.wraps(original)
    def polling(self: Any, timeout: float | None = 0.0) -> bool:
        actor = me()
        if actor is None or self._handle is None:
            return original(self, timeout)
        wait_s = -1.0 if timeout is None else max(0.0, timeout)
        if wait_s == 0.0:
            actor.point("Connection.poll")
        elif (
            actor.point(
                "Connection.poll", _key(self._handle), lambda: _ready(self._handle, select.POLLIN), wait_s=wait_s
            )
            == FREE
        ):
            return original(self, timeout)
        with native():
            return original(self, 0.0)

    cls.poll = polling


def _closes(cls: Any) -> None:
    original: Callable[..., None] = cls.close

    @functools.wraps(original)
    def closing(self: Any) -> None:
        original(self)
        actor = me()
        if actor is not None:
            _changed(actor)

    cls.close = closing


def _waits(connection: Any) -> None:
    """``wait`` for several connections and ends of processes."""
    original: Callable[..., list[Any]] = connection.wait

    @functools.wraps(original)
    def waiting(object_list: Any, timeout: float | None = None) -> list[Any]:
        actor = me()
        things = list(object_list)
        if actor is None:
            return original(things, timeout)

        def look() -> list[Any]:
            with native():
                return original(things, 0)

        if timeout == 0:
            return look()
        wait_s = -1.0 if timeout is None else max(0.0, timeout)
        # The library's own threads call this in a loop, however little each finds to do.
        spins = users_site(sys._getframe(1)) is None and bool(look())
        answer = actor.point(
            "connection.wait", _key(*map(_handle, things)), lambda: bool(look()), wait_s=wait_s, sleeps=spins
        )
        if answer == FREE:
            return original(things, timeout)
        return [] if answer == TIMED_OUT else look()

    connection.wait = waiting
    from multiprocessing import pool

    pool.wait = waiting  # type: ignore[attr-defined]


def _changed(actor: Actor) -> None:
    actor.changed(PIPES)
    actor.changed(SOCKETS)


def _handle(thing: Any) -> int:
    return thing if isinstance(thing, int) else int(thing.fileno())


def _key(*handles: int | None) -> str:
    return SOCKETS if any(h is not None and stat.S_ISSOCK(os.fstat(h).st_mode) for h in handles) else PIPES


def _ready(handle: int | None, event: int) -> bool:
    if handle is None:
        return True  # closed: the operation will say so
    poll = select.poll()
    poll.register(handle, event)
    return bool(poll.poll(0))


def lock_files() -> None:
    """Have waits for locks on files be waits in turns."""
    import fcntl

    for name in ("flock", "lockf"):
        _locks(fcntl, name)


def _locks(fcntl: Any, name: str) -> None:
    original: Callable[..., Any] = getattr(fcntl, name)

    @functools.wraps(original)
    def locking(fd: Any, operation: int, *args: Any) -> Any:
        actor = me()
        if actor is None:
            return original(fd, operation, *args)
        op = f"fcntl.{name}"
        actor.point(op)
        if operation & (fcntl.LOCK_UN | fcntl.LOCK_NB):
            return original(fd, operation, *args)
        while True:
            with contextlib.suppress(BlockingIOError):
                return original(fd, operation | fcntl.LOCK_NB, *args)
            if actor.point(op, sleeps=True) == FREE:  # closing a file gives its lock back unnoticed: try again
                return original(fd, operation, *args)

    setattr(fcntl, name, locking)
