"""What rounds cannot show: effects that are alike in all of them, and the bounds within which these lie.

Dispatch and wake-ups are in every measured time. Whether they belong to the time that is meant depends on what
is meant; so what is stated holds the quantity with them and without them, and all in between.

Source: JCGM 200:2012 (VIM), 2.27, definitional uncertainty; JCGM 100:2008 (GUM), 4.3.7, for effects of which
only bounds are known. Bounds are not taken for variances here: ends of intervals are moved by the whole of them, as the
effects of several worker counts are not independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_laws import imbalance
from pytest_parallel_lab.model.statistics import Estimate, checked, median_interval, ratio_independent, ratio_paired

MOSTLY = 0.5
"""From this share of its time on, a section is mostly dispatch."""


def check_resolution(resolution_s: float, where: str) -> None:
    """Raise BadSetting for a resolution that is not finite, or below 0."""
    if checked([resolution_s], where)[0] < 0:
        raise BadSetting(f"{where}: {resolution_s!r}; seconds are at least 0, and 0 where it was not measured")


def resolution_of(empty_s: Sequence[float], confidence: float = 0.95) -> float:
    """What a section without work typically takes, at most: the upper end of its median's interval, in seconds.

    Args:
        empty_s: what such sections took in each round. Of too few for an interval the longest counts.
        confidence: of that interval.
    """
    found = median_interval(empty_s, confidence, where="sections without work")
    return max(0.0, found.high if found.has_interval else max(empty_s))


def is_mostly_dispatch(times_s: Sequence[float], resolution_s: float) -> bool:
    """Whether sections are so short that dispatch and wake-ups may be most of them."""
    return resolution_s >= MOSTLY * median(times_s)


def time_between(times_s: Sequence[float], resolution_s: float, confidence: float) -> Estimate:
    """The median of times, of which up to the resolution is dispatch and wake-ups."""
    found = median_interval(times_s, confidence).within(0, math.inf)
    return Estimate(found.value, max(0.0, found.low - resolution_s), found.high, found.confidence)


def ratio_between(
    over_s: Sequence[float],
    under_s: Sequence[float],
    resolutions_s: tuple[float, float],
    confidence: float,
    *,
    paired: bool,
) -> Estimate:
    """By what factor one thing takes longer than another, if either may have some of its dispatch in it or not.

    It is least where all of it is left out of the first and none out of the second, and the other way round.

    Args:
        over_s: seconds in each round.
        under_s: seconds in each round.
        resolutions_s: of both.
        confidence: of the interval.
        paired: whether round i of both was measured side by side.
    """
    ratio: Callable[..., Estimate] = ratio_paired if paired else ratio_independent
    found = ratio(over_s, under_s, confidence)
    low, high = found.low, found.high
    over_less, under_less = resolutions_s
    if over_less:
        low = ratio(_less(over_s, over_less), under_s, confidence).low if min(over_s) > over_less else 0.0
    if under_less:
        high = ratio(over_s, _less(under_s, under_less), confidence).high if min(under_s) > under_less else math.inf
    return Estimate(found.value, low, high, found.confidence)


def imbalance_between(rounds: Sequence[Sequence[float]], resolution_s: float, confidence: float) -> Estimate:
    """The imbalance, the median of the rounds, if each worker's time may have a wake-up in it or not.

    Args:
        rounds: shape ``(rounds, p)``: seconds that each worker computed.
        resolution_s: by how much each may be less.
        confidence: of the interval.

    Raises:
        BadSetting: as ``imbalance``.
    """
    found = median_interval([imbalance(busy) for busy in rounds], confidence)
    least = median_interval([_least_imbalance(busy, resolution_s) for busy in rounds], confidence)
    most = median_interval([_most_imbalance(busy, resolution_s) for busy in rounds], confidence)
    return Estimate(found.value, least.low, most.high, found.confidence).within(1.0, float(len(rounds[0])))


def _less(times_s: Sequence[float], resolution_s: float) -> list[float]:
    return [time_s - resolution_s for time_s in times_s]


def _least_imbalance(busy_s: Sequence[float], less_s: float) -> float:
    """The longest time without its wake-up; others lose as much as keeps them from being longer, if anything."""
    most = max(busy_s) - less_s
    return imbalance([min(busy, most) for busy in busy_s]) if most > 0 else 1.0


def _most_imbalance(busy_s: Sequence[float], less_s: float) -> float:
    """The longest time as measured, and all others without theirs."""
    most, *others = sorted(busy_s, reverse=True)
    return imbalance([most, *(max(0.0, busy - less_s) for busy in others)])
