"""A scaling curve: measured times over worker counts, and what follows from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from pytest_parallel_lab.model import scaling_laws
from pytest_parallel_lab.model.errors import BadSetting, ParallelError
from pytest_parallel_lab.model.projection import Projection, project
from pytest_parallel_lab.model.scaling_laws import Fit, NotEnoughPoints, check_workers, points_needed
from pytest_parallel_lab.model.statistics import (
    Estimate,
    check_confidence,
    checked,
    median_interval,
    ratio_independent,
    ratio_paired,
)

MODES = {"strong": ("amdahl", "usl"), "weak": ("gustafson", "usl")}
"""Strong: the same work for all worker counts; weak: the same for each worker. With the laws that apply."""


class NoSerialTime(ParallelError):
    """Speed-up was asked of a curve without the serial reference's times."""


class CurveWarning(UserWarning):
    """A curve that was read back may not mean what it seems to."""


for _error in (NoSerialTime, CurveWarning):
    _error.__module__ = __name__.partition(".")[0]  # where users import them from


@dataclass(frozen=True)
class WorkerTimes:
    """Where one worker's time went in one round, in seconds.

    Attributes:
        compute_s: in the implementation's own code.
        communication_s: in operations of MPI, queues or pools that moved data.
        waiting_s: for others.
        startup_s: until it was ready, before the parallel section.
    """

    compute_s: float
    communication_s: float = 0.0
    waiting_s: float = 0.0
    startup_s: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if checked([value], name)[0] < 0:
                raise BadSetting(f"{name} is {value!r}; seconds are at least 0")


@dataclass(frozen=True)
class ScalingPoint:
    """What was measured with one worker count.

    Attributes:
        workers: p.
        times_s: seconds of the parallel section in every round.
        breakdown: by round and worker, where the time went; empty where it was not measured.
        oversubscribed: more workers than usable cores; left out of fits.
        serial_times_s: of weak scaling: seconds of the serial reference on the work of these p workers;
            empty to take p times the reference on the work of one.
    """

    workers: int
    times_s: tuple[float, ...]
    breakdown: tuple[tuple[WorkerTimes, ...], ...] = ()
    oversubscribed: bool = False
    serial_times_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_workers(self.workers)
        for number, workers in enumerate(self.breakdown, 1):
            if len(workers) != self.workers:
                told = f"round {number} of the breakdown has {len(workers)} workers instead of {self.workers}"
                raise BadSetting(f"point with {self.workers} workers: {told}")


