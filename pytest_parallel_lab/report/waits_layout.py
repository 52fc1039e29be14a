"""Where the nodes and arrows of a wait-for graph are drawn: one box below the other, arcs beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_BOX = 360.0
_LINE = 18.0
_PADDING = 10.0
_GAP = 30.0
_LANE = 40.0
_CHARACTERS = 46


@dataclass
class Box:
    """One who waits, or is waited for.

    Attributes:
        who: its name.
        lines: what it waits for.
        y: of its top.
        height: of the box.
        in_cycle: whether it is part of the cycle.
    """

    who: str
    lines: list[str]
    y: float
    height: float
    in_cycle: bool

    @property
    def middle(self) -> float:
        """Half way down."""
        return self.y + self.height / 2


@dataclass
class Arrow:
    """From one who waits to the one who could end that.

    Attributes:
        path: of SVG.
        in_cycle: whether it is part of the cycle.
        label: in words.
    """

    path: str
    in_cycle: bool
    label: str


@dataclass
class Graph:
    """A graph, ready to be drawn."""

    boxes: list[Box]
    arrows: list[Arrow]
    left: float
    width: float
    height: float

    @property
    def label(self) -> str:
        """The arrows in words."""
        return "; ".join(arrow.label for arrow in self.arrows) or "no arrows: nobody is known who could end a wait"


def lay_out(waits: Sequence[Mapping[str, Any]]) -> Graph:
    """Lay out waits as in ``findings.deadlock_data``: the cycle on top, in its order; then the others."""
    known = dict.fromkeys(w["who"] for w in waits)
    ends = [_up_to(wait, known) for wait in waits]
    names = list(dict.fromkeys([*known, *(end for end in ends if end)]))
    cycle = [wait["who"] for wait in waits if wait["in_cycle"]]
    boxes: dict[str, Box] = {}
    y = 0.0
    for name in names:
        lines = [line for wait in waits if wait["who"] == name for line in _told(wait)]
        height = 2 * _PADDING + _LINE * (1 + len(lines))
        boxes[name] = Box(name, lines, y, height, name in cycle)
        y += height + _GAP
    arrows = []
    lanes = {"right": 0, "left": 0}
    for wait, name in zip(waits, ends):
        if not name:
            continue
        start, end = boxes[wait["who"]], boxes[name]
        in_cycle = bool(wait["in_cycle"]) and start.in_cycle and end.in_cycle
        path = _path(start, end, names.index(end.who) - names.index(start.who), lanes, in_cycle=in_cycle)
        arrows.append(Arrow(path, in_cycle, f"{start.who} waits for {end.who}"))
    left = lanes["left"] * _LANE + (8 if lanes["left"] else 2)
    right = lanes["right"] * _LANE + (8 if lanes["right"] else 2)
    return Graph(list(boxes.values()), arrows, left, left + _BOX + right, max(0.0, y - _GAP))


def _up_to(wait: Mapping[str, Any], known: Iterable[str]) -> str:
    """Who could end a wait: who has the lock, or whose end is waited for; "" where nobody is known."""
    if wait["held_by"]:
        return str(wait["held_by"])
    return max((name for name in known if wait["what"].startswith(f"the end of {name}")), key=len, default="")


def _told(wait: Mapping[str, Any]) -> list[str]:
    what = wait["does"] or (f"waits for {wait['what']}" if wait["what"] else "waits")
    place = f" at {wait['at']}" if wait["at"] else ""
    doing = f"in {wait['operation']}{place}" if wait["operation"] else place.strip()
    taken = f"which was taken at {wait['taken_at']}" if wait["taken_at"] else ""
    return [line for text in (what, doing, taken) for line in textwrap.wrap(text, _CHARACTERS)]


def _path(start: Box, end: Box, steps: int, lanes: dict[str, int], *, in_cycle: bool) -> str:
    """Straight down to the next box; else around those between, the cycle's on the right."""
    if steps == 1:
        return f"M {_BOX / 2:g} {start.y + start.height:g} V {end.y - 1:g}"
    side = "right" if in_cycle else "left"
    lanes[side] += 1
    reach = lanes[side] * _LANE
    edge, out = (_BOX, _BOX + reach) if in_cycle else (0.0, -reach)
    # Apart where several arrows meet.
    y1 = start.middle + (6 if start is end else 0)
    y2 = end.middle - (6 if start is end else 0)
    return f"M {edge:g} {y1:g} C {out:g} {y1:g} {out:g} {y2:g} {edge:g} {y2:g}"
