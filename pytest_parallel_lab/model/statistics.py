"""Medians and ratios of measured times, with intervals that assume no distribution.

All three intervals are one: between the k-th smallest and the k-th largest of n samples, of their
averages, or of their differences, where k comes from the exact distribution of a rank statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from pytest_parallel_lab.model.errors import BadSetting

EXACT_PAIRS = 60
"""Up to so many pairs the distribution of ranks is counted, beyond it is taken for normal."""
EXACT_PRODUCT = 2500
"""The same for two samples: the product of their sizes."""
MOST_PRODUCT = 25_000_000


@dataclass(frozen=True)
class Estimate:
    """A value and the interval in which the truth lies.

    Attributes:
        value: the estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: how often such an interval covers the truth: the exact coverage where it is
            known, which is at least what was asked for. 1.0 means that there were too few samples
            for an interval: its ends are then the bounds of the quantity itself, as 0 and inf.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    @property
    def has_interval(self) -> bool:
        """Whether there were enough samples to say more than what the quantity could be at all."""
        return self.confidence < 1.0

    @property
    def relative_width(self) -> float:
        """The width of the interval over the value; inf where there is none."""
        if not self.has_interval or not self.value:
            return math.inf
        return (self.high - self.low) / abs(self.value)

    def through(self, monotone: Callable[[float], float]) -> Estimate:
        """The estimate of a monotone function of the quantity, with the same confidence."""
        ends = sorted((monotone(self.low), monotone(self.high)))
        return Estimate(monotone(self.value), ends[0], ends[1], self.confidence)

    def within(self, least: float, most: float) -> Estimate:
        """The same estimate of a quantity that is known to lie between two bounds."""
        value, low, high = (min(max(end, least), most) for end in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.confidence)

    def __float__(self) -> float:
        return self.value

    def __gt__(self, bound: float) -> bool:
        """Whether the value, right or wrong, is above a bound; ``low > bound`` says that it is so for sure."""
        return self.value > bound

    def __ge__(self, bound: float) -> bool:
        return self.value >= bound

    def __lt__(self, bound: float) -> bool:
        return self.value < bound

    def __le__(self, bound: float) -> bool:
        return self.value <= bound

    def __str__(self) -> str:
        if not self.has_interval:
            return f"{self.value:.4g} (too few samples for an interval)"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def median_interval(samples: Sequence[float], confidence: float = 0.95, *, where: str = "samples") -> Estimate:
    """Estimate the median of what the samples were drawn from, whatever its distribution.

    Fewer than 6 samples have no 95 % interval: even the smallest and the largest of 5 miss the
    median with probability 2/2**5. The ends are then -inf and inf, and the confidence is 1.

    Args:
        samples: shape ``(n,)``, n >= 1, finite, independent.
        confidence: the least coverage, between 0 and 1.
        where: names the samples in errors.

    Raises:
        BadSetting: no samples, one that is not finite, or a confidence that is none.

    Source: David and Nagaraja, Order Statistics, 3rd ed. (2003), section 7.1. The coverage is the
        binomial distribution's, exact for continuous distributions, and more with ties.
    """
    ordered = sorted(checked(samples, where))
    n = len(ordered)
    rank, coverage = _rank(_binomial_counts(n), 2**n, confidence)
    return _between(ordered, rank, coverage)


