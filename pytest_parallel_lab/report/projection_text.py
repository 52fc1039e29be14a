"""Projections in lines of text: what a curve's tasks would take on more workers, and what that assumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pytest_parallel_lab.model.projection import Projection
from pytest_parallel_lab.model.scaling_curve import ScalingCurve
from pytest_parallel_lab.model.task_simulation import DECOMPOSITIONS
from pytest_parallel_lab.report.columns import GAP, Column, Look, lay_out, paragraph, told_estimate
from pytest_parallel_lab.report.curve_text import told_confidence, unit_of
from pytest_parallel_lab.scaling.beyond import crowd_of, project_curve, slow_down, waited_s, why_no_projection
from pytest_parallel_lab.scaling.communication import Communication

_SAID_BY_THE_TABLE = ("nothing was run on ", "the decomposition is ")
_SAID_OF_TASKS = "a task takes as long there as alone"


def projection_lines(
    curve: ScalingCurve,
    counts: Sequence[int],
    communication: Communication | None,
    look: Look,
    show: Callable[[str], None] | None = None,
) -> list[str]:
    """The projection of a curve, or why there is none.

    Args:
        curve: as measured.
        counts: worker counts to project to.
        communication: as measured on the same backend, where it was.
        look: of the terminal.
        show: is told what is being simulated.
    """
    asked = ", ".join(map(str, counts))
    if why := why_no_projection(curve):
        return paragraph(f"no projection to {asked} workers: {why}", look.width)
    found = []
    for count in counts:
        for decomposition in DECOMPOSITIONS:
            if show is not None:
                show(f"projection to {count} workers: {decomposition}")
            found.append(project_curve(curve, count, decomposition, communication))
    first = found[0]
    heading = (
        f"projection, not measured: {first.tasks} tasks of {curve.name}, as measured on one worker "
        f"in {first.rounds} rounds, simulated on more"
    )
    lines = [*paragraph(heading, look.width), "", *_table(found, look), ""]
    lines += paragraph(_intervals(found, curve), look.width)
    lines.append("assumed:")
    said = assumptions(found)
    beside = slow_down(curve)
    if beside is not None:
        longer = told_estimate([beside])[0]
        said = [one for one in said if not one.startswith(_SAID_OF_TASKS)]
        told = f"a task takes {longer} times as long as alone, as beside those of {crowd_of(curve)} workers here"
        said.insert(0, told)
    for sentence in (_serial(curve, look), *said):
        lines += [f"- {line}" if i == 0 else line for i, line in enumerate(paragraph(sentence, look.width - 2))]
    if communication is not None:
        for line in str(communication).splitlines():
            lines += paragraph(line, look.width, " " * 4)
    return lines


def assumptions(found: Sequence[Projection]) -> list[str]:
    """What all assume, and then what only some do, with the worker counts or decompositions that do."""
    who: dict[str, list[Projection]] = {}
    for projection in found:
        for sentence in projection.assumptions:
            if not sentence.startswith(_SAID_BY_THE_TABLE):
                who.setdefault(sentence, []).append(projection)
    told = []
    for sentence, theirs in who.items():
        label = _label(theirs, found)
        told.append(f"{label}: {sentence}" if label else sentence)
    return sorted(told, key=lambda text: text not in who)  # what is common to all goes first


def _label(theirs: Sequence[Projection], every: Sequence[Projection]) -> str:
    """Whose assumption it is; "" where it is everybody's."""
    if len(theirs) == len(every):
        return ""
    decompositions = _unique(one.decomposition for one in theirs)
    counts = _unique(one.workers for one in theirs)
    parts = []
    if len(decompositions) < len(_unique(one.decomposition for one in every)):
        parts.append(" and ".join(decompositions))
    if len(counts) < len(_unique(one.workers for one in every)):
        parts.append(f"{', '.join(map(str, counts))} workers")
    return ", ".join(parts)


def _serial(curve: ScalingCurve, look: Look) -> str:
    waited = waited_s(curve)
    factor, unit = unit_of([waited.value], look)
    told = told_estimate([waited], factor)[0]
    return f"what the one worker waited for is serial, but for the master's service: {told} {unit}"


def _table(found: Sequence[Projection], look: Look) -> list[str]:
    factor, unit = unit_of([one.time_s.value for one in found] or [1.0], look)
    # Both say which row it is, so both stand beside each part of a table that does not fit.
    rows = [f"{one.workers:>7}{GAP}{one.decomposition:<8}" for one in found]
    key = Column(f"{'':7}{GAP}decom-  \nworkers{GAP}position", rows)
    columns = [
        Column(f"projected\ntime, {unit}", told_estimate([one.time_s for one in found], factor)),
        Column("projected\nspeed-up", told_estimate([one.speed_up for one in found])),
        Column("effi-\nciency", [f"{one.efficiency.value:.2g}" for one in found]),
        Column("imbal-\nance", [f"{one.imbalance.value:.3g}" for one in found]),
        Column("master\nbusy %", [f"{100 * one.master_share:.0f}" for one in found]),
    ]
    return lay_out(key, columns, look.width)


def _intervals(found: Sequence[Projection], curve: ScalingCurve) -> str:
    if all(one.time_s.has_interval for one in found):
        return f"in brackets the {told_confidence(curve)} interval of one run, by {found[0].replicates} simulated ones"
    return "no intervals, for the reason below"


def _unique(values: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(map(str, values)))
