"""Locks that know who took them where, in place of those of threading and multiprocessing."""

from __future__ import annotations

import _thread
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.keeper.agent import sites, tell
from pytest_parallel_lab.keeper.agent.order import Notes

_notes: Notes


class Primitives:
    """What traced locks are made of, and how those of ``multiprocessing`` are taken."""

    def lock(self) -> Any:
        """The lock inside a TracedLock."""
        return _thread.allocate_lock()

    def rlock(self) -> Any:
        """The lock inside a TracedRLock."""
        return _thread.RLock()

    def acquire(self, semaphore: Any, block: bool, timeout: float | None) -> bool:
        """Take a lock or semaphore of ``multiprocessing``."""
        got: bool = semaphore._semlock.acquire(block, timeout)
        return got

    def release(self, semaphore: Any) -> None:
        """Give it back."""
        semaphore._semlock.release()


_primitives = Primitives()


def trace(notes: Notes, primitives: Primitives | None = None) -> None:
    """Have all locks made from now on know their holders, and note in what order they are taken."""
    global _notes, _primitives
    _notes = notes
    _primitives = primitives or _primitives
    _trace_managed_locks({threading.Lock: TracedLock, threading.RLock: TracedRLock})
    threading.Lock = TracedLock  # type: ignore[assignment]
    threading.RLock = TracedRLock  # type: ignore[assignment]
    _trace_semaphores()


def _trace_managed_locks(traced: dict[Any, type]) -> None:
    """Have the servers of managers make traced locks as well."""
    from multiprocessing.managers import SyncManager

    registry: dict[str, Any] = SyncManager._registry  # type: ignore[attr-defined]
    for typeid, (made_by, *rest) in registry.items():
        if made_by in traced:
            registry[typeid] = (traced[made_by], *rest)


class _Noting:
    """What both kinds of lock share."""

    kind = "Lock"

    def __init__(self) -> None:
        self.made = sites.made_at(sys._getframe(1))
        self.holder: dict[str, Any] | None = None

    def _parallel_lab_lock(self) -> dict[str, Any]:
        return {"key": f"{os.getpid()}:{id(self):x}", "kind": self.kind, "made": self.made}

    def _taken(self, *, for_ever: bool) -> None:
        taken = sites.users_site(sys._getframe(2))
        self.holder = {"pid": os.getpid(), "tid": _thread.get_native_id(), "taken": taken}
        tell.held[id(self)] = self
        _notes.taken(self._parallel_lab_lock, id(self), taken, for_ever=for_ever)

    def _given_back(self) -> None:
        self.holder = None
        tell.held.pop(id(self), None)
        _notes.released(self._parallel_lab_lock, id(self))


class TracedLock(_Noting):
    """``threading.Lock`` that knows its holder."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = _primitives.lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock."""
        got: bool = self._lock.acquire(blocking, timeout)
        if got:
            self._taken(for_ever=blocking and timeout == -1)
        return got

    def release(self) -> None:
        """Give it back."""
        self._given_back()
        self._lock.release()

    def locked(self) -> bool:
        """Whether it is taken."""
        return bool(self._lock.locked())

    def __enter__(self) -> bool:
        got: bool = self._lock.acquire()
        self._taken(for_ever=True)
        return got

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _at_fork_reinit(self) -> None:
        self._given_back()
        self._lock._at_fork_reinit()


class TracedRLock(_Noting):
    """``threading.RLock`` that knows its holder."""

    kind = "RLock"

    def __init__(self) -> None:
        super().__init__()
        self._lock = _primitives.rlock()
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, once more where this thread has it already."""
        got: bool = self._lock.acquire(blocking, timeout)
        if got:
            self._depth += 1
            if self._depth == 1:
                self._taken(for_ever=blocking and timeout == -1)
        return got

    __enter__ = acquire

    def release(self) -> None:
        """Give it back once."""
        if self._depth == 1 and self._lock._is_owned():
            self._given_back()
        self._lock.release()  # raises where it is not ours
        self._depth -= 1

    def __exit__(self, *exception: object) -> None:
        self.release()

    def _is_owned(self) -> bool:
        return bool(self._lock._is_owned())

    def _release_save(self) -> Any:
        depth, self._depth = self._depth, 0
        self._given_back()
        return depth, self._lock._release_save()

    def _acquire_restore(self, state: Any) -> None:
        depth, inner = state
        self._lock._acquire_restore(inner)
        self._depth = depth
        self._taken(for_ever=True)

    def _recursion_count(self) -> int:
        return self._depth if self._is_owned() else 0

    def _at_fork_reinit(self) -> None:
        self._depth = 0
        self._given_back()
        self._lock._at_fork_reinit()


def _trace_semaphores() -> None:
    """Patch the one class that all locks of ``multiprocessing`` are made of."""
    from multiprocessing import synchronize

    semlock: Any = synchronize.SemLock
    original_init: Callable[..., None] = semlock.__init__
    locks: tuple[Any, Any] = (synchronize.Lock, synchronize.RLock)

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original_init(self, *args, **kwargs)
        self._parallel_lab_made = sites.made_at(sys._getframe(1))

    def taken(self: Any, *, for_ever: bool) -> None:
        depth = self._semlock._count() if type(self) is locks[1] else 1
        if type(self) not in locks or depth != 1:
            return
        site = sites.users_site(sys._getframe(2))
        self._parallel_lab_holder = {"pid": os.getpid(), "tid": _thread.get_native_id(), "taken": site}
        tell.held[id(self)] = _Held(self)
        _notes.taken(self._parallel_lab_lock, id(self), site, for_ever=for_ever)

    def acquire(self: Any, block: bool = True, timeout: float | None = None) -> bool:
        got = _primitives.acquire(self, block, timeout)
        if got:
            taken(self, for_ever=block and timeout is None)
        return got

    def enter(self: Any) -> bool:
        got = _primitives.acquire(self, True, None)
        taken(self, for_ever=True)
        return got

    def release(self: Any) -> None:
        if type(self) is not locks[1] or self._semlock._count() == 1:
            self._parallel_lab_holder = None
            tell.held.pop(id(self), None)
            _notes.released(self._parallel_lab_lock, id(self))
        _primitives.release(self)

    def exit_(self: Any, *exception: object) -> None:
        release(self)

    original_get, original_set = semlock.__getstate__, semlock.__setstate__

    def getstate(self: Any) -> Any:
        return original_get(self), getattr(self, "_parallel_lab_made", None)

    def setstate(self: Any, state: Any) -> None:
        if len(state) == 2 and isinstance(state[0], tuple):
            state, self._parallel_lab_made = state
        original_set(self, state)

    semlock.__init__ = init
    semlock._parallel_lab_lock = tell.describe_semaphore
    semlock._make_methods = lambda self: None
    semlock.acquire, semlock.release = acquire, release
    semlock.__enter__, semlock.__exit__ = enter, exit_
    semlock.__getstate__, semlock.__setstate__ = getstate, setstate


class _Held:
    """A held lock of ``multiprocessing``, as ``tell`` wants it."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self._parallel_lab_lock = lock._parallel_lab_lock

    @property
    def holder(self) -> dict[str, Any] | None:
        """Who has it in this process."""
        holder: dict[str, Any] | None = getattr(self._lock, "_parallel_lab_holder", None)
        return holder
