"""From what an exploration has found to the exception that says so."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace
from typing import Any

from pytest_parallel_lab.explore.endings import unpack
from pytest_parallel_lab.keeper.agent.sites import is_ours
from pytest_parallel_lab.model.errors import (
    Deadlock,
    Mismatch,
    NumericalNondeterminism,
    NumericalNondeterminismWarning,
    ParallelError,
    Race,
    SameStream,
    TimedOut,
)
from pytest_parallel_lab.model.exploration import STRAYED, Exploration, Failure, describe, distribution, replay_command
from pytest_parallel_lab.model.schedule import FREELY


def check(found: Exploration, name: str, where: str, numerical: str) -> None:
    """Raise what has been found, if anything has.

    Args:
        found: by the exploration.
        name: of the function.
        where: what to call it in the command that replays.
        numerical: what a difference within the tolerance is: warn, allow or fail.

    Raises:
        Race, Deadlock, TimedOut, SameStream, NumericalNondeterminism, Mismatch: see ``exploring.explore``.
        Exception: what the function raises under every schedule.
    """
    __tracebackhide__ = True
    if found.same_streams:
        remedy = "Give each worker a stream of its own, as of numpy.random.SeedSequence(seed).spawn(workers)"
        told = [f"{name}: several workers draw the same numbers", *found.same_streams, remedy]
        raise SameStream("\n".join(told), found)
    if found.failure is None and found.outside == STRAYED:
        raise ParallelError(
            f"{name}: the schedule cannot be followed: {STRAYED}. It was told of another program, or of another "
            "version of this one or of Python; explore again, without --parallel-replay"
        )
    if found.failure is not None:
        _raise_failure(found, found.failure, name, where)
    if found.numerical is not None and numerical != "allow":
        text = (
            f"{name}: numerical nondeterminism: the last bits of the result depend on who goes when, as in a sum in "
            f"the order in which its terms come: {distribution(found.outcomes)}\n"
            f"see it: {replay_command(found.numerical, where)}"
        )
        if numerical == "fail":
            raise NumericalNondeterminism(text, found)
        warnings.warn(text, NumericalNondeterminismWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """How far up the caller outside of this package is, for a warning to name the place."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and is_ours(frame):
        level, frame = level + 1, frame.f_back
    return level


def _raise_failure(found: Exploration, failure: Failure, name: str, where: str) -> None:
    __tracebackhide__ = True
    if failure.verdict is not None:
        turns = len(failure.schedule.turns)
        what = {
            "": f"{turns} turn{'s' * (turns != 1)} out of order",
            FREELY: "a free run, in which nobody is told when to go",
        }.get(failure.schedule.free, f"random {failure.schedule.free}")
        verdict = failure.verdict
        if not failure.always:
            drawn = f"\n\n{failure.interleaving.rstrip()}" if failure.interleaving else ""
            free = failure.schedule.free == FREELY
            again = "" if free else replay_command(failure.schedule, where) + drawn
            verdict = replace(verdict, after=what, again=again)
        stuck = (Deadlock if verdict.proved else TimedOut)(verdict)
        stuck.replay = str(failure.schedule)
        raise stuck
    if not failure.always:
        raise Race(f"{name}: {describe(found, where)}", found)
    tried = f"in all of the {found.runs} runs, under different schedules: it is no matter of timing"
    if failure.exception:
        error: Any = None
        try:
            error = unpack(failure.exception)
        except Exception as reason:
            raise ParallelError(f"{name} raised {failure.outcome}, {tried}\n{failure.traceback}") from reason
        raise error from ParallelError(f"{name} raised this {tried}\n{failure.traceback}")
    if failure.traceback:
        raise ParallelError(f"{name} raised {failure.outcome}, {tried}\n{failure.traceback}")
    printed = f"\nIt printed:\n{failure.printed.rstrip()}" if failure.printed else ""
    if failure.kind == "died":
        raise ParallelError(f"{name}: {failure.outcome}, {tried}{printed}")
    raise Mismatch(f"{name} gave {failure.outcome}, {failure.expected}, {tried}{printed}")