def ratio_paired(numerator: Sequence[float], denominator: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Estimate by what factor one thing takes longer than another, from pairs measured side by side.

    What a pair has in common, such as a slow moment of the machine, drops out. The estimate is the
    Hodges-Lehmann one: the median of the averages of all two log ratios. Fewer than 6 pairs have
    no 95 % interval; its ends are then 0 and inf.

    Args:
        numerator: shape ``(n,)``, positive.
        denominator: shape ``(n,)``, positive; element i was measured with element i of the other.
        confidence: the least coverage, between 0 and 1.

    Raises:
        BadSetting: lengths that differ, no pairs, more than 7000, or a value that is not finite and positive.

    Source: Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed. (2014), 3.2
        and 3.3 (Tukey's interval from Wilcoxon's signed ranks), here of logarithms. It assumes that
        the log ratios are symmetric about their median, as they are when both times vary alike,
        however skew they are. Beyond 60 pairs with the normal approximation.
    """
    import numpy as np

    over, under = np.log(_positive(numerator, "numerator")), np.log(_positive(denominator, "denominator"))
    n = len(over)
    if n != len(under):
        raise BadSetting(f"{n} numerators and {len(under)} denominators are no pairs; use ratio_independent")
    _check_size(n * (n + 1) // 2)
    logs = over - under
    first, second = np.triu_indices(n)
    averages = np.sort((logs[first] + logs[second]) / 2)
    if n <= EXACT_PAIRS:
        rank, coverage = _rank(_signed_rank_counts(n), 2**n, confidence)
    else:
        rank, coverage = _normal_rank(n * (n + 1) / 4, n * (n + 1) * (2 * n + 1) / 24, confidence)
    return _between(averages.tolist(), rank, coverage).through(_exp)


def ratio_independent(numerator: Sequence[float], denominator: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Estimate by what factor one thing takes longer than another, from two samples of their own.

    The estimate is the Hodges-Lehmann one: the median of all differences of logarithms. Where the
    samples are too few for an interval (3 and 3 are, 4 and 4 are not, for 95 %) its ends are 0 and inf.

    Args:
        numerator: shape ``(m,)``, positive.
        denominator: shape ``(n,)``, positive.
        confidence: the least coverage, between 0 and 1.

    Raises:
        BadSetting: an empty sample, too large ones (m * n > 25 million), or a value that is not finite and positive.

    Source: Hollander, Wolfe and Chicken (2014), 4.2 and 4.3 (Moses' interval from the Mann-Whitney
        statistic), here of logarithms. It assumes that both vary alike but for the factor. Beyond
        m * n = 2500 with the normal approximation.
    """
    import numpy as np

    over, under = np.log(_positive(numerator, "numerator")), np.log(_positive(denominator, "denominator"))
    m, n = len(over), len(under)
    _check_size(m * n)
    differences = np.sort(np.subtract.outer(over, under).ravel())
    if m * n <= EXACT_PRODUCT:
        rank, coverage = _rank(mann_whitney_counts(m, n), math.comb(m + n, n), confidence)
    else:
        rank, coverage = _normal_rank(m * n / 2, m * n * (m + n + 1) / 12, confidence)
    return _between(differences.tolist(), rank, coverage).through(_exp)


def checked(samples: Iterable[float], where: str, *, positive: bool = False) -> list[float]:
    """Take samples that are all finite, and all above 0 where times are meant.

    Args:
        samples: any numbers.
        where: names them in the error.
        positive: whether 0 and less mean nothing.

    Raises:
        BadSetting: there are none, or one is not such a number; the text names it.
    """
    found: list[float] = []
    for number, sample in enumerate(samples, 1):
        good = isinstance(sample, (int, float)) or hasattr(sample, "__float__")
        value = float(sample) if good else math.nan
        if not math.isfinite(value) or (positive and value <= 0):
            meant = "a finite number above 0" if positive else "a finite number"
            raise BadSetting(f"{where}: value {number} is {sample!r}; it must be {meant}")
        found.append(value)
    if not found:
        raise BadSetting(f"{where}: there is no value at all; measure at least once")
    return found


def check_confidence(confidence: float) -> None:
    """Raise BadSetting for a confidence that is not between 0 and 1."""
    if not 0 < confidence < 1:
        raise BadSetting(f"confidence is {confidence!r}; it must be above 0 and below 1, such as 0.95")


def _positive(samples: Iterable[float], where: str) -> list[float]:
    return checked(samples, where, positive=True)


def _check_size(pairs: int) -> None:
    if pairs > MOST_PRODUCT:
        raise BadSetting(f"{pairs} pairs of samples are too many; compare medians of groups of samples instead")


def _exp(log: float) -> float:
    try:
        return math.exp(log)
    except OverflowError:
        return math.inf


def _between(ordered: Sequence[float], rank: int, coverage: float) -> Estimate:
    """The median of ordered values, and its interval from the rank-th smallest to the rank-th largest."""
    n = len(ordered)
    value = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    if rank == 0:
        return Estimate(value, -math.inf, math.inf, 1.0)
    return Estimate(value, ordered[rank - 1], ordered[n - rank], coverage)


def _rank(counts: Iterable[int], total: int, confidence: float) -> tuple[int, float]:
    """The largest rank whose interval has the coverage, and that coverage.

    Args:
        counts: of how many of the ``total`` equally likely cases the statistic is 0, 1, 2, …
        total: the number of cases.
        confidence: the least coverage.
    """
    check_confidence(confidence)
    rank, coverage, below = 0, 1.0, 0
    for count in counts:
        below += count
        if 2 * below / total > 1 - confidence:
            break
        rank, coverage = rank + 1, 1 - 2 * below / total
    return rank, coverage


def _normal_rank(mean: float, variance: float, confidence: float) -> tuple[int, float]:
    """The same for a statistic that is nearly normal, with a correction for continuity."""
    check_confidence(confidence)
    statistic = NormalDist(mean, math.sqrt(variance))
    rank = max(0, math.floor(statistic.inv_cdf((1 - confidence) / 2) + 0.5))
    return rank, (1 - 2 * statistic.cdf(rank - 0.5) if rank else 1.0)


def _binomial_counts(n: int) -> Iterator[int]:
    count = 1
    for i in range(n + 1):
        yield count
        count = count * (n - i) // (i + 1)


@lru_cache(maxsize=64)
def _signed_rank_counts(n: int) -> tuple[int, ...]:
    """Of how many of the 2**n choices of signs the ranks of the positive ones add up to 0, 1 and so on."""
    counts = [1] + [0] * (n * (n + 1) // 2)
    for rank in range(1, n + 1):
        for total in range(rank * (rank + 1) // 2, rank - 1, -1):
            counts[total] += counts[total - rank]
    return tuple(counts)


@lru_cache(maxsize=64)
def mann_whitney_counts(m: int, n: int) -> tuple[int, ...]:
    """In how many of the orders of two samples 0, 1, … pairs are inverted: a Gaussian binomial coefficient."""
    if m > n:
        m, n = n, m
    counts = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for j in range(m * n, n + i - 1, -1):
            counts[j] -= counts[j - n - i]
        for j in range(i, m * n + 1):
            counts[j] += counts[j - i]
    return tuple(counts)
