"""Clocks of a process in which sleeps and time limits take no time: what was skipped is added."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from pytest_parallel_lab.explore.inside.turns import FREE, me, process

_sleep = time.sleep


def take_turns() -> None:
    """Have sleeping be a turn for the others, and clocks go on as if one had slept."""
    time.sleep = sleep  # type: ignore[assignment]
    for name in ("time", "monotonic", "perf_counter"):
        setattr(time, name, _with_skipped(getattr(time, name)))
    threading._time = queue.time = time.monotonic  # type: ignore[attr-defined]


def sleep(seconds: float, /) -> None:
    """``time.sleep`` that takes no time: it lets others go first."""
    actor = me()
    if actor is None or actor.point("time.sleep", wait_s=seconds, sleeps=True) == FREE:
        _sleep(seconds)
    else:
        process.skipped_s += seconds


def _with_skipped(clock: Callable[[], float]) -> Callable[[], float]:
    def read() -> float:
        return clock() + process.skipped_s

    read.__name__, read.__doc__ = clock.__name__, clock.__doc__
    return read
