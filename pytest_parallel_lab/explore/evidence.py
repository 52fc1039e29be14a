"""What one run tells by itself: accesses that nothing orders, and random streams drawn from twice."""

from __future__ import annotations

import linecache
from collections.abc import Iterator

from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.model.data_races import Event, find_data_races
from pytest_parallel_lab.model.interleaving import Step, draw

_KINDS = frozenset(["reads", "writes", "takes", "gives", "releases", "acquires", "starts", "ends", "joins"])


def data_races(record: Record) -> tuple[str, ...]:
    """Accesses of shared variables that nothing orders, in words."""
    events = [
        Event(actor, kind, thing, site, name) for actor, kind, thing, site, name in record.events if kind in _KINDS
    ]
    return tuple(race.describe() for race in find_data_races(events))


def same_streams(record: Record) -> tuple[str, ...]:
    """Random streams that several processes have drawn the same numbers from, in words."""
    drawn: dict[tuple[str, str], list[str]] = {}
    for actor, kind, thing, _, name in record.events:
        if kind == "draws":
            actors = drawn.setdefault((name, thing), [])
            actors += [actor] if actor not in actors else []
    return tuple(
        f"{' and '.join(actors)} draw the same numbers from {name}: it has the same state in each"
        for (name, _), actors in drawn.items()
        if len(actors) > 1
    )


def interleaving(record: Record) -> str:
    """Who did what, one column for each worker."""
    steps = []
    for decision in record.decisions:
        source = linecache.getline(decision.site[0], decision.site[1]).strip() if decision.site else ""
        steps.append(Step(decision.chosen, decision.op, decision.site, source))
    return draw(steps, set(_around(record)))


def _around(record: Record) -> Iterator[int]:
    """The steps where a turn was out of order, and where the one who lost it then goes on."""
    chosen = [decision.chosen for decision in record.decisions]
    for step, _ in record.schedule.turns:
        yield step
        if 0 < step < len(chosen) and chosen[step - 1] in chosen[step:]:
            yield chosen.index(chosen[step - 1], step)
