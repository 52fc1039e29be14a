"""A scaling curve in lines of text: its figures, a plot of speed-up, the laws fitted to it, and warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import TypeVar

from pytest_parallel_lab.model.curve_fits import MODES
from pytest_parallel_lab.model.errors import ParallelError
from pytest_parallel_lab.model.resolution import time_between
from pytest_parallel_lab.model.scaling_curve import NoSerialTime, ScalingCurve, ScalingPoint
from pytest_parallel_lab.model.scaling_laws import Fit
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report.columns import Column, Look, bars, lay_out, paragraph, told_estimate, told_value

LAWS = {"amdahl": "Amdahl", "gustafson": "Gustafson", "usl": "Universal Scalability Law"}
WARNING = "warning: "
_UNITS = ((1.0, "s"), (1e3, "ms"), (1e6, "{micro}s"), (1e9, "ns"))

Found = TypeVar("Found")


def curve_lines(curve: ScalingCurve, look: Look) -> list[str]:
    """All of a curve.

    Args:
        curve: as measured.
        look: of the terminal.
    """
    lines = [line for text in _heading(curve, look) for line in paragraph(text, look.width)]
    lines += ["", *lay_out(_workers(curve), [*_columns(curve, look)], look.width), ""]
    for text in (*_notes(curve), *told_fits(curve), *warnings_of(curve)):
        lines += paragraph(text, look.width)
    return lines


def curve_line(curve: ScalingCurve) -> str:
    """The curve in one line: what the most workers that had cores gained."""
    point = next((one for one in reversed(curve.points) if not one.oversubscribed), curve.points[-1])
    kind, gain = _speed_up(curve, point.workers)
    parts = [f"{kind} {told_estimate([gain])[0].strip()}"] if gain is not None else []
    parts.append(f"time {told_estimate([curve.time_s(point.workers)])[0].strip()} s")
    warned = len(warnings_of(curve))
    parts += [f"{warned} warning{'s' if warned > 1 else ''}"] if warned else []
    over = " (oversubscribed)" if point.oversubscribed else ""
    return f"{curve.name} ({curve.backend}, {curve.mode}), {told_workers(point.workers)}{over}: {', '.join(parts)}"


def warnings_of(curve: ScalingCurve) -> list[str]:
    """What may have spoilt the measurement, as was noted with it."""
    found = curve.machine.get("warnings", ())
    return [f"{WARNING}{one}" for one in found] if isinstance(found, (list, tuple)) else []


def unit_of(times_s: Sequence[float], look: Look) -> tuple[float, str]:
    """In which unit times are best told, and what to multiply seconds with: the largest one is 1 or more of it."""
    most = max(times_s)
    factor, unit = next((pair for pair in _UNITS if most * pair[0] >= 1), _UNITS[-1] if most else _UNITS[0])
    return factor, unit.format(micro=look.micro)


def told_workers(workers: int) -> str:
    """``1 worker``, ``2 workers``."""
    return f"{workers} worker{'s' if workers > 1 else ''}"


def told_confidence(curve: ScalingCurve) -> str:
    """``95 %``."""
    return f"{curve.confidence * 100:.3g} %"


def _heading(curve: ScalingCurve, look: Look) -> Iterator[str]:
    counts = sorted({len(point.times_s) for point in curve.points})
    rounds = f"{counts[0]} to {counts[-1]} rounds" if len(counts) > 1 else _count(counts[0], "round")
    work = "the same work for each worker" if curve.mode == "weak" else "the same work for all"
    yield f"{curve.name} on {curve.backend}: {curve.mode} scaling ({work}), {rounds}"
    if curve.serial_times_s:
        serial = time_between(curve.serial_times_s, curve.serial_resolution_s, curve.confidence)
        factor, unit = unit_of([serial.value], look)
        name = curve.machine.get("serial")
        of_one = ", the work of one worker" if curve.mode == "weak" else ""
        yield f"best serial time{f' ({name})' if name else ''}{of_one}: {told_estimate([serial], factor)[0]} {unit}"


def _workers(curve: ScalingCurve) -> Column:
    room = 1 if any(point.oversubscribed for point in curve.points) else 0
    marks = ["*" if point.oversubscribed else " " * room for point in curve.points]
    return Column("workers" + " " * room, [f"{point.workers}{mark}" for point, mark in zip(curve.points, marks)])


def _columns(curve: ScalingCurve, look: Look) -> Iterator[Column]:
    counts = curve.workers
    times = [curve.time_s(count) for count in counts]
    factor, unit = unit_of([one.value for one in times], look)
    yield Column(f"time, {unit}", told_estimate(times, factor))
    found = [_speed_up(curve, count) for count in counts]
    gains = [gain for _, gain in found]
    yield Column(found[0][0].replace(" ", "\n"), told_estimate(gains))
    efficiency = [_known(partial(curve.efficiency, count)) for count in counts]
    fraction = [_known(partial(curve.serial_fraction, count)) for count in counts]
    yield Column("effi-\nciency", [_parts(one) for one in efficiency])
    yield Column("serial\nfraction", [_parts(one, 3) for one in fraction])
    if curve.unit != "runs" or curve.size != 1:
        yield Column(f"{curve.unit}\nper s", [f"{curve.throughput(count).value:.3g}" for count in counts])
    yield from _where(curve, look)
    mark = f"speed-up, {look.vague} its interval,\n{look.ideal} ideal"
    yield Column(mark, drawn=bars(gains, [float(count) for count in counts], look))


def _where(curve: ScalingCurve, look: Look) -> Iterator[Column]:
    """Where the time went: of all workers together, in percent of the section."""
    if not any(point.breakdown for point in curve.points):
        return
    imbalances = [_known(partial(curve.imbalance, count)) for count in curve.workers]
    yield Column("imbal-\nance", [_parts(one) for one in imbalances])
    for head, name in (("comp.", "compute_s"), ("comm.", "communication_s"), ("wait", "waiting_s")):
        yield Column(f"{head}\n%", [_share(point, name) for point in curve.points])
    starts = [
        median([one.startup_s for workers in point.breakdown for one in workers]) if point.breakdown else None
        for point in curve.points
    ]
    if any(starts):
        factor, unit = unit_of([start for start in starts if start], look)
        yield Column(f"start,\n{unit}", told_value([None if start is None else start * factor for start in starts]))


def _share(point: ScalingPoint, name: str) -> str:
    every = [one for workers in point.breakdown for one in workers]
    whole = sum(one.compute_s + one.communication_s + one.waiting_s for one in every)
    return f"{100 * sum(getattr(one, name) for one in every) / whole:.0f}" if whole else "-"


def _speed_up(curve: ScalingCurve, workers: int) -> tuple[str, Estimate | None]:
    """The speed-up, or what there is in its place, and what it is called."""
    try:
        return "speed-up", curve.speed_up(workers)
    except NoSerialTime:
        return "relative speed-up", _known(partial(curve.relative_speed_up, workers))


def _parts(one: Estimate | None, decimals: int = 2) -> str:
    """A part of 1, or a factor near it."""
    return "-" if one is None else f"{one.value:.{decimals}f}"


def _unseen(curve: ScalingCurve) -> str:
    """What intervals hold beside the noise."""
    share = max(point.resolution_s / median(point.times_s) for point in curve.points)
    if not share:
        return ""
    return f", with and without dispatch and wake-ups (up to {told_value([100 * min(1.0, share)])[0]} %)"


def _notes(curve: ScalingCurve) -> Iterator[str]:
    fewest = min(len(point.times_s) for point in curve.points)
    if all(curve.time_s(count).has_interval for count in curve.workers):
        yield f"medians, in brackets their {told_confidence(curve)} intervals{_unseen(curve)}"
    else:
        few = _count(fewest, "round")
        yield f"medians; too few for {told_confidence(curve)} intervals: {few}, 6 are enough for 95 %"
    short = [point.workers for point in curve.points if point.mostly_dispatch]
    if short:
        counts = f"{', '.join(map(str, short))} worker{'s' if short[-1] > 1 else ''}"
        yield f"with {counts} the section is so short that dispatch and wake-ups may be most of it"
    if any(point.oversubscribed for point in curve.points):
        cores = curve.machine.get("usable_cores")
        yield f"* oversubscribed: more workers than the {f'{cores} ' if cores else ''}usable cores; not fitted"
    if not curve.serial_times_s and not any(point.serial_times_s for point in curve.points):
        relative = "is relative, to one worker" if 1 in curve.workers else "is not known, nor that over one worker"
        yield f"no serial reference: speed-up {relative}; give reference= for efficiency and serial fraction"
    if len(curve.points) == 1:
        yield "one worker count only: this says nothing about scaling"
    if any(point.breakdown for point in curve.points):
        yield "comp., comm., wait: where the workers' time in the section went; start: before it, not in the times"


def told_fits(curve: ScalingCurve) -> Iterator[str]:
    """What every law that applies says of a curve, or why it was not fitted."""
    for law in MODES[curve.mode]:
        try:
            yield f"{LAWS[law]}: {_told(curve.fit(law))}"
        except ParallelError as error:
            yield f"{LAWS[law]}: not fitted: {str(error).removeprefix(f'{curve}: ')}"


def _told(fit: Fit) -> str:
    names = {"serial_fraction": "serial fraction", "contention": "contention", "coherency": "coherency"}
    parts = [f"{name} {_estimate(fit[key])}" for key, name in names.items() if key in fit.parameters]
    if fit.law == "amdahl" and fit["serial_fraction"].value > 0:
        parts.append(f"speed-up at most {1 / fit['serial_fraction'].value:.3g}")
    if fit.law == "usl" and fit.peak_workers != float("inf"):
        parts.append(f"slower again beyond {told_workers(max(1, round(fit.peak_workers)))}")
    parts.append(f"fitted to {', '.join(map(str, fit.workers))} workers")
    if fit.misfit > 2:
        parts.append(f"but the points lie {fit.misfit:.1f} times further from the law than their noise explains")
    return "; ".join(parts)


def _estimate(one: Estimate) -> str:
    return f"{one.value:.3g} [{one.low:.3g}, {one.high:.3g}]" if one.has_interval else f"{one.value:.3g} (no interval)"


def _known(figure: Callable[[], Found]) -> Found | None:
    """A figure, or None where it has no meaning or was not measured."""
    try:
        return figure()
    except ParallelError:
        return None


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
