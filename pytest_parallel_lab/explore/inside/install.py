"""Making a process able to take turns, before any of the user's code is imported."""

from __future__ import annotations

import functools
from collections.abc import Callable
from multiprocessing import synchronize
from typing import Any

from pytest_parallel_lab.explore.inside import (
    clock,
    executors,
    locks,
    managers,
    pipes,
    processes,
    shared,
    streams,
    threads,
)
from pytest_parallel_lab.explore.inside.recorder import Recorder
from pytest_parallel_lab.explore.inside.turns import me
from pytest_parallel_lab.keeper.agent import install as agent
from pytest_parallel_lab.keeper.agent import locks as traced
from pytest_parallel_lab.keeper.agent import syncs

_done: list[bool] = []


def take_turns_here() -> None:
    """Patch what synchronises and communicates; it acts as ever in threads that take no turns."""
    if _done:
        return
    _done.append(True)
    recorder = Recorder()
    traced.trace(recorder, locks.TurnPrimitives())
    syncs.note_syncs(recorder)
    locks.place_at_once(synchronize.SemLock)
    threads.take_turns()
    clock.take_turns()
    processes.take_turns()
    pipes.take_turns()
    pipes.lock_files()
    shared.take_turns()
    managers.take_turns()
    executors.take_turns()
    _tell_of_streams()
    agent.carried.append(processes.carried)


def _tell_of_streams() -> None:
    """Have a process tell which inherited random streams it has drawn from whenever it sends, and at its end."""
    from multiprocessing import connection, util

    base: Any = connection._ConnectionBase
    for name in ("send", "send_bytes"):
        setattr(base, name, _telling_first(getattr(base, name)))
    end = util._exit_function  # type: ignore[attr-defined]

    def ending(*args: Any, **kwargs: Any) -> None:
        streams.tell()
        end(*args, **kwargs)
        actor = me()
        if actor is not None:
            actor.tell_rest()

    util._exit_function = ending  # type: ignore[attr-defined]


def _telling_first(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def telling(*args: Any, **kwargs: Any) -> Any:
        streams.tell()
        return original(*args, **kwargs)

    return telling
