"""Laws that are linear in non-negative coefficients, fitted to medians of measured times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist, median
from typing import TYPE_CHECKING

from pytest_parallel_lab.model.statistics import Estimate, check_confidence

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEAST_NOISE = 1e-12
"""Relative; times that do not vary at all are no reason to divide by 0."""
MISFIT = 3.0
"""From here on an interval rests on how far the law is from the points, no longer on their noise."""


@dataclass(frozen=True)
class Observed:
    """A measured quantity.

    Attributes:
        value: its median.
        variance: of that median; NaN where it was measured once only.
        freedom: degrees of freedom of the variance.
        below: by how much the quantity may be less for reasons that no round shows.
        above: by how much it may be more.
    """

    value: float
    variance: float
    freedom: float
    below: float = 0.0
    above: float = 0.0


def observe(samples: Sequence[float], below: float = 0.0) -> Observed:
    """The median of positive samples, with its variance; and by how much all of them may be too large.

    Source: Price and Bonett, Estimating the variance of the sample median, J. Stat. Comput. Simul.
        68 (2001) 295-305, here of logarithms: times vary in proportion. It is on the safe side:
        for normal noise up to 1.8 times the true variance with 6 samples, 1.2 times with 20.
    """
    value, n = median(samples), len(samples)
    if n == 1:
        return Observed(value, math.nan, 0, below)
    logs = sorted(math.log(sample) for sample in samples)
    rank = max(1, round((n + 1) / 2 - math.sqrt(n)))
    missed = 2 * sum(math.comb(n, i) for i in range(rank)) / 2**n
    deviation = (logs[n - rank] - logs[rank - 1]) / (2 * NormalDist().inv_cdf(1 - missed / 2))
    return Observed(value, (max(deviation, LEAST_NOISE) * value) ** 2, n - 1, below)


def quotient(over: Observed, under: Observed) -> Observed:
    """The ratio of two quantities that were measured independently of one another."""
    value = over.value / under.value
    parts = [one.variance / one.value**2 for one in (over, under)]
    spread = sum(parts)
    freedom = _satterthwaite(parts, [over.freedom, under.freedom]) if spread == spread else 0.0
    least = max(0.0, over.value - over.below) / (under.value + under.above)
    left = under.value - under.below
    most = (over.value + over.above) / left if left > 0 else math.inf
    return Observed(value, spread * value**2, freedom, value - least, most - value)


@dataclass(frozen=True)
class LinearFit:
    """Coefficients c of ``y = rows @ c``.

    Attributes:
        coefficients: shape ``(k,)``, none below 0.
        free: shape ``(k,)``, the same where they may be.
        influence: shape ``(k, m)``: by how much each of the m observations moves each free coefficient.
        variances: shape ``(m,)``, of the observations.
        freedoms: shape ``(m,)``, degrees of freedom of the variances.
        misfit: how far the observations are from the law, in units of what their noise explains:
            about 1 or less where the law holds; NaN where each was measured once.
        confidence: of all intervals.
        below: shape ``(m,)``: by how much each observation may be less for reasons that no round shows, which
            moves the ends of all intervals by as much as it can; empty for not at all.
        above: shape ``(m,)``: by how much each may be more.
    """

    coefficients: tuple[float, ...]
    free: tuple[float, ...]
    influence: tuple[tuple[float, ...], ...]
    variances: tuple[float, ...]
    freedoms: tuple[float, ...]
    misfit: float
    confidence: float
    below: tuple[float, ...] = ()
    above: tuple[float, ...] = ()

    def combination(self, over: Sequence[float]) -> Estimate:
        """The estimate of ``over @ c``, at least 0. Shape of ``over``: ``(k,)``."""
        free, moved = _dot(over, self.free), self._moved(over)
        half = self._quantile(moved) * math.sqrt(self._covariance(moved, moved))
        less, more = self._systematic(moved)
        return self._bounded(_dot(over, self.coefficients), free - half - less, free + half + more)

    def ratio(self, over: Sequence[float], under: Sequence[float]) -> Estimate:
        """The estimate of ``(over @ c) / (under @ c)``, at least 0. Shapes ``(k,)``.

        Source: Fieller, Some problems in interval estimation, J. R. Stat. Soc. B 16 (1954) 175-185. Where
            the denominator may be 0 the ends are 0 and inf.
        """
        a, b, u, v = _dot(over, self.free), _dot(under, self.free), self._moved(over), self._moved(under)
        below = _dot(under, self.coefficients)
        value = _dot(over, self.coefficients) / below if below > 0 else math.inf
        t2 = self._quantile([x - a / b * y for x, y in zip(u, v)]) ** 2 if b else math.inf
        square = b * b - t2 * self._covariance(v, v) if b else 0.0
        if square <= 0 or below <= 0:
            return Estimate(value, 0.0, math.inf, 1.0)
        linear = a * b - t2 * self._covariance(u, v)
        root = math.sqrt(max(0.0, linear**2 - square * (a * a - t2 * self._covariance(u, u))))
        less, more = self._systematic([(x - a / b * y) / b for x, y in zip(u, v)])
        return self._bounded(value, (linear - root) / square - less, (linear + root) / square + more)

    def _bounded(self, value: float, low: float, high: float) -> Estimate:
        """Keep an interval to its meaning: not below 0, around its value, and no narrower for being cut.

        An interval that lies below 0 altogether would be cut to nothing, as if nothing were uncertain.
        """
        high = max(high, value, (high - low) / 2)
        return Estimate(value, max(0.0, min(low, value)), high, self.confidence)

    def _moved(self, over: Sequence[float]) -> list[float]:
        return [_dot(over, column) for column in zip(*self.influence)]

    def _systematic(self, moved: Sequence[float]) -> tuple[float, float]:
        """By how much a quantity may be less and more, as observations may, whatever these have to do with each other.

        Args:
            moved: by how much each observation moves it, shape ``(m,)``.
        """
        bounds = list(zip(moved, self.below, self.above))
        less = sum(by * (below if by > 0 else -above) for by, below, above in bounds if by)
        more = sum(by * (above if by > 0 else -below) for by, below, above in bounds if by)
        return less, more

    def _covariance(self, first: Sequence[float], second: Sequence[float]) -> float:
        scale = max(1.0, self.misfit) ** 2 if self.misfit == self.misfit else 1.0
        return scale * sum(a * b * variance for a, b, variance in zip(first, second, self.variances))

    def _quantile(self, moved: Sequence[float]) -> float:
        degrees = len(self.variances) - len(self.free)
        freedom = _satterthwaite([a * a * v for a, v in zip(moved, self.variances)], self.freedoms)
        if self.misfit != self.misfit:
            freedom = degrees
        elif self.misfit > MISFIT:
            freedom = min(freedom, degrees)
        return student_quantile((1 + self.confidence) / 2, max(1, math.floor(freedom + 1e-9)))


def fit_linear(rows: Sequence[Sequence[float]], observed: Sequence[Observed], confidence: float = 0.95) -> LinearFit:
    """Fit non-negative coefficients by least squares of relative residuals.

    Weights are ``1/y**2``, as noise of times is in proportion. The intervals take every point's own
    noise (they do not assume it to be the same everywhere), widened by the misfit where the points
    lie further from the law than their noise explains (Birge's ratio), and what no round shows. Of that
    only bounds are known, so it counts as much as it can; for the misfit it has the variance of a
    rectangular distribution.

    Args:
        rows: shape ``(m, k)``, m > k.
        observed: m quantities above 0.
        confidence: of the intervals, between 0 and 1.

    Source: Lawson and Hanson, Solving Least Squares Problems (1974), chapter 23, here by trying all
        sets of coefficients that are 0; White, Econometrica 48 (1980) 817-838 for the covariance
        under unequal noise; Satterthwaite, Biometrics 2 (1946) 110-114 for its degrees of freedom;
        JCGM 100:2008 (GUM), 4.3.7, for effects of which bounds are known.
    """
    import numpy as np

    check_confidence(confidence)
    y = np.array([one.value for one in observed])
    scaled = np.asarray(rows, float) / y[:, None]
    m, k = scaled.shape
    size = np.sqrt((scaled**2).sum(0))
    influence = np.linalg.pinv(scaled / size) / size[:, None] / y
    free = influence @ y
    residuals = 1 - scaled @ free
    relative, freedoms, misfit = _noise(residuals, [o.variance / o.value**2 for o in observed], observed, m - k)
    return LinearFit(
        tuple(_non_negative(scaled, size).tolist()),
        tuple(free.tolist()),
        tuple(tuple(row) for row in influence.tolist()),
        tuple((relative * y**2).tolist()),
        tuple(freedoms),
        misfit,
        confidence,
        tuple(one.below for one in observed),
        tuple(one.above for one in observed),
    )


def _noise(
    residuals: Array, own: Sequence[float], observed: Sequence[Observed], degrees: int
) -> tuple[Array, list[float], float]:
    """Relative variances of all observations, their degrees of freedom, and the misfit.

    A quantity that was measured once has the mean variance of the others; where all were, what
    the law leaves over is taken for noise.
    """
    import numpy as np

    relative = np.array(own)
    known = ~np.isnan(relative)
    if not known.any():
        left = max(float((residuals**2).sum()) / degrees, LEAST_NOISE**2)
        return np.full(len(relative), left), [float(degrees)] * len(relative), math.nan
    relative[~known] = relative[known].mean()
    least = min(one.freedom for one in observed if one.freedom)
    freedoms = [float(one.freedom or least) for one in observed]
    unseen = np.array([((one.below + one.above) / one.value) ** 2 / 12 for one in observed])
    return relative, freedoms, math.sqrt(float((residuals**2 / (relative + unseen)).sum()) / degrees)


def _non_negative(scaled: Array, size: Array) -> Array:
    """The best coefficients of which none is below 0."""
    import numpy as np

    m, k = scaled.shape
    best, least = np.zeros(k), math.inf
    for count in range(1, k + 1):
        for chosen in combinations(range(k), count):
            columns = list(chosen)
            part = np.linalg.lstsq(scaled[:, columns] / size[columns], np.ones(m), rcond=None)[0]
            left = float(((scaled[:, columns] / size[columns] @ part - 1) ** 2).sum())
            if (part >= 0).all() and left < least:
                best, least = np.zeros(k), left
                best[columns] = part / size[columns]
    return best


@lru_cache(maxsize=256)
def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t with a whole number of degrees of freedom, at a probability of at least 1/2.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4 for the
        distribution, which is inverted by bisection. Beyond 1000 degrees their 26.7.5.
    """
    if freedom > 1000:
        z, n = NormalDist().inv_cdf(probability), float(freedom)
        first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
        return z + first / n + second / n**2 + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384 / n**3
    low, high = 0.0, 1.0
    while _student(high, freedom) < probability:
        high *= 2
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if _student(middle, freedom) < probability else (low, middle)
    return middle


def _student(t: float, freedom: int) -> float:
    """The probability that Student's t is at most t."""
    angle = math.atan2(t, math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for i in range(2, freedom - 1, 2):
        term *= square * (i / (i + 1) if odd else (i - 1) / i)
        total += term
    if not odd:
        return 0.5 + sine * total / 2
    return 0.5 + (angle + (sine * total if freedom > 1 else 0.0)) / math.pi


def _satterthwaite(parts: Sequence[float], freedoms: Sequence[float]) -> float:
    """Degrees of freedom of a sum of independent estimates of variance."""
    below = sum(part**2 / freedom for part, freedom in zip(parts, freedoms) if part)
    return sum(parts) ** 2 / below if below else max(freedoms)


def _dot(first: Sequence[float], second: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(first, second))