@dataclass(frozen=True)
class ScalingCurve:
    """Measured times of one implementation over worker counts.

    Attributes:
        name: of the implementation.
        backend: that it ran on.
        mode: "strong" (the same work for all) or "weak" (the same work for each worker).
        points: by worker count.
        serial_times_s: seconds of the best serial reference in every round; of weak scaling on the
            work of one worker. Empty where there is none.
        size: units of work, for throughput; of weak scaling of one worker.
        unit: what they are.
        machine: facts such as cores, affinity, load, versions, commit.
        interleaved: round i of all points and of the reference was measured in one turn over all of them,
            so that ratios are taken round by round and drift drops out.
        task_times_s: shape ``(rounds, tasks)``: seconds of every task on one worker, for projections.
        confidence: of all intervals.
        test: that measured it: what tells apart curves of one implementation.

    Raises:
        BadSetting: a time that is not finite and positive (the text names point and value), no
            points, or one worker count twice.
    """

    name: str
    backend: str
    mode: str
    points: tuple[ScalingPoint, ...]
    serial_times_s: tuple[float, ...] = ()
    size: float = 1.0
    unit: str = "runs"
    machine: Mapping[str, Any] = field(default_factory=dict)
    interleaved: bool = False
    task_times_s: tuple[tuple[float, ...], ...] = ()
    confidence: float = 0.95
    test: str = ""

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        if self.mode not in MODES:
            raise BadSetting(f"{self}: mode {self.mode!r} is neither 'strong' nor 'weak'")
        if not self.points:
            raise BadSetting(f"{self}: there are no points; measure at least one worker count")
        object.__setattr__(self, "points", tuple(sorted(self.points, key=lambda point: point.workers)))
        counts = self.workers
        twice = next((count for count, after in pairwise(counts) if count == after), None)
        if twice:
            raise BadSetting(f"{self}: there are two points with {twice} workers; join their rounds into one")
        checked([self.size], f"{self}: size", positive=True)
        for point in self.points:
            checked(point.times_s, f"{self}: times with {point.workers} workers", positive=True)
            if point.serial_times_s:
                checked(point.serial_times_s, f"{self}: serial times for {point.workers} workers", positive=True)
        if self.serial_times_s:
            checked(self.serial_times_s, f"{self}: serial times", positive=True)

    def __str__(self) -> str:
        return f"curve {self.name} ({self.backend}, {self.mode})"

    @property
    def workers(self) -> tuple[int, ...]:
        """All worker counts, in order."""
        return tuple(point.workers for point in self.points)

    def point(self, workers: int) -> ScalingPoint:
        """The point with a worker count. Raises BadSetting where it was not measured."""
        for point in self.points:
            if point.workers == workers:
                return point
        raise BadSetting(f"{self}: {workers} workers were not measured, but {', '.join(map(str, self.workers))}")

    def time_s(self, workers: int) -> Estimate:
        """The median time of a round."""
        return median_interval(self.point(workers).times_s, self.confidence).within(0, float("inf"))

    def speed_up(self, workers: int) -> Estimate:
        """T_ref / T(p), against the serial reference on the same work.

        Estimated round by round where rounds are interleaved (``ratio_paired``), else by
        ``ratio_independent``; so it may differ a little from the ratio of the two medians.

        Raises:
            NoSerialTime: there are no times of the reference.
            BadSetting: this worker count was not measured.
        """
        point = self.point(workers)
        return self._ratio(self._serial(point), point.times_s)

    def relative_speed_up(self, workers: int) -> Estimate:
        """T(1) / T(p), against the same parallel program on one worker; of weak scaling p T(1) / T(p).

        Raises:
            BadSetting: one worker, or this count, was not measured.
        """
        times, grown = self.point(workers).times_s, self._grown(workers)
        return self._ratio([one * grown for one in self.point(1).times_s], times)

    def efficiency(self, workers: int) -> Estimate:
        """Speed-up over p. Raises as ``speed_up`` does."""
        return self.speed_up(workers).through(lambda gain: scaling_laws.efficiency(gain, workers))

    def serial_fraction(self, workers: int) -> Estimate:
        """The serial fraction of Karp and Flatt. Raises as ``speed_up`` does, and BadSetting for one worker."""
        return self.speed_up(workers).through(lambda gain: scaling_laws.karp_flatt(gain, workers))

    def throughput(self, workers: int) -> Estimate:
        """Units of work per second. Raises BadSetting where this count was not measured."""
        size = self.size * self._grown(workers)
        return self.time_s(workers).through(lambda time: scaling_laws.throughput(size, time))

    def imbalance(self, workers: int) -> Estimate:
        """The longest computing time over the mean one, the median of the rounds; between 1 and p.

        Raises:
            BadSetting: this count was not measured, or not where its time went, or nobody computed.
        """
        point = self.point(workers)
        if not point.breakdown:
            raise BadSetting(f"{self}: where the time of {workers} workers went was not measured")
        found = [scaling_laws.imbalance([one.compute_s for one in round_]) for round_ in point.breakdown]
        return median_interval(found, self.confidence).within(1.0, float(workers))

    def fit(self, law: str | None = None, *, oversubscribed: bool = False) -> Fit:
        """Fit a law to all points that are not oversubscribed.

        Args:
            law: "amdahl" (strong scaling only), "gustafson" (weak scaling only) or "usl"; by default
                the first that applies.
            oversubscribed: take those points too, as for workers that sleep and need no core.

        Raises:
            NotEnoughPoints: too few points are left.
            NoSerialTime: Gustafson's law without times of the reference.
            BadSetting: a law that does not apply to this kind of scaling.
        """
        law = law or MODES[self.mode][0]
        if law not in MODES[self.mode]:
            raise BadSetting(f"{self}: {law!r} is no law of {self.mode} scaling; fit {' or '.join(MODES[self.mode])}")
        points = [point for point in self.points if oversubscribed or not point.oversubscribed]
        left = len(self.points) - len(points)
        if len(points) < points_needed(law):
            out = f", without the {left} that are oversubscribed" if left else ""
            told = f"{law} needs {points_needed(law)} worker counts and there are {len(points)}{out}"
            raise NotEnoughPoints(f"{self}: {told}; with fewer the fit could not be wrong")
        times = {point.workers: point.times_s for point in points}
        if law == "gustafson":
            serial = {point.workers: self._serial(point) for point in points}
            return scaling_laws.fit_gustafson(times, serial, self.confidence)
        if law == "amdahl":
            return scaling_laws.fit_amdahl(times, self.confidence)
        scaled = {p: [time / self._grown(p) for time in rounds] for p, rounds in times.items()}
        return scaling_laws.fit_usl(scaled, self.confidence)

    def project(self, workers: int, decomposition: str = "block", **options: Any) -> Projection:
        """Project the time on p workers from the measured task times; options as in ``project``.

        Raises:
            BadSetting: no task times were measured.
        """
        if not self.task_times_s:
            raise BadSetting(f"{self}: no task times were measured, and a projection starts from them")
        return project(self.task_times_s, workers, decomposition, **{"confidence": self.confidence, **options})

    def ratio_to(self, baseline: ScalingCurve, workers: int) -> Estimate:
        """By what factor its times are longer than a baseline's. Raises BadSetting where one lacks the count."""
        return ratio_independent(self.point(workers).times_s, baseline.point(workers).times_s, self.confidence)

    def joined(self, points: Iterable[ScalingPoint]) -> ScalingCurve:
        """This curve with more points. Raises BadSetting for a worker count that it has."""
        return replace(self, points=(*self.points, *points))

    def to_json(self) -> dict[str, Any]:
        """Put it into what ``json`` can write, with the version of the format; see ``curve_files``."""
        from pytest_parallel_lab.model.curve_files import to_json

        return to_json(self)

    @staticmethod
    def from_json(data: Any) -> ScalingCurve:
        """Read what ``to_json`` gave. Raises BadSetting for what is none; warns of an older version."""
        from pytest_parallel_lab.model.curve_files import from_json

        return from_json(data)

    @staticmethod
    def load(path: str | os.PathLike[str], **which: Any) -> ScalingCurve:
        """Read the one curve in a file of pytest-benchmark; arguments and errors as of ``load_curve``."""
        from pytest_parallel_lab.model.curve_files import load_curve

        return load_curve(path, **which)

    def _grown(self, workers: int) -> int:
        """How many times the work of one worker there is."""
        return workers if self.mode == "weak" else 1

    def _serial(self, point: ScalingPoint) -> Sequence[float]:
        if point.serial_times_s and self.mode == "weak":
            return point.serial_times_s
        if not self.serial_times_s:
            hint = "give the serial function as reference=, or ask for relative_speed_up"
            raise NoSerialTime(f"{self}: there is no serial time to compare with; {hint}")
        return [time * self._grown(point.workers) for time in self.serial_times_s]

    def _ratio(self, over: Sequence[float], under: Sequence[float]) -> Estimate:
        ratio: Callable[..., Estimate] = ratio_independent
        if self.interleaved and len(over) == len(under):
            ratio = ratio_paired
        return ratio(over, under, self.confidence)
