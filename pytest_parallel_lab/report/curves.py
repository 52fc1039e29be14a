"""Scaling curves as they are shown: those of one problem together, as series of points and as rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting, ParallelError
from pytest_parallel_lab.model.scaling_curve import ScalingCurve
from pytest_parallel_lab.model.scaling_laws import speed_up
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report.curve_text import told_fits
from pytest_parallel_lab.report.records import Record, seconds

MEASURES = ("speed-up", "efficiency", "time")
FITTED = {"amdahl": "Amdahl's law", "gustafson": "Gustafson's law", "usl": "Universal Scalability Law", "": ""}
HEADER = ("implementation", "backend", "workers", "time", "speed-up", "efficiency", "serial fraction", "imbalance", "")
_MOST_FITTED = 60


@dataclass(frozen=True)
class Shown:
    """One point of a plot, with its interval; ``low == value == high`` where there is none."""

    workers: int
    value: float
    low: float
    high: float
    within: bool = True


@dataclass
class Series:
    """One curve, as plots show it.

    Attributes:
        name: of the implementation, with its backend.
        curve: what was measured.
        points: by measure.
        fitted: by measure, the law's values.
        law: which.
        told: what fits say, or why there are none.
        relative: whether speed-up is over the parallel program itself on one worker.
    """

    name: str
    curve: ScalingCurve
    points: dict[str, list[Shown]]
    fitted: dict[str, list[Shown]] = field(default_factory=dict)
    law: str = ""
    told: tuple[str, ...] = ()
    relative: bool = False

    @property
    def warnings(self) -> list[str]:
        """What may have spoilt the measurement, as was noted with it."""
        found = self.curve.machine.get("warnings", ())
        return [str(one) for one in found] if isinstance(found, (list, tuple)) else []


@dataclass
class Panel:
    """Curves that are drawn over each other: of one problem, kind of scaling and size."""

    title: str
    series: list[Series]
    mode: str
    nodeids: list[str]

    @property
    def workers(self) -> list[int]:
        """All worker counts."""
        return sorted({p for series in self.series for p in series.curve.workers})

    @property
    def fits(self) -> list[str]:
        """What fits say; with the names of those of which it is true, where it is not true of all."""
        names: dict[str, list[str]] = {}
        for series in self.series:
            for text in series.told:
                names.setdefault(text, []).append(series.name)
        every = len(self.series)
        return [text if len(who) == every > 1 else f"{', '.join(who)}: {text}" for text, who in names.items()]

    @property
    def oversubscribed(self) -> bool:
        """Whether there are points with more workers than cores."""
        return any(point.oversubscribed for series in self.series for point in series.curve.points)

    @property
    def warnings(self) -> list[str]:
        """What may have spoilt the measurements, each once."""
        return list(dict.fromkeys(text for series in self.series for text in series.warnings))

    def ideal(self, measure: str) -> dict[int, float]:
        """What perfect scaling would give, by worker count; empty where there is nothing to start from."""
        if measure != "time":
            return {p: float(p) if measure == "speed-up" else 1.0 for p in self.workers}
        least = [serial for series in self.series if (serial := series.curve.serial_times_s)]
        start = min((_median(serial) for serial in least), default=None)
        if start is None:
            firsts = [series.points["time"][0] for series in self.series]
            start = min(first.value * (1 if self.mode == "weak" else first.workers) for first in firsts)
        return {p: start if self.mode == "weak" else start / p for p in self.workers}


def panels(curves: Iterable[tuple[Record, dict[str, Any]]]) -> list[Panel]:
    """Put curves together that are worth comparing."""
    found: dict[tuple[Any, ...], Panel] = {}
    for record, data in curves:
        curve = ScalingCurve.from_json(data)
        problem = record.problem or curve.name
        key = (problem, curve.mode, curve.size, curve.unit)
        size = "" if (curve.size, curve.unit) == (1.0, "runs") else f", {_size(curve.size)} {curve.unit}"
        each = " for each worker" if size and curve.mode == "weak" else ""
        panel = found.setdefault(key, Panel(f"{problem}: {curve.mode} scaling{size}{each}", [], curve.mode, []))
        panel.series.append(series_of(curve))
        if record.nodeid not in panel.nodeids:
            panel.nodeids.append(record.nodeid)
    return list(found.values())


def series_of(curve: ScalingCurve) -> Series:
    """What is shown of a curve."""
    relative = not _has_serial(curve)
    points: dict[str, list[Shown]] = {measure: [] for measure in MEASURES}
    for point in curve.points:
        for measure in MEASURES:
            estimate = _estimate(curve, measure, point.workers, relative=relative)
            if estimate is not None:
                points[measure].append(_shown(point.workers, estimate, measure, within=not point.oversubscribed))
    series = Series(f"{curve.name} ({curve.backend})", curve, points, told=tuple(told_fits(curve)), relative=relative)
    try:
        fit = curve.fit()
    except ParallelError:
        return series  # which says why
    series.law = fit.law
    start_s = fit.time_s(1).value if relative and fit.law != "gustafson" else 0.0
    for workers in _steps(curve.workers):
        if fit.law == "gustafson":
            gain = fit.linear.combination((1.0, float(workers)))  # the law times what is lost on one worker
        else:
            time = fit.time_s(workers)
            series.fitted.setdefault("time", []).append(_shown(workers, time, "time"))
            gain = time.through(partial(speed_up, start_s if relative else _median(curve.serial_times_s)))
        series.fitted.setdefault("speed-up", []).append(_shown(workers, gain, "speed-up"))
        share = gain.through(partial(_share, workers))
        series.fitted.setdefault("efficiency", []).append(_shown(workers, share, "efficiency"))
    return series


def table_rows(series: Sequence[Series]) -> Iterator[tuple[str, ...]]:
    """The figures of curves as text, one row per point; columns as HEADER."""
    for one in series:
        curve = one.curve
        for point in curve.points:
            gain = _estimate(curve, "speed-up", point.workers, relative=one.relative)
            share = _estimate(curve, "efficiency", point.workers, relative=one.relative)
            fraction = None
            if not one.relative and point.workers > 1:
                fraction = curve.serial_fraction(point.workers)
            notes = ["relative"] if one.relative else []
            notes += ["oversubscribed"] if point.oversubscribed else []
            notes += ["mostly dispatch"] if point.mostly_dispatch else []
            yield (
                curve.name,
                curve.backend,
                str(point.workers),
                _time_text(curve.time_s(point.workers)),
                _text(gain),
                _text(share, percent=True),
                _text(fraction, percent=True),
                _imbalance(curve, point.workers),
                ", ".join(notes),
            )


def _share(workers: int, gain: float) -> float:
    return gain / workers


def _has_serial(curve: ScalingCurve) -> bool:
    return bool(curve.serial_times_s) or (curve.mode == "weak" and all(point.serial_times_s for point in curve.points))


def _estimate(curve: ScalingCurve, measure: str, workers: int, *, relative: bool) -> Estimate | None:
    """A measure at a point; None where one worker, that it is relative to, was not measured."""
    if measure == "time":
        return curve.time_s(workers)
    if relative and 1 not in curve.workers:
        return None
    gain = curve.relative_speed_up(workers) if relative else curve.speed_up(workers)
    return gain if measure == "speed-up" else gain.through(partial(_share, workers))


def _shown(workers: int, estimate: Estimate, measure: str, *, within: bool = True) -> Shown:
    low, high = estimate.low, estimate.high
    if not estimate.has_interval or not math.isfinite(low):
        low = high = estimate.value
    elif not math.isfinite(high):  # an interval without an end is drawn as far as the ideal
        high = max(estimate.value, 1.0 if measure == "efficiency" else float(workers))
    return Shown(workers, estimate.value, low, high, within)


def _steps(counts: Sequence[int]) -> list[int]:
    """Whole numbers from 1 to the largest count: all of them, or some at even ratios."""
    most = max(counts)
    if most <= _MOST_FITTED:
        return list(range(1, most + 1))
    return sorted({round(most ** (i / (_MOST_FITTED - 1))) for i in range(_MOST_FITTED)})


def _text(estimate: Estimate | None, *, percent: bool = False) -> str:
    if estimate is None:
        return ""
    form, factor, unit = (".0f", 100, " %") if percent else (".3g", 1, "")
    value = f"{estimate.value * factor:{form}}{unit}"
    if not estimate.has_interval:
        return value
    return f"{value} [{estimate.low * factor:{form}}, {estimate.high * factor:{form}}]"


def _size(size: float) -> str:
    return f"{size:,.0f}" if size == int(size) and size < 1e15 else f"{size:g}"


def _time_text(estimate: Estimate) -> str:
    value = seconds(estimate.value)
    return f"{value} [{seconds(estimate.low)}, {seconds(estimate.high)}]" if estimate.has_interval else value


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _imbalance(curve: ScalingCurve, workers: int) -> str:
    """Empty where it was not measured, or where nobody computed."""
    try:
        return _text(curve.imbalance(workers))
    except BadSetting:
        return ""
