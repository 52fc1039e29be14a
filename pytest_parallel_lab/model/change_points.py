"""Where a series of figures changes its level: whether it does, by ranks and permutations; where, by medians.

Ranks take no distribution for granted, and an outlier counts for no more than the largest value would. But
they also hide how large a step is beside the noise, and with it where it is: that is told by the values.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.statistics import checked

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEAST = 4
"""So many values at least on both sides of a change."""
LEVEL = 0.01
PERMUTATIONS = 999
_SEED = 2014
_ELEMENTS = 200_000  # of the distances that are computed at once


def change_points(values: Sequence[float], level: float = LEVEL) -> tuple[int, ...]:
    """Find where a series changes.

    Args:
        values: shape ``(n,)``, in the order of time; finite.
        level: how often at most a stretch without a change is divided.

    Returns:
        The indices of the first values after each change; none for a series that is too short.

    Raises:
        BadSetting: a value that is not finite, or a level that the permutations cannot reach.

    Source: Matteson and James, A nonparametric approach for multiple change point analysis of
        multivariate data, JASA 109 (2014) 334-345, as Daly et al., The use of change point detection to
        identify software performance regressions in a continuous integration system, ICPE 2020, use
        it. Here the statistic is of ranks within the stretch, each stretch is tested by itself until none
        can be divided, and it is divided where the values are nearest to two medians (least absolute deviations).
    """
    import numpy as np

    if level < 1 / (PERMUTATIONS + 1):
        raise BadSetting(f"level is {level!r}; {PERMUTATIONS} permutations tell no less than {1 / (PERMUTATIONS + 1)}")
    series = np.array(checked(values, "series")) if len(values) else np.array([])
    found: list[int] = []
    pending = [(0, len(series))]
    while pending:
        start, end = pending.pop()
        if _p_of_change(series[start:end]) <= level:
            place = _place(series[start:end])
            found.append(start + place)
            pending += [(start, start + place), (start + place, end)]
    return tuple(sorted(found))


def _p_of_change(values: NDArray[np.float64]) -> float:
    """How likely it is that values without any order can be divided as well as these."""
    n = len(values)
    if n < 2 * LEAST:
        return 1.0
    largest = float(_divergences(_ranks(values)).max())
    larger = PERMUTATIONS - bisect_left(_maxima_without_change(n), largest - 1e-9)
    return (1 + larger) / (PERMUTATIONS + 1)


def _place(values: NDArray[np.float64]) -> int:
    """Where the values on both sides are nearest to their medians."""
    import numpy as np

    def spread(part: NDArray[np.float64]) -> float:
        return float(np.abs(part - np.median(part)).sum())

    places = range(LEAST, len(values) - LEAST + 1)
    return min(places, key=lambda place: spread(values[:place]) + spread(values[place:]))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 0 on, averaged where values are equal."""
    import numpy as np

    ordered = np.sort(values)
    low, high = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    ranks: NDArray[np.float64] = (low + high - 1) / 2
    return ranks


def _divergences(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energy statistic between what is before and after every place that leaves enough on both sides.

    Args:
        ranks: shape ``(..., n)``.

    Returns:
        Shape ``(..., n - 2 * LEAST + 1)``.
    """
    import numpy as np

    n = ranks.shape[-1]
    distances = np.abs(ranks[..., :, None] - ranks[..., None, :])
    lower = np.tril(distances).sum(axis=-1)  # of each value to those before it
    upper = distances.sum(axis=-1) - lower
    before = np.arange(LEAST, n - LEAST + 1)
    after = n - before
    within_before: Any = np.cumsum(lower, axis=-1)[..., before - 1]
    within_after: Any = np.cumsum(upper[..., ::-1], axis=-1)[..., ::-1][..., before]
    between = lower.sum(axis=-1)[..., None] - within_before - within_after
    pairs = before * after
    means = 2 * between / pairs - _mean(within_before, before) - _mean(within_after, after)
    divergences: NDArray[np.float64] = pairs / n * means
    return divergences


def _mean(total: Any, count: Any) -> Any:
    return total / (count * (count - 1) / 2)


@lru_cache(maxsize=1024)
def _maxima_without_change(n: int) -> tuple[float, ...]:
    """The best divisions of permuted ranks, sorted: as they depend on nothing but their number, they are kept."""
    import numpy as np

    draw = np.random.default_rng([_SEED, n])
    maxima: list[float] = []
    at_once = max(1, _ELEMENTS // n**2)
    while len(maxima) < PERMUTATIONS:
        ranks = np.tile(np.arange(n, dtype=float), (min(at_once, PERMUTATIONS - len(maxima)), 1))
        maxima += _divergences(draw.permuted(ranks, axis=1)).max(axis=-1).tolist()
    return tuple(sorted(maxima))
