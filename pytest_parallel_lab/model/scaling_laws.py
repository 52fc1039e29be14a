"""Figures and laws of scaling, and their fits to measured times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_parallel_lab.model.errors import BadSetting, ParallelError
from pytest_parallel_lab.model.least_squares import LinearFit, Observed, fit_linear, observe, quotient
from pytest_parallel_lab.model.statistics import Estimate, checked

LAWS = ("amdahl", "gustafson", "usl")
NOT_KNOWN: Mapping[int, float] = {}
"""Of resolutions: rounds are taken to show all that makes times vary."""


class NotEnoughPoints(ParallelError):
    """A law was to be fitted to fewer points than would show whether it holds."""


NotEnoughPoints.__module__ = __name__.partition(".")[0]  # where users import it from


def speed_up(reference_s: float, time_s: float) -> float:
    """How many times faster: T_ref / T(p). A reference of T(1), the parallel program itself, makes it relative."""
    return math.inf if time_s == 0 else reference_s / time_s


def efficiency(speed_up: float, workers: int) -> float:
    """The part of ``workers`` that is put to use: S / p."""
    check_workers(workers)
    return speed_up / workers


def karp_flatt(speed_up: float, workers: int) -> float:
    """The serial fraction that explains a speed-up: e = (1/S - 1/p) / (1 - 1/p).

    It is below 0 where the speed-up is above the number of workers. A fraction that grows with p
    shows overhead that grows, rather than a serial part.

    Raises:
        BadSetting: fewer than 2 workers, for which it means nothing.

    Source: Karp and Flatt, Measuring parallel processor performance, CACM 33 (1990) 539-543.
    """
    check_workers(workers)
    if workers < 2:
        raise BadSetting("the serial fraction compares several workers with one; it has no meaning for 1 worker")
    inverse = math.inf if speed_up == 0 else 1 / speed_up
    return (inverse - 1 / workers) / (1 - 1 / workers)


def throughput(size: float, time_s: float) -> float:
    """Units of work per second."""
    return math.inf if time_s == 0 else size / time_s


def imbalance(busy_s: Sequence[float]) -> float:
    """The longest busy time over the mean one: 1 where all work alike, p where one works alone.

    Args:
        busy_s: shape ``(p,)``, seconds that each worker computed, none below 0.

    Raises:
        BadSetting: no workers, a time that is negative or not finite, or nobody was busy.
    """
    busy = checked(busy_s, "busy times")
    if min(busy) < 0 or max(busy) == 0:
        raise BadSetting(f"busy times {busy}: none may be below 0, and somebody must have been busy")
    return max(busy) / (sum(busy) / len(busy))


def amdahl(workers: float, serial_fraction: float) -> float:
    """Speed-up of a fixed problem: 1 / (s + (1 - s)/p).

    Source: Amdahl, AFIPS Spring Joint Computer Conference (1967) 483-485.
    """
    return 1 / (serial_fraction + (1 - serial_fraction) / workers)


def gustafson(workers: float, serial_fraction: float) -> float:
    """Speed-up of a problem that grows with the workers: s + (1 - s) p.

    Source: Gustafson, Reevaluating Amdahl's law, CACM 31 (1988) 532-533.
    """
    return serial_fraction + (1 - serial_fraction) * workers


def universal_scalability(workers: float, contention: float, coherency: float) -> float:
    """Relative throughput: p / (1 + sigma (p - 1) + kappa p (p - 1)).

    Source: Gunther, Guerrilla Capacity Planning (2007), chapter 4.
    """
    return workers / (1 + contention * (workers - 1) + coherency * workers * (workers - 1))


@dataclass(frozen=True)
class Fit:
    """A law with the parameters that describe measured times best.

    Attributes:
        law: "amdahl", "gustafson" or "usl".
        parameters: by name, each with its interval. Of Amdahl's law: ``serial_fraction`` and ``t1_s``,
            seconds with one worker. Of Gustafson's: ``serial_fraction``. Of the Universal
            Scalability Law: ``contention`` (sigma), ``coherency`` (kappa) and ``t1_s``.
        workers: the worker counts that it rests on.
        misfit: how far the points lie from the law, in units of what their noise explains: about 1
            where the law holds, NaN where each point was measured once. Intervals are widened by it.
        linear: the fit of the linear form.
    """

    law: str
    parameters: Mapping[str, Estimate]
    workers: tuple[int, ...]
    misfit: float
    linear: LinearFit

    def __getitem__(self, parameter: str) -> Estimate:
        """A parameter by its name."""
        return self.parameters[parameter]

    def speed_up(self, workers: int) -> Estimate:
        """Speed-up over one worker that the law gives; of Gustafson's, with the problem grown."""
        check_workers(workers)
        here, one = _row(self.law, workers), _row(self.law, 1)
        return self.linear.ratio(here, one) if self.law == "gustafson" else self.linear.ratio(one, here)

    def time_s(self, workers: int) -> Estimate:
        """Seconds that the law gives; of the USL fitted to weak scaling, for the work of one worker.

        Raises:
            BadSetting: Gustafson's law, which is about speed-up and gives no time.
        """
        check_workers(workers)
        if self.law == "gustafson":
            raise BadSetting("Gustafson's law gives a speed-up, no time; ask for speed_up")
        return self.linear.combination(_row(self.law, workers))

    @property
    def peak_workers(self) -> float:
        """The worker count beyond which more workers are slower; inf where there is none.

        Source: Gunther (2007), equation 4.33: sqrt((1 - sigma) / kappa).
        """
        if self.law != "usl" or self["coherency"].value == 0:
            return math.inf
        return math.sqrt(max(0.0, 1 - self["contention"].value) / self["coherency"].value)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.parameters.items())
        far = f"; the points lie {self.misfit:.1f} times further from the law than their noise explains"
        return f"{self.law}: {told}{far if self.misfit > 2 else ''}"


