"""Values and arrays that processes share: every access is a point, and is told for evidence."""

from __future__ import annotations

import ctypes
import functools
import operator
import os
import sys
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.explore.inside.callers import direct
from pytest_parallel_lab.explore.inside.turns import SKIPPED, WEARY, me, within
from pytest_parallel_lab.keeper.watch import procfs


def take_turns() -> None:
    """Patch the classes that ``multiprocessing.Value`` and ``Array`` make."""
    from multiprocessing import sharedctypes

    types: Any = sharedctypes
    made: Callable[[str], property] = types.make_property

    def make_property(name: str) -> property:
        accessor = made(name)
        reads, writes = accessor.fget, accessor.fset
        assert reads is not None
        assert writes is not None
        get, put = operator.attrgetter(name), functools.partial(_set, name)
        return property(_accessing(reads, "reads", name, get), _accessing(writes, "writes", name, put))

    types.make_property = make_property
    types.prop_cache.clear()
    types.Synchronized.value = make_property("value")
    types.SynchronizedString.value = make_property("value")
    types.SynchronizedString.raw = make_property("raw")
    array = types.SynchronizedArray
    array.__getitem__ = _accessing(array.__getitem__, "reads", "item", operator.getitem)
    array.__setitem__ = _accessing(array.__setitem__, "writes", "item", operator.setitem)
    array.__getslice__ = _accessing(array.__getslice__, "reads", "items")
    array.__setslice__ = _accessing(array.__setslice__, "writes", "items")


def _set(name: str, owner: Any, value: Any) -> None:
    setattr(owner, name, value)


def _accessing(
    original: Callable[..., Any], kind: str, part: str, plainly: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Have an access be a point; where it has been one often enough, do it ``plainly``, as fast as can be."""
    op = f"{kind} {part}"

    @functools.wraps(original)
    def access(self: Any, *args: Any) -> Any:
        actor = me()
        if actor is None:
            return original(self, *args)
        at = direct(sys._getframe(1))
        passes = actor.passes_of(op, at)
        semlock = getattr(self._lock, "_semlock", None)
        if passes == SKIPPED and plainly is not None and semlock is not None and semlock.acquire(False):
            try:
                return plainly(self._obj, *args)
            finally:
                semlock.release()
        if passes != SKIPPED:
            sleeps = passes == WEARY
            actor.point(op, _lock_key(self), lambda: _could_lock(self), at=at, sleeps=sleeps, counted=True)
        if actor.records:
            where = f"[{args[0]}]" if part == "item" and args else f".{part}"
            actor.note(kind, f"{_place(self)}{where}", at[0] if at else None, f"{type(self._obj).__name__}{where}")
        with within(actor):
            return original(self, *args)

    return access


def _lock_key(shared: Any) -> str:
    lock = shared._lock
    return str(lock._parallel_lab_lock()["key"]) if hasattr(lock, "_parallel_lab_lock") else ""


def _could_lock(shared: Any) -> bool:
    semlock = getattr(shared._lock, "_semlock", None)
    return semlock is None or semlock._is_mine() or not semlock._is_zero()


def _place(shared: Any) -> str:
    """Where a shared value is: the same in every process."""
    if not hasattr(shared, "_parallel_lab_place"):
        shared._parallel_lab_place = procfs.shared_place(os.getpid(), ctypes.addressof(shared._obj))
    return str(shared._parallel_lab_place)
