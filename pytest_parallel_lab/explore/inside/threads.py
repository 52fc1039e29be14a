"""Threads that take turns from their first step to their last."""

from __future__ import annotations

import functools
import itertools
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.process import BaseProcess
from typing import Any

from pytest_parallel_lab.explore.inside import opcodes
from pytest_parallel_lab.explore.inside.callers import called_by_user
from pytest_parallel_lab.explore.inside.locks import TurnLock
from pytest_parallel_lab.explore.inside.turns import (
    FREE,
    TIMED_OUT,
    enter,
    leave,
    me,
    native,
    process,
    within,
)
from pytest_parallel_lab.explore.protocol import MINOR

DONE = "done"
_OPERATIONS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (threading.Event, ("set", "clear", "is_set")),
    (threading.Condition, ("notify",)),
    (threading.Semaphore, ("release",)),
    (queue.Queue, ("put", "get", "empty", "full", "qsize", "task_done")),
)


def take_turns() -> None:
    """Have the threads that turn-taking threads start from now on take turns as well."""
    _starts()
    _joins()
    threading._allocate_lock = TurnLock  # type: ignore[attr-defined]
    queue.SimpleQueue = queue._PySimpleQueue  # type: ignore[misc, attr-defined]
    for counted in (threading.Thread, BaseProcess, Future):
        _hash_by_number(counted)
    for cls, names in _OPERATIONS:
        for name in names:
            one_step(cls, name)


def _hash_by_number(cls: Any) -> None:
    """Have sets of these give them in an order that does not depend on their addresses."""
    numbers = itertools.count(1)

    def by_number(self: Any) -> int:
        number = vars(self).get("_parallel_lab_number")
        if number is None:
            number = self._parallel_lab_number = next(numbers)
        return int(number)

    cls.__hash__ = by_number


def one_step(cls: Any, name: str) -> None:
    """Have a method of the library be one point, in place of one for each lock that it takes inside."""
    original = getattr(cls, name)
    op = f"{cls.__name__}.{name}"

    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> Any:
        actor = me()
        if actor is None or actor.within or not called_by_user():
            return original(self, *args, **kwargs)
        actor.point(op)
        with within(actor):
            return original(self, *args, **kwargs)

    setattr(cls, name, step)


def _starts() -> None:
    start = threading.Thread.start
    bootstrap: Callable[[threading.Thread], None] = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]

    def starting(self: Any) -> None:
        actor = me()
        if actor is None:
            start(self)
            return
        self._parallel_lab_label = label = actor.child("t")
        self._parallel_lab_over = False
        process.threads += 1
        with actor.patient(), native():
            start(self)
        actor.expects(label)
        actor.note("starts", label)
        actor.point("goes on after Thread.start", tier=MINOR)

    def run_in_turns(self: Any, rules: Any, run: Callable[[], None]) -> None:
        actor = enter(self._parallel_lab_label, rules)
        actor.point("starts", tier=MINOR)
        try:
            with opcodes.traced(rules):
                run()
        finally:
            self._parallel_lab_over = True
            if me() is not None:
                actor.changed(DONE)
            leave()

    def bootstrapping(self: Any) -> None:
        if getattr(self, "_parallel_lab_label", "") and process.rules is not None:
            self.run = functools.partial(run_in_turns, self, process.rules, self.run)
        bootstrap(self)

    threading.Thread.start = starting  # type: ignore[method-assign]
    threading.Thread._bootstrap_inner = bootstrapping  # type: ignore[attr-defined]


def _joins() -> None:
    join = threading.Thread.join

    def joining(self: Any, timeout: float | None = None) -> None:
        actor = me()
        if actor is not None and hasattr(self, "_parallel_lab_over") and timeout != 0:
            wait_s = -1.0 if timeout is None else max(0.0, timeout)
            answer = actor.point("Thread.join", DONE, lambda: bool(self._parallel_lab_over), wait_s=wait_s)
            if answer == TIMED_OUT:
                return
            if answer != FREE:
                actor.note("joins", self._parallel_lab_label)
                timeout = None
        with native():
            join(self, timeout)

    threading.Thread.join = joining  # type: ignore[method-assign]
