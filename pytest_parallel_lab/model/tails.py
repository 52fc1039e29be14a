"""How unlikely a value far above a sample is, where its tail is taken to go on as it is."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.statistics import checked

LEAST = 8
"""So many values at least: half of them make the tail."""


def p_beyond(value: float, sample: Sequence[float]) -> float:
    """How likely a value so large is, if it comes from where the sample does.

    It assumes that beyond the sample's upper half, values fall off exponentially or faster: where
    they are logarithms of times, that times fall off as a power law or faster. What is rare and far away, and not in
    the sample, breaks that assumption.

    Args:
        value: the one in question.
        sample: shape ``(n,)``, n >= 8, finite.

    Raises:
        BadSetting: too few values, or one that is not finite.

    Source: exceedances over a high value as exponential ones (Hill, A simple general approach to inference about
        the tail of a distribution, Ann. Statist. 3, 1975, 1163-1174). One exceedance over the mean of k others is
        then distributed as F with 2 and 2k degrees of freedom, which has a closed form; exact for exponential tails.
    """
    ordered = sorted(checked(sample, "sample"), reverse=True)
    (value,) = checked([value], "value")
    n = len(ordered)
    if n < LEAST:
        raise BadSetting(f"sample: {n} values are too few to tell of a tail; {LEAST} are needed")
    k = n // 2
    bound = ordered[k]
    exceedances = sum(one - bound for one in ordered[:k])
    if value <= ordered[0] or not exceedances:  # what is within the sample, or without a spread, is told by its rank
        return (1 + sum(one >= value for one in ordered)) / (n + 1)
    return (k + 1) / (n + 1) * (1 + (value - bound) / exceedances) ** -k
