"""Tables for a terminal of any width: columns that do not fit go into a further table below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from pytest_parallel_lab.model.statistics import Estimate

GAP = "  "
LEAST_WIDTH = 20


@dataclass(frozen=True)
class Look:
    """What a terminal can show.

    Attributes:
        width: in characters.
        full: fills a bar.
        vague: the part of a bar that is uncertain.
        ideal: where the end of a bar should be.
        micro: the unit's prefix.
    """

    width: int = 80
    full: str = "█"
    vague: str = "▒"
    ideal: str = "│"
    micro: str = "µ"

    @property
    def ascii(self) -> bool:
        """Whether it can show nothing but ASCII."""
        return self.micro.isascii()

    @classmethod
    def of(cls, width: int, encoding: str | None) -> Look:
        """The look for a terminal: with ASCII only, where its encoding has no more."""
        width = max(LEAST_WIDTH, width)
        try:
            (cls.full + cls.vague + cls.ideal + cls.micro).encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return cls(width, "#", "-", "|", "u")
        return cls(width)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        head: may have several lines.
        cells: one for each row.
        left: whether it is aligned to the left.
        drawn: cells that use all of a width, in place of fixed ones.
        least: the width that these need at least.
        most: the width that they use at most.
    """

    head: str
    cells: Sequence[str] = ()
    left: bool = False
    drawn: Callable[[int], Sequence[str]] | None = field(default=None, repr=False)
    least: int = 24
    most: int = 60

    @property
    def width(self) -> int:
        """The width that it needs."""
        heads = max(map(len, self.head.split("\n")))
        return max(heads, self.least) if self.drawn else max([heads, *map(len, self.cells)])


def lay_out(key: Column, columns: Sequence[Column], width: int) -> list[str]:
    """Lay a table out: as many columns beside each other as fit, the others below, each time beside the key."""
    lines: list[str] = []
    row: list[Column] = []
    for column in [*columns, None]:
        needed = sum(one.width + len(GAP) for one in row) + key.width + len(GAP)
        if column is not None and (not row or needed + column.width <= width):
            row.append(column)
            continue
        lines += [""] * bool(lines) + _table([key, *row], width)
        row = [column] if column is not None else []
    return lines


def told_estimate(estimates: Sequence[Estimate | None], factor: float = 1.0) -> list[str]:
    """Cells with values and their intervals, one above the other; "-" for what there is not."""
    parts = []
    for one in estimates:
        if one is None:
            parts.append(("-", ""))
            continue
        decimals = decimals_of(one.value * factor)
        value, *ends = (f"{number * factor:.{decimals}f}" for number in (one.value, one.low, one.high))
        parts.append((value, f" [{', '.join(ends)}]" if one.has_interval else ""))
    values, intervals = (max(len(part[i]) for part in parts) for i in (0, 1))
    return [f"{value:>{values}}{interval:<{intervals}}" for value, interval in parts]


def told_value(values: Sequence[float | None]) -> list[str]:
    """Cells with values of three digits; "-" for what there is not."""
    return ["-" if value is None else f"{value:.{decimals_of(value)}f}" for value in values]


def decimals_of(value: float) -> int:
    """How many decimals make three digits."""
    if not math.isfinite(value) or value == 0:
        return 2
    return min(9, max(0, 2 - math.floor(math.log10(abs(value)))))


def bars(values: Sequence[Estimate | None], ideals: Sequence[float], look: Look) -> Callable[[int], list[str]]:
    """What draws bars beside marks of what would be ideal, all from 0 on and to one scale."""

    def draw(width: int) -> list[str]:
        ends = [one.high if one.has_interval else one.value for one in values if one is not None]
        scale = max([*ideals, *(end for end in ends if math.isfinite(end))])
        shown = [one if one is None else one.within(0, scale) for one in values]  # an interval may have no end
        return [_bar(value, ideal, width / scale, look) for value, ideal in zip(shown, ideals)]

    return draw


def paragraph(text: str, width: int, indent: str = "  ") -> list[str]:
    """Wrap a text; its lines after the first are indented."""
    return wrap(text, width, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _bar(value: Estimate | None, ideal: float, unit: float, look: Look) -> str:
    low = high = 0
    if value is not None:
        ends = (value.low, value.high) if value.has_interval else (value.value, value.value)
        low, high = (max(1, round(end * unit)) for end in ends)
    cells = [*look.full * low, *look.vague * (high - low)]
    place = max(1, round(ideal * unit))
    cells += " " * (place - len(cells))
    cells[place - 1] = look.ideal
    return "".join(cells)


def _table(columns: Sequence[Column], width: int) -> list[str]:
    drawn = [column for column in columns if column.drawn]
    spare = width - sum(column.width + len(GAP) for column in columns) + len(GAP)
    texts = []
    for column in columns:
        room = min(column.most, column.width + spare // max(1, len(drawn))) if column.drawn else column.width
        room = max(room, 1)
        cells = column.drawn(room) if column.drawn else column.cells
        left = column.left or column.drawn is not None
        heads = column.head.split("\n")
        deepest = max(one.head.count("\n") + 1 for one in columns)
        texts.append([_fit(cell, room, left) for cell in [*[""] * (deepest - len(heads)), *heads, *cells]])
    return [GAP.join(cells).rstrip() for cells in zip(*texts)]


def _fit(cell: str, room: int, left: bool) -> str:
    return cell.ljust(room) if left else cell.rjust(room)
