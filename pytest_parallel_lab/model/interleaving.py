"""The steps of a run as a drawing: one column per worker, one line per step, time runs down."""

from __future__ import annotations

import bisect
import textwrap
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pytest_parallel_lab.model.data_races import Site

_CONTEXT = 3  # steps shown before and after one of interest
_MOST_COLUMNS = 4
_MOST_NAMED = 3  # in a line of folded steps
_MARK = "→ "
_NO_MARK = "  "
_GAP = " "


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        actor: whose it is.
        op: what it does, such as "reads balance".
        at: where.
        source: the line of code there, stripped; empty where it is not known.
    """

    actor: str
    op: str
    at: Site | None = None
    source: str = ""


def draw(steps: Sequence[Step], around: Collection[int], width: int = 100) -> str:
    """Draw the steps of a run.

    Where a line of code takes several steps, as ``x += 1`` does, each also says what it does.

    Args:
        steps: in the order in which they ran.
        around: the indices of the steps to show with those near them; the rest is folded. A step there that
            is the first after a switch is marked, or else the one to which the run then switches. Without
            any, the last steps are shown.
        width: of the longest line, in characters.

    Returns:
        The lines; empty where there are no steps.
    """
    if not steps:
        return ""
    marked = {first for i in around if (first := _first_after_switch(steps, i)) is not None}
    centres = sorted({i for i in around if 0 <= i < len(steps)} | marked) or [len(steps) - 1]
    near = {i for centre in centres for i in range(max(0, centre - _CONTEXT), min(len(steps), centre + _CONTEXT + 1))}
    columns = _columns(steps, centres, near)
    rows = list(_rows(steps, near, columns))
    texts = _texts(steps, [row.start for row in rows if _is_shown(steps, row, columns)])
    wanted = {actor: len(actor) for actor in columns}
    for i, text in texts.items():
        wanted[steps[i].actor] = max(wanted[steps[i].actor], len(_whole(*text)))
    rooms = _shares(wanted, width - len(columns) * len(_MARK) - (len(columns) - 1) * len(_GAP))
    lines = [_line({actor: _NO_MARK + _cut_front(actor, room) for actor, room in rooms.items()}, rooms)]
    for row in rows:
        mark = _MARK if marked.intersection(row) else _NO_MARK
        if row.start in texts:
            actor = steps[row.start].actor
            lines.append(_line({actor: mark + _fit(*texts[row.start], rooms[actor])}, rooms))
        else:
            lines.append(_cut(f"{mark}… {_count([steps[i].actor for i in row])} …", width))
    others = Counter(step.actor for step in steps if step.actor not in columns)
    if others:
        named = ", ".join(f"{actor} ({_number(count)})" for actor, count in others.items())
        lines += textwrap.wrap(f"without a column: {named}", width, subsequent_indent=_NO_MARK)
    return "\n".join(lines)


def _first_after_switch(steps: Sequence[Step], index: int) -> int | None:
    """The first step of another actor at an index or right after it."""
    return next(
        (i for i in (index, index + 1) if 0 < i < len(steps) and steps[i].actor != steps[i - 1].actor),
        None,
    )


def _columns(steps: Sequence[Step], centres: Sequence[int], near: Collection[int]) -> list[str]:
    """Who gets a column: all if they are few, else those who take part nearest to the steps of interest."""
    actors = list(dict.fromkeys(step.actor for step in steps))
    if len(actors) <= _MOST_COLUMNS:
        return actors
    distances: dict[str, int] = {}
    for i in near:
        right = bisect.bisect_left(centres, i)
        distance = min(abs(i - centre) for centre in centres[max(0, right - 1) : right + 1])
        distances[steps[i].actor] = min(distance, distances.get(steps[i].actor, distance))
    nearest = sorted(distances, key=lambda actor: (distances[actor], actors.index(actor)))[:_MOST_COLUMNS]
    return [actor for actor in actors if actor in nearest]


def _rows(steps: Sequence[Step], near: Collection[int], columns: Collection[str]) -> Iterator[range]:
    """Each line's steps: one that is shown, or all that are folded into it."""
    start = 0
    for i, step in enumerate(steps):
        if i in near and step.actor in columns:
            if start < i:
                yield range(start, i)
            yield range(i, i + 1)
            start = i + 1
    if start < len(steps):
        yield range(start, len(steps))


def _is_shown(steps: Sequence[Step], row: range, columns: Collection[str]) -> bool:
    """Whether a row is drawn as a step: a fold of a single one would take as much room."""
    return len(row) == 1 and steps[row.start].actor in columns


def _texts(steps: Sequence[Step], shown: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The place of each step shown, and what to say of it."""
    ops: dict[Site | None, set[str]] = {}
    for i in shown:
        ops.setdefault(steps[i].at, set()).add(steps[i].op)
    return {i: (_place(steps[i].at), _said(steps[i], len(ops[steps[i].at]))) for i in shown}


def _place(at: Site | None) -> str:
    return f"{PurePath(at[0]).name}:{at[1]}" if at else ""


def _said(step: Step, ops_of_line: int) -> str:
    if step.at and step.op and step.source and ops_of_line > 1:
        return f"{step.op}: {step.source}"
    return step.source or step.op


def _shares(wanted: Mapping[str, int], width: int) -> dict[str, int]:
    """Share a width: who wants less than an equal share leaves the rest to the others."""
    rooms: dict[str, int] = {}
    for left, actor in zip(range(len(wanted), 0, -1), sorted(wanted, key=lambda actor: wanted[actor])):
        rooms[actor] = max(1, min(wanted[actor], width // left))
        width -= rooms[actor]
    return {actor: rooms[actor] for actor in wanted}


def _line(cells: Mapping[str, str], rooms: Mapping[str, int]) -> str:
    return _GAP.join(cells.get(actor, "").ljust(len(_MARK) + room) for actor, room in rooms.items()).rstrip()


def _whole(place: str, text: str) -> str:
    return f"{place}  {text}" if place and text else place or text


def _fit(place: str, text: str, room: int) -> str:
    """Fit a step into its column: a long file name gives way first, and the number of the line last."""
    excess = len(_whole(place, text)) - room
    if excess > 0 and place:
        name, _, number = place.rpartition(":")
        kept = max(len(place) - excess, room // 2) - len(number) - 1
        place = f"{_cut(name, kept) if kept > 1 else ''}:{number}"
    return _cut(_whole(place, text), room)


def _count(actors: Sequence[str]) -> str:
    counts = list(Counter(actors).items())
    if len(counts) > _MOST_NAMED:
        return f"{_number(len(actors))} of {len(counts)} workers"
    (first, number), *rest = counts
    return ", ".join([f"{_number(number)} of {first}", *(f"{count} of {actor}" for actor, count in rest)])


def _number(count: int) -> str:
    return f"{count} step{'s' if count != 1 else ''}"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def _cut_front(text: str, room: int) -> str:
    """Keep the end, which tells the workers apart."""
    return text if len(text) <= room else "…" + text[len(text) - room + 1 :]
