"""Locks that are waited for in turns."""

from __future__ import annotations

import _thread
import os
from typing import Any

from pytest_parallel_lab.explore.inside.callers import called_by_user
from pytest_parallel_lab.explore.inside.turns import FREE, TIMED_OUT, Actor, me
from pytest_parallel_lab.keeper.agent.locks import Primitives
from pytest_parallel_lab.keeper.agent.tell import describe_semaphore


class TurnLock:
    """``_thread.lock`` that is waited for in turns."""

    def __init__(self) -> None:
        self._real: Any = _thread.allocate_lock()

    @property
    def _key(self) -> str:
        return f"lock {os.getpid()}:{id(self)}"

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock."""
        actor = me()
        if actor is None:
            return bool(self._real.acquire(blocking, timeout))
        if not blocking:
            return _try(actor, self._real)
        return _take(actor, self._real, "Lock.acquire", self._key, self._free, timeout)

    __enter__ = acquire

    def _free(self) -> bool:
        return not self._real.locked()

    def release(self) -> None:
        """Give it back."""
        self._real.release()
        actor = me()
        if actor is not None:
            actor.changed(self._key)

    def __exit__(self, *exception: object) -> None:
        self.release()

    def locked(self) -> bool:
        """Whether it is taken."""
        return bool(self._real.locked())

    def _at_fork_reinit(self) -> None:
        self._real._at_fork_reinit()


class TurnRLock(TurnLock):
    """``_thread.RLock`` that is waited for in turns."""

    def __init__(self) -> None:
        self._real = _thread.RLock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, once more where this thread has it already."""
        actor = me()
        if actor is None or self._real._is_owned():
            return bool(self._real.acquire(blocking, timeout))
        if not blocking:
            return _try(actor, self._real)
        return _take(actor, self._real, "RLock.acquire", self._key, self._free, timeout)

    __enter__ = acquire

    def _free(self) -> bool:
        got = self._real.acquire(False)
        if got:
            self._real.release()
        return bool(got)

    def _is_owned(self) -> bool:
        return bool(self._real._is_owned())

    def _release_save(self) -> Any:
        state = self._real._release_save()
        actor = me()
        if actor is not None:
            actor.changed(self._key)
        return state

    def _acquire_restore(self, state: Any) -> None:
        actor = me()
        if actor is not None:
            _take(actor, self._real, "RLock.acquire", self._key, self._free, -1)
            self._real.release()
        self._real._acquire_restore(state)


def _try(actor: Actor, real: Any) -> bool:
    """Try to take a lock; one who tries in vain may do so for ever, so others go first."""
    actor.point("Lock.acquire(blocking=False)")
    got = bool(real.acquire(False))
    if not got and called_by_user():
        actor.point("Lock.acquire(blocking=False)", sleeps=True)
    return got


def _take(actor: Actor, real: Any, op: str, key: str, free: Any, timeout: float) -> bool:
    answer = actor.point(op, key, free, wait_s=timeout)
    while answer not in (FREE, TIMED_OUT):
        if real.acquire(False):
            actor.touched(key)
            return True
        answer = actor.point(op, key, free, wait_s=timeout)
    return bool(real.acquire(True, timeout)) if answer == FREE else False


class TurnPrimitives(Primitives):
    """What traced locks are made of in an explored run."""

    def lock(self) -> TurnLock:
        """The lock inside a TracedLock."""
        return TurnLock()

    def rlock(self) -> TurnRLock:
        """The lock inside a TracedRLock."""
        return TurnRLock()

    def acquire(self, semaphore: Any, block: bool, timeout: float | None) -> bool:
        """Take a lock or semaphore of ``multiprocessing``."""
        actor = me()
        semlock = semaphore._semlock
        mine = semlock._is_mine() and semlock.kind == 0  # RECURSIVE_MUTEX
        if actor is None or mine:
            return bool(semlock.acquire(block, timeout))
        op = f"{type(semaphore).__name__}.acquire"
        wait_s = -1.0 if timeout is None else timeout
        if not block:
            actor.point(op)
            got = bool(semlock.acquire(False))
            if not got and called_by_user():
                actor.point(op, sleeps=True)
            return got
        key = str(describe_semaphore(semaphore)["key"])
        answer = actor.point(op, key, lambda: not semlock._is_zero(), wait_s=wait_s)
        while answer not in (FREE, TIMED_OUT):
            if semlock.acquire(False):
                actor.touched(key)
                return True
            answer = actor.point(op, key, lambda: not semlock._is_zero(), wait_s=wait_s)
        return bool(semlock.acquire(True, timeout)) if answer == FREE else False

    def release(self, semaphore: Any) -> None:
        """Give it back."""
        semaphore._semlock.release()
        actor = me()
        if actor is not None:
            actor.changed(str(describe_semaphore(semaphore)["key"]))


def place_at_once(semaphore_class: Any) -> None:
    """Find where a semaphore is when it is made, and not in every process that is forked with it."""
    original = semaphore_class.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        describe_semaphore(self)

    semaphore_class.__init__ = init