def fit_amdahl(
    times_s: Mapping[int, Sequence[float]], confidence: float = 0.95, *, resolutions_s: Mapping[int, float] = NOT_KNOWN
) -> Fit:
    """Fit Amdahl's law, ``T(p) = t1 (s + (1 - s)/p)`` with 0 <= s <= 1, to times of strong scaling.

    Args:
        times_s: seconds of every round, by worker count. With one round each, the interval comes
            from how the points scatter about the law, else from every point's own noise.
        confidence: of the intervals.
        resolutions_s: by worker count, by how much times may be too long in all rounds alike; 0 where left out.

    Raises:
        NotEnoughPoints: fewer than 3 worker counts.
        BadSetting: a time that is not finite and positive, or a worker count that is none.

    Source: Amdahl (1967), linear in ``t1 s`` and ``t1 (1 - s)``; least squares as in ``fit_linear``.
    """
    linear = _fit("amdahl", _observe(times_s, "amdahl", resolutions_s), confidence)
    parameters = {"serial_fraction": _serial_fraction(linear), "t1_s": linear.combination((1, 1))}
    return _told("amdahl", parameters, times_s, linear)


def fit_gustafson(
    times_s: Mapping[int, Sequence[float]],
    serial_s: Mapping[int, Sequence[float]],
    confidence: float = 0.95,
    *,
    resolutions_s: Mapping[int, float] = NOT_KNOWN,
    serial_resolutions_s: Mapping[int, float] = NOT_KNOWN,
) -> Fit:
    """Fit Gustafson's law, ``T_ref(p) / T(p) = c (s + (1 - s) p)`` with 0 <= s <= 1, to times of weak scaling.

    The factor c is what the parallel program loses on one worker; s does not depend on it.

    Args:
        times_s: seconds of every round, by worker count p, of the work for p workers.
        serial_s: seconds of the serial reference *on the work for p workers*, for the same counts.
        confidence: of the interval.
        resolutions_s: as of ``fit_amdahl``.
        serial_resolutions_s: the same of the serial times.

    Raises:
        NotEnoughPoints: fewer than 3 worker counts.
        BadSetting: a time that is not finite and positive, or no serial time for a worker count.

    Source: Gustafson (1988), linear in ``c s`` and ``c (1 - s)``; least squares as in ``fit_linear``.
    """
    missing = sorted(set(times_s) - set(serial_s))
    if missing:
        raise BadSetting(f"gustafson: no serial time of the work for {_list(missing)} workers")
    above = _observe({p: serial_s[p] for p in times_s}, "gustafson, serial", serial_resolutions_s)
    observed = {p: quotient(above[p], below) for p, below in _observe(times_s, "gustafson", resolutions_s).items()}
    linear = _fit("gustafson", observed, confidence)
    return _told("gustafson", {"serial_fraction": _serial_fraction(linear)}, times_s, linear)


