"""A scaling curve: measured times over worker counts, and what follows from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from pytest_parallel_lab.model import scaling_laws
from pytest_parallel_lab.model.curve_fits import MODES, fit_curve
from pytest_parallel_lab.model.errors import BadSetting, ParallelError
from pytest_parallel_lab.model.projection import Projection, project
from pytest_parallel_lab.model.resolution import (
    check_resolution,
    imbalance_between,
    is_mostly_dispatch,
    ratio_between,
    time_between,
)
from pytest_parallel_lab.model.scaling_laws import Fit, check_workers
from pytest_parallel_lab.model.statistics import Estimate, check_confidence, checked, ratio_independent


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
        resolution_s: seconds that dispatch and wake-ups may take of each time, the same in all rounds, which
            therefore cannot show them; 0 where that was not measured.
    """

    workers: int
    times_s: tuple[float, ...]
    breakdown: tuple[tuple[WorkerTimes, ...], ...] = ()
    oversubscribed: bool = False
    serial_times_s: tuple[float, ...] = ()
    resolution_s: float = 0.0

    def __post_init__(self) -> None:
        check_workers(self.workers)
        check_resolution(self.resolution_s, f"point with {self.workers} workers: resolution_s")
        for number, workers in enumerate(self.breakdown, 1):
            if len(workers) != self.workers:
                told = f"round {number} of the breakdown has {len(workers)} workers instead of {self.workers}"
                raise BadSetting(f"point with {self.workers} workers: {told}")

    @property
    def mostly_dispatch(self) -> bool:
        """Whether its section is so short that dispatch and wake-ups may be most of it."""
        return is_mostly_dispatch(self.times_s, self.resolution_s)


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
        serial_resolution_s: of the reference's times, as ``ScalingPoint.resolution_s``.

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
    serial_resolution_s: float = 0.0

    def __post_init__(self) -> None:
        check_resolution(self.serial_resolution_s, f"{self}: serial_resolution_s")
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
        point = self.point(workers)
        return time_between(point.times_s, point.resolution_s, self.confidence)

    def speed_up(self, workers: int) -> Estimate:
        """T_ref / T(p), against the serial reference on the same work.

        Estimated round by round where rounds are interleaved (``ratio_paired``), else by
        ``ratio_independent``; so it may differ a little from the ratio of the two medians.

        Raises:
            NoSerialTime: there are no times of the reference.
            BadSetting: this worker count was not measured.
        """
        point = self.point(workers)
        return self._ratio(self.serial_of(point), self.serial_resolution_of(point), point)

    def relative_speed_up(self, workers: int) -> Estimate:
        """T(1) / T(p), against the same parallel program on one worker; of weak scaling p T(1) / T(p).

        Raises:
            BadSetting: one worker, or this count, was not measured.
        """
        one, grown = self.point(1), self.grown(workers)
        return self._ratio([time * grown for time in one.times_s], one.resolution_s * grown, self.point(workers))

    def efficiency(self, workers: int) -> Estimate:
        """Speed-up over p. Raises as ``speed_up`` does."""
        return self.speed_up(workers).through(lambda gain: scaling_laws.efficiency(gain, workers))

    def serial_fraction(self, workers: int) -> Estimate:
        """The serial fraction of Karp and Flatt. Raises as ``speed_up`` does, and BadSetting for one worker."""
        return self.speed_up(workers).through(lambda gain: scaling_laws.karp_flatt(gain, workers))

    def throughput(self, workers: int) -> Estimate:
        """Units of work per second. Raises BadSetting where this count was not measured."""
        size = self.size * self.grown(workers)
        return self.time_s(workers).through(lambda time: scaling_laws.throughput(size, time))

    def imbalance(self, workers: int) -> Estimate:
        """The longest computing time over the mean one, the median of the rounds; between 1 and p.

        Raises:
            BadSetting: this count was not measured, or not where its time went, or nobody computed.
        """
        point = self.point(workers)
        if not point.breakdown:
            raise BadSetting(f"{self}: where the time of {workers} workers went was not measured")
        busy_s = [[one.compute_s for one in round_] for round_ in point.breakdown]
        return imbalance_between(busy_s, point.resolution_s, self.confidence)

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
        return fit_curve(self, law, oversubscribed=oversubscribed)

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

    def grown(self, workers: int) -> int:
        """How many times the work of one worker there is."""
        return workers if self.mode == "weak" else 1

    def serial_of(self, point: ScalingPoint) -> Sequence[float]:
        """The reference's times on the work of a point. Raises NoSerialTime without any."""
        if point.serial_times_s and self.mode == "weak":
            return point.serial_times_s
        if not self.serial_times_s:
            hint = "give the serial function as reference=, or ask for relative_speed_up"
            raise NoSerialTime(f"{self}: there is no serial time to compare with; {hint}")
        return [time * self.grown(point.workers) for time in self.serial_times_s]

    def serial_resolution_of(self, point: ScalingPoint) -> float:
        """The resolution of those."""
        own = bool(point.serial_times_s) and self.mode == "weak"
        return self.serial_resolution_s * (1 if own else self.grown(point.workers))

    def _ratio(self, over_s: Sequence[float], resolution_s: float, point: ScalingPoint) -> Estimate:
        paired = self.interleaved and len(over_s) == len(point.times_s)
        return ratio_between(over_s, point.times_s, (resolution_s, point.resolution_s), self.confidence, paired=paired)
