"""Where the spans of a timeline are drawn, and what every worker did in sum."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_parallel_lab.report.attachments import SPAN_KINDS

WIDTH = 900.0
LANE = 26.0
_LEAST = 0.75  # narrower spans are drawn this wide, or joined with their neighbours
_MOST_NAMED = 240
_HEIGHTS = {"compute": 18.0, "communication": 12.0, "start-up": 8.0, "waiting": 3.0}
"""Kinds differ in height too, for those who do not see colours, and in print."""


@dataclass
class Bar:
    """One rectangle."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    name: str


@dataclass
class Lane:
    """One worker.

    Attributes:
        label: who.
        y: of its middle.
        bars: what it did.
        seconds: by kind.
    """

    label: str
    y: float
    bars: list[Bar] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SPAN_KINDS, 0.0))

    def paths(self) -> dict[str, str]:
        """All bars of each kind as one path of SVG: a third of the text that a rectangle each would take."""
        drawn: dict[str, list[str]] = {}
        for bar in self.bars:
            path = f"M{bar.x:.1f} {bar.y:g}h{bar.width:.1f}v{bar.height:g}h-{bar.width:.1f}z"
            drawn.setdefault(bar.kind, []).append(path)
        return {kind: "".join(parts) for kind, parts in drawn.items()}


@dataclass
class Timeline:
    """A timeline, ready to be drawn.

    Attributes:
        lanes: one per worker, in the order in which they came.
        ticks: of the axis: place and text.
        end_s: how long it is.
        height: of all lanes.
        named: whether bars are few enough to have titles.
    """

    lanes: list[Lane]
    ticks: list[tuple[float, str]]
    end_s: float
    height: float
    named: bool

    @property
    def kinds(self) -> list[str]:
        """Those that occur."""
        return [kind for kind in SPAN_KINDS if any(lane.seconds[kind] for lane in self.lanes)]

    @property
    def imbalance(self) -> float | None:
        """The longest computing time over the mean; None where nobody computed, or only one worker is there."""
        busy = [lane.seconds["compute"] for lane in self.lanes]
        return max(busy) / (sum(busy) / len(busy)) if len(busy) > 1 and sum(busy) > 0 else None


def lay_out(spans: Sequence[Sequence[Any]]) -> Timeline:
    """Lay out spans ``[worker, start_s, end_s, kind, name]``, however many; time runs to the right from the first."""
    begin_s = min((span[1] for span in spans), default=0.0)
    end_s = max((span[2] for span in spans), default=0.0) - begin_s
    scale = WIDTH / end_s if end_s > 0 else 0.0
    lanes: dict[str, Lane] = {}
    for worker, start_s, stop_s, kind, name in sorted(spans, key=lambda span: span[1]):
        lane = lanes.setdefault(worker, Lane(worker, 0.0))
        lane.seconds[kind] += stop_s - start_s
        _add(lane, (start_s - begin_s) * scale, (stop_s - start_s) * scale, kind, name)
    ordered = sorted(lanes.values(), key=lambda lane: _natural(lane.label))
    for number, lane in enumerate(ordered):
        lane.y = (number + 0.5) * LANE
        for bar in lane.bars:
            bar.y = lane.y - bar.height / 2
            bar.width = min(max(bar.width, _LEAST), WIDTH - bar.x)
    count = sum(len(lane.bars) for lane in ordered)
    return Timeline(ordered, list(_ticks(end_s, scale)), end_s, len(ordered) * LANE, count <= _MOST_NAMED)


def _add(lane: Lane, x: float, width: float, kind: str, name: str) -> None:
    """Draw a bar, or lengthen the one before where the two could not be told apart."""
    before = next((bar for bar in reversed(lane.bars[-len(SPAN_KINDS) :]) if bar.kind == kind), None)
    if before is not None and max(width, before.width) < _LEAST and x - (before.x + before.width) < _LEAST:
        before.width = x + width - before.x
        before.name = ""
        return
    lane.bars.append(Bar(x, 0.0, width, _HEIGHTS[kind], kind, name))


def _ticks(end_s: float, scale: float) -> Iterator[tuple[float, str]]:
    """Five or so round numbers."""
    if end_s <= 0:
        return
    rough = end_s / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    unit, factor = next(((u, f) for u, f in (("s", 1.0), ("ms", 1e3)) if step * f >= 0.1), ("µs", 1e6))
    for number in range(int(end_s / step + 1e-9) + 1):
        yield number * step * scale, f"{number * step * factor:g} {unit}"


def _natural(label: str) -> tuple[str, int]:
    """``rank 2`` before ``rank 10``."""
    word, _, number = label.rpartition(" ")
    return (word, int(number)) if number.isdigit() else (label, -1)