def fit_usl(
    times_s: Mapping[int, Sequence[float]], confidence: float = 0.95, *, resolutions_s: Mapping[int, float] = NOT_KNOWN
) -> Fit:
    """Fit the Universal Scalability Law, with contention and coherency of at least 0.

    Fitted is ``p T(p) = t1 (1 + sigma (p - 1) + kappa p (p - 1))``, the reciprocal of the law, which is
    linear in ``t1``, ``t1 sigma`` and ``t1 kappa``. Gunther fits ``p/C - 1`` after dividing by a
    measured T(1), and so takes that one time for exact; here it is a parameter like the others.

    Args:
        times_s: seconds of every round for the same work, by worker count; of weak scaling, seconds
            divided by the worker count.
        confidence: of the intervals.
        resolutions_s: as of ``fit_amdahl``.

    Raises:
        NotEnoughPoints: fewer than 4 worker counts.
        BadSetting: a time that is not finite and positive, or a worker count that is none.

    Source: Gunther (2007), chapters 4 and 5; least squares as in ``fit_linear``.
    """
    linear = _fit("usl", _observe(times_s, "usl", resolutions_s), confidence)
    parameters = {
        "contention": linear.ratio((0, 1, 0), (1, 0, 0)),
        "coherency": linear.ratio((0, 0, 1), (1, 0, 0)),
        "t1_s": linear.combination((1, 0, 0)),
    }
    return _told("usl", parameters, times_s, linear)


def points_needed(law: str) -> int:
    """How many distinct worker counts a law is fitted to at least: one more than it has parameters."""
    return len(_row(law, 1)) + 1


def check_workers(workers: object) -> None:
    """Raise BadSetting for anything but a whole number of at least 1."""
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise BadSetting(f"{workers!r} is not a number of workers; give a whole number from 1")


def _row(law: str, workers: int) -> tuple[float, ...]:
    """What the coefficients of the linear form are multiplied with."""
    if law == "amdahl":
        return (1.0, 1 / workers)
    if law == "gustafson":
        return (1.0, float(workers))
    return (1 / workers, (workers - 1) / workers, float(workers - 1))


def _observe(
    times_s: Mapping[int, Sequence[float]], what: str, resolutions_s: Mapping[int, float]
) -> dict[int, Observed]:
    found = {}
    for workers, times in sorted(times_s.items()):
        check_workers(workers)
        samples = checked(times, f"{what}: times with {workers} workers", positive=True)
        found[workers] = observe(samples, resolutions_s.get(workers, 0.0))
    return found


def _fit(law: str, observed: Mapping[int, Observed], confidence: float) -> LinearFit:
    needed = points_needed(law)
    if len(observed) < needed:
        raise NotEnoughPoints(
            f"{law} has {needed - 1} parameters and there are times for {len(observed)} worker counts "
            f"({_list(observed) or 'none'}); measure at least {needed}, or the fit could not be wrong"
        )
    return fit_linear([_row(law, workers) for workers in observed], list(observed.values()), confidence)


def _serial_fraction(linear: LinearFit) -> Estimate:
    """The first of two coefficients as a part of their sum, as uncertain near 1 as near 0."""
    serial, parallel = linear.ratio((1, 0), (1, 1)), linear.ratio((0, 1), (1, 1))
    low, high = min(serial.low, 1 - parallel.high), max(serial.high, 1 - parallel.low)
    return Estimate(serial.value, low, high, serial.confidence).within(0, 1)


def _told(law: str, parameters: dict[str, Estimate], times_s: Mapping[int, object], linear: LinearFit) -> Fit:
    return Fit(law, parameters, tuple(sorted(times_s)), linear.misfit, linear)


def _list(counts: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(counts)))
