"""Whether a few times are longer than those before, by their ranks, and how sure so many can be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

from pytest_parallel_lab.model.statistics import EXACT_PRODUCT, mann_whitney_counts

_UNNOTICED = 2  # times as many false alarms: runs of a commit may be a little alike without being noticed


def p_of_longer(now_s: Sequence[float], before_s: Sequence[float]) -> float:
    """How likely times that rank so high among those before are, where all come from the same: one-sided.

    Of several times now it is twice that: they are close in time, and may be alike without having been noticed to be.
    """
    m, n = len(now_s), len(before_s)
    not_longer = sum(one <= other for one in now_s for other in before_s)  # ties count against a loss
    if m * n > EXACT_PRODUCT:
        statistic = NormalDist(m * n / 2, math.sqrt(m * n * (m + n + 1) / 12))
        p_value = statistic.cdf(not_longer + 0.5)
    else:
        p_value = sum(mann_whitney_counts(m, n)[: not_longer + 1]) / math.comb(m + n, m)
    return min(1.0, p_value * (_UNNOTICED if m > 1 else 1))


def surest_p(stretch: int, now: int) -> float:
    """The least p-value that so many runs can have: all of those now took longer than all before."""
    return min(1.0, (_UNNOTICED if now > 1 else 1) / math.comb(stretch + now, now))


def runs_needed(stretch: int, now: int, level: float) -> tuple[int, int]:
    """How many runs would make a p-value of this level possible.

    Args:
        stretch: runs in the stretch, 1 at least.
        now: runs of this commit.
        level: of the test.

    Returns:
        Runs of this commit with this stretch, and the length of a stretch with these runs.
    """
    wanted, long = now, stretch
    while surest_p(stretch, wanted) > level:
        wanted += 1
    while surest_p(long, now) > level:
        long += 1
    return wanted, long
