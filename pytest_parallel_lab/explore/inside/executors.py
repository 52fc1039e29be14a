"""Futures: which of those that are done comes first is a matter of turns, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent import futures
from concurrent.futures import _base, thread
from typing import Any

from pytest_parallel_lab.explore.inside.turns import me
from pytest_parallel_lab.explore.protocol import MINOR


def take_turns() -> None:
    """Have tasks begin in turns, and ``as_completed`` give futures in the order they were done, not of addresses."""
    original = _base.as_completed

    def as_completed(fs: Iterable[Any], timeout: float | None = None) -> Iterator[Any]:
        if me() is None or timeout is not None:
            return original(fs, timeout)
        return _in_order(list(dict.fromkeys(fs)))

    run = thread._WorkItem.run

    def running(self: Any) -> None:
        actor = me()
        if actor is not None:
            actor.point("begins a task", tier=MINOR)
        run(self)

    thread._WorkItem.run = running  # type: ignore[method-assign]
    as_completed.__doc__ = original.__doc__
    futures.as_completed = as_completed
    _base.as_completed = as_completed


def _in_order(pending: list[Any]) -> Iterator[Any]:
    done: list[Any] = []
    order: list[Any] = []
    for future in pending:
        future.add_done_callback(order.append)
    while len(done) < len(pending):
        if len(order) == len(done):
            _base.wait([f for f in pending if f not in done], return_when=_base.FIRST_COMPLETED)
        while len(order) > len(done):
            future = order[len(done)]
            done.append(future)
            yield future
