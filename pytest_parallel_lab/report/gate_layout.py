"""Where the losses of a gate are drawn: a forest plot, one line for each reading."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_parallel_lab.model.gate import REGRESSED, UNDECIDED
from pytest_parallel_lab.report.gate_rows import Row

WIDTH = 560.0
LANE = 24.0
MOST_LANES = 60
_LEAST, _MOST = 0.5, 2.0
"""Losses beyond these factors are drawn at the edge, with an arrow: one wide interval must not squeeze all others."""
_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOST_TICKS = 9
_SHAPES = {
    REGRESSED: "M {x:.1f} {y:g} m -5 -5 h 10 v 10 h -10 z",
    UNDECIDED: "M {x:.1f} {y:g} m 0 -6.5 l 6.5 6.5 l -6.5 6.5 l -6.5 -6.5 z",
}
_OTHER_SHAPE = "M {x:.1f} {y:g} m -5 0 a 5 5 0 1 0 10 0 a 5 5 0 1 0 -10 0"


@dataclass(frozen=True)
class Lane:
    """One reading.

    Attributes:
        label: the test and what was read of it.
        verdict: regressed, undecided or passed.
        y: of its middle.
        bar: the path of its interval, with an arrow at an end that lies outside.
        mark: the path of its estimate: a square, a diamond or a disc, for those who do not see colours.
        threshold: the path of the line at what would fail it.
    """

    label: str
    verdict: str
    y: float
    bar: str
    mark: str
    threshold: str


@dataclass(frozen=True)
class Forest:
    """A forest plot, ready to be drawn.

    Attributes:
        lanes: from the top.
        height: of all lanes.
        ticks: x and text.
        same: x of the line where both versions are alike.
        left_out: how many readings are in the table only.
    """

    lanes: Sequence[Lane]
    height: float
    ticks: Sequence[tuple[float, str]]
    same: float
    left_out: int


def lay_out(rows: Sequence[Row]) -> Forest:
    """Lay out the readings that have an estimate, in the order of the rows."""
    found = [(row, row.reading, row.reading.loss) for row in rows if row.reading and row.reading.loss]
    drawn = found[:MOST_LANES]
    ends = [1.0]
    for _, one, loss in drawn:
        ends += [1 + one.threshold, loss.value, *((loss.low, loss.high) if loss.has_interval else ())]
    inside = [min(max(end, _LEAST), _MOST) for end in ends]
    step, first, last = _axis(min(inside), max(inside))
    low, high = first * step, last * step

    def place(factor: float) -> float:
        return WIDTH * (min(max(factor - 1, low), high) - low) / (high - low)

    lanes = []
    for number, (row, one, loss) in enumerate(drawn):
        y = LANE * (number + 0.5)
        bar = ""
        if loss.has_interval:
            bar = f"M {place(loss.low):.1f} {y:g} H {place(loss.high):.1f}"
            bar += f" M {place(loss.low) + 6:.1f} {y - 4:g} l -6 4 l 6 4" if loss.low - 1 < low else ""
            bar += f" M {place(loss.high) - 6:.1f} {y - 4:g} l 6 4 l -6 4" if loss.high - 1 > high else ""
        mark = shape(row.verdict, place(loss.value), y)
        threshold = f"M {place(1 + one.threshold):.1f} {y - LANE / 2:g} v {LANE:g}"
        name = row.test.nodeid.partition("::")[2] or row.test.nodeid
        what = f" {row.what}" if row.what != "time" else ""
        lanes.append(Lane(f"{_cut(name, 44 - len(what))}{what}", row.verdict, y, bar, mark, threshold))
    ticks = [(place(1 + number * step), _percent(number * step)) for number in range(first, last + 1)]
    return Forest(lanes, LANE * len(lanes), ticks, place(1.0), len(found) - len(drawn))


def shape(verdict: str, x: float, y: float) -> str:
    """The path of the mark for a verdict."""
    return _SHAPES.get(verdict, _OTHER_SHAPE).format(x=x, y=y)


def _axis(low: float, high: float) -> tuple[float, int, int]:
    """A step, and its multiples that hold all factors between them, counted from 1 on."""
    for step in _STEPS:
        first, last = math.floor((low - 1) / step), math.ceil((high - 1) / step)
        if last - first < _MOST_TICKS:
            break
    return step, first, max(last, first + 1)


def _percent(change: float) -> str:
    return f"{100 * change:+.3g} %" if abs(change) > 1e-9 else "0"


def _cut(name: str, most: int) -> str:
    if len(name) <= most:
        return name
    end = most // 2
    return f"{name[: most - end - 1]}…{name[len(name) - end :]}"
