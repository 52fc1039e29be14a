"""Proxies of managers: a call is one step of the process that makes it, server and all."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.explore.inside.callers import users_site
from pytest_parallel_lab.explore.inside.turns import FREE, TIMED_OUT, Actor, me, native

_READS = frozenset(
    ["get", "keys", "values", "items", "copy", "index", "count", "qsize", "empty", "full", "is_set"]
)  # fmt: skip
_WAITS = frozenset(["wait", "wait_for", "join"])
_NOT_DATA = frozenset(["Lock", "RLock", "Semaphore", "BoundedSemaphore", "Condition", "Event", "Barrier", "Queue"])


def take_turns() -> None:
    """Have calls of proxies be points."""
    from multiprocessing import connection, managers

    call: Callable[..., Any] = managers.BaseProxy._callmethod

    @functools.wraps(call)
    def calling(self: Any, methodname: str, args: Any = (), kwds: Any = None) -> Any:
        actor = me()
        kwargs = kwds or {}
        if actor is None:
            return call(self, methodname, args, kwargs)
        typeid = self._token.typeid
        op = f"{typeid}.{methodname}"
        key = f"manager {self._token.id}"

        def now(*args: Any, **kwargs: Any) -> Any:
            with native():
                result = call(self, methodname, args, kwargs)
            actor.changed(key)
            return result

        site = users_site(sys._getframe(1))
        actor.point(op, at=(site, 0) if site else None)
        if methodname == "acquire" or (methodname in ("get", "put") and "Queue" in typeid):
            return _in_turns(actor, op, key, now, methodname, args, kwargs)
        if methodname in _WAITS:
            return _away(actor, op, now, args, kwargs)
        if actor.records and typeid not in _NOT_DATA:
            reads = methodname in _READS or methodname.startswith(("__get", "__contains", "__len"))
            element = f"[{args[0]!r}]" if args and typeid in ("dict", "DictProxy") else ""
            name = f"Manager.{typeid}{element}"
            actor.note("reads" if reads else "writes", key + element, site, name)
        return now(*args, **kwargs)

    managers.BaseProxy._callmethod = calling  # type: ignore[method-assign]
    for owner, name in (
        (managers.BaseManager, "start"),
        (managers.BaseManager, "connect"),
        (managers.BaseManager, "_create"),
        (managers.BaseManager, "_finalize_manager"),
        (managers.BaseProxy, "__init__"),
        (managers.BaseProxy, "_connect"),
        (managers.BaseProxy, "_incref"),
        (managers.BaseProxy, "_decref"),
        (managers, "dispatch"),
        (connection, "answer_challenge"),
        (connection, "deliver_challenge"),
    ):
        _without_turns(owner, name)


def _without_turns(owner: Any, name: str) -> None:
    """Leave the servers of managers, and talks with them, out: they belong to the turn of the one who asks."""
    given = vars(owner)[name]
    original = given.__func__ if isinstance(given, staticmethod) else given

    @functools.wraps(original)
    def plain(*args: Any, **kwargs: Any) -> Any:
        actor = me()
        if actor is None:
            return original(*args, **kwargs)
        with actor.patient() if name == "start" else contextlib.nullcontext(), native():
            return original(*args, **kwargs)

    setattr(owner, name, staticmethod(plain) if isinstance(given, staticmethod) else plain)


def _in_turns(
    actor: Actor, op: str, key: str, now: Callable[..., Any], method: str, args: Any, kwargs: dict[str, Any]
) -> Any:
    """Try without waiting, again and again, in place of one wait inside the server."""
    import queue

    item = args[:1] if method == "put" else ()
    rest = dict(zip(("block", "timeout"), args[len(item) :]))
    block = kwargs.get("block", kwargs.get("blocking", rest.get("block", True)))
    timeout = kwargs.get("timeout", rest.get("timeout"))
    while True:
        failed: Exception | None = None
        try:
            result = now(*item, False)
            if method != "acquire" or result:
                return result
        except (queue.Empty, queue.Full) as error:
            failed = error
        wait_s = -1.0 if timeout is None or timeout < 0 else timeout
        answer = actor.retry(op, key, wait_s) if block else TIMED_OUT
        if answer == FREE:
            return now(*args, **kwargs)
        if answer == TIMED_OUT:
            if failed is not None:
                raise failed
            return False


def _away(actor: Actor, op: str, now: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    actor.leaves(op)
    try:
        return now(*args, **kwargs)
    finally:
        actor.point("comes back", sleeps=True)
