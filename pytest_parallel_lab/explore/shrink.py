"""Making a failing schedule as small as it can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_parallel_lab.model.schedule import Schedule

Fails = Callable[[Schedule], bool]


def shrink(schedule: Schedule, fails: Fails, most_tries: int) -> Schedule:
    """Take turns out of a schedule as long as it fails without them.

    Args:
        schedule: one that fails.
        fails: whether another does; carried out for every try.
        most_tries: how often that may be asked.

    Source: delta debugging (Zeller & Hildebrandt, TSE 2002), reduced to leaving parts out; the
    parts are halved until they are single turns.
    """
    tries = 0
    turns = schedule.turns
    size = max(1, len(turns) // 2)
    while turns:
        smaller = None
        for start in range(0, len(turns), size):
            if tries >= most_tries:
                return replace(schedule, turns=turns)
            tries += 1
            candidate = turns[:start] + turns[start + size :]
            if fails(replace(schedule, turns=candidate)):
                smaller = candidate
                break
        if smaller is not None:
            turns = smaller
            size = min(size, max(1, len(turns) // 2))
        elif size == 1:
            break
        else:
            size //= 2
    return replace(schedule, turns=turns)
