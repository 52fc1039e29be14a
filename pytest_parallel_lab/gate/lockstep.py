"""One test on both sides at once: its measured section runs here and there in turns, a moment each."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_parallel_lab.gate.side import Side
from pytest_parallel_lab.keeper.channel import Message, Parcel

_SAMPLE_S = 0.01
"""Seconds that a turn takes at least: short, as what the machine does meanwhile changes from moment to moment."""
_LEAST_S = 1e-8  # that any call takes
_QUARTILE = 0.25


@dataclass
class Ended:
    """How a test ended on a side.

    Attributes:
        outcome: "passed", "failed" or "skipped".
        text: why, of the others than passed.
    """

    outcome: str
    text: str = ""


class _TestEnded(Exception):
    """A side's test ended where its section was expected to go on."""

    def __init__(self, side: Side, how: Ended) -> None:
        super().__init__(how)
        self.side = side
        self.how = how


@dataclass
class Section:
    """What one section of a test came to, on both sides.

    Attributes:
        kind: "benchmark", or "scaling" for a whole curve.
        facts: what the current version said of it: ``workers``, ``oversubscribed`` and the like.
        values: by side and by what was timed ("" or a worker count, "serial"), seconds.
        memory_bytes: by side, the peak of all processes together; None where it cannot be known.
        answers: by side, what the section returned; None where that cannot be sent.
    """

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    memory_bytes: dict[str, float | None] = field(default_factory=dict)
    answers: dict[str, Parcel | None] = field(default_factory=dict)


@dataclass
class Turn:
    """One test in one launch.

    Attributes:
        sections: that both sides came to.
        ended: by side.
    """

    sections: list[Section]
    ended: dict[str, Ended]


@dataclass(frozen=True)
class Terms:
    """How sections are measured.

    Attributes:
        share_s: seconds for the sections of a test, both sides together.
        cpus: the core for sections that need one only, or none to leave them alone.
        draw: draws the orders.
    """

    share_s: float
    cpus: Sequence[int]
    draw: random.Random


def measure(sides: Sequence[Side], nodeid: str, after: str | None, terms: Terms, *, answers: bool) -> Turn:
    """Have both sides run a test, and every section that it measures in turns.

    Args:
        sides: the two.
        nodeid: of the test.
        after: of the test that comes next; None for the last one.
        terms: how it is measured.
        answers: whether what its sections returned is wanted, too.

    Raises:
        SideLost: a side is gone.
    """
    for side in sides:
        side.send("run", nodeid=nodeid, after=after)
    sections: list[Section] = []
    ended: dict[str, Ended] = {}
    while len(ended) < len(sides):
        kinds: dict[str, str] = {}
        for side in sides:
            if side.name not in ended:
                try:
                    kinds[side.name] = _heard(side).body["kind"]
                except _TestEnded as test:
                    ended[side.name] = test.how
        at_section = [side for side in sides if side.name in kinds]
        section = Section(next(iter(kinds.values()), ""))
        try:
            if len(at_section) == len(sides) and len(set(kinds.values())) == 1:
                _in_turns(sides, section, terms)
                sections.append(section)
        except _TestEnded as test:
            ended[test.side.name] = test.how
            at_section.remove(test.side)
        for side in at_section:
            try:
                _finish(side, section, answers)
            except _TestEnded as test:
                ended[side.name] = test.how
    return Turn(sections, ended)


def _in_turns(sides: Sequence[Side], section: Section, terms: Terms) -> None:
    """Measure a section: A B B A or B A A B, drawn anew for every block, so that drift hits both alike."""
    end_s = time.monotonic() + terms.share_s
    alone, loops = _warm_up(sides, section.kind, terms)
    cores = terms.cpus if alone else []
    samples: dict[str, list[Mapping[str, float]]] = {side.name: [] for side in sides}
    while not samples[sides[0].name] or time.monotonic() < end_s:
        first = terms.draw.sample(sides, len(sides))
        for order in (first, first[::-1]):
            for side in order:
                samples[side.name].append(_go(side, loops, cores)["seconds"])
            if time.monotonic() > end_s:
                break
    for side in sides:
        keys = samples[side.name][0]
        section.values[side.name] = {key: _low_quartile([one[key] for one in samples[side.name]]) for key in keys}


def _warm_up(sides: Sequence[Side], kind: str, terms: Terms) -> tuple[bool, int]:
    """Whether it needs one core only, and how often it runs in a sample."""
    alone, loops = _tried(sides, terms)
    if kind == "benchmark" and loops > 1:  # the first call of all is slower
        alone, loops = _tried(sides, terms)
    return alone, loops if kind == "benchmark" else 1


def _tried(sides: Sequence[Side], terms: Terms) -> tuple[bool, int]:
    samples = [_go(side, 1, [], look=True) for side in terms.draw.sample(sides, len(sides))]
    longest_s = max(sum(sample["seconds"].values()) for sample in samples)
    return all(sample["alone"] for sample in samples), math.ceil(_SAMPLE_S / max(longest_s, _LEAST_S))


def _go(side: Side, loops: int, cpus: Sequence[int], *, look: bool = False) -> dict[str, Any]:
    side.send("go", loops=loops, cpus=list(cpus), look=look)
    return _heard(side).body


def _finish(side: Side, section: Section, answers: bool) -> None:
    """Have a side's test go on, and take in what it says of the section."""
    side.send("done", answer=answers)
    message = _heard(side)
    section.facts = message.body["facts"]
    section.memory_bytes[side.name] = message.body["memory_bytes"]
    section.answers[side.name] = message.parcel


def _heard(side: Side) -> Message:
    message = side.receive()
    if message.kind == "ended":
        raise _TestEnded(side, Ended(message.body["outcome"], message.body["text"]))
    return message


def _low_quartile(samples: Sequence[float]) -> float:
    """What a quarter of the samples stay below: others' work on the machine only ever makes them longer."""
    ordered = sorted(samples)
    return ordered[int(_QUARTILE * (len(ordered) - 1))]
