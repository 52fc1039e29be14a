"""When a gate has seen enough, and what it has seen then.

Several looks at the same growing data, and several tests, would each add their own chance of a false
alarm. Both are paid for: the looks by a share of the allowed rate each (Bonferroni, most of it for the
last look, which most losses need), the tests of a look by Holm's procedure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from pytest_parallel_lab.model.gate import PASSED, REGRESSED, UNDECIDED, Reading
from pytest_parallel_lab.model.statistics import EXACT_PAIRS, ratio_paired

LOOKS_AT = (8, 12, 16, 20)
"""After so many launches it is looked whether all is decided, and once more at the end."""
_LOOKS = len(LOOKS_AT) + 1
_EARLY_SHARE = 0.05
"""Of the false alarms, for every look but the last."""
CONFIDENCE = 0.95
"""Of an interval at whichever look: each look has a fifth of what is allowed to go wrong."""


@dataclass(frozen=True)
class Rule:
    """How a gate decides.

    Attributes:
        false_alarms: how often at most a run without any loss may fail, whatever its number of readings.
    """

    false_alarms: float = 0.01

    @property
    def method(self) -> str:
        """In words, with its sources."""
        return (
            "loss: Hodges-Lehmann estimate of the log ratios of fresh pairs of processes, with the interval of "
            f"Wilcoxon's signed ranks ({CONFIDENCE:.0%} over at most {_LOOKS} looks; Hollander, Wolfe and Chicken "
            "2014, 3.1 to 3.3). Regressed: a loss of more than half the threshold, and signed ranks that "
            f"Holm's procedure (Holm 1979) rejects over all readings of the run; false alarms: {self.false_alarms:.1%} "
            f"of the runs at most, {_EARLY_SHARE:.0%} of them at each look before the last. "
            "Passed: the interval ends below the threshold. Else undecided."
        )

    def judge(self, readings: Sequence[Reading], *, last: bool = False) -> list[Reading]:
        """Look at all readings of a run, those that were decided before among them.

        A verdict that was given stays; its evidence counts among the others' all the same.

        Args:
            readings: each with as many values of one version as of the other.
            last: there will be no further look.

        Returns:
            The readings with loss, p-value and verdict.
        """
        looked = [one if one.verdict != UNDECIDED else self._measured(one) for one in readings]
        share = 1 - len(LOOKS_AT) * _EARLY_SHARE if last else _EARLY_SHARE
        rejected = holm([one.p_value for one in looked], self.false_alarms * share)
        return [self._decided(one, lost) for one, lost in zip(looked, rejected)]

    def _measured(self, one: Reading) -> Reading:
        worse, better = one.worse_and_better
        if not worse:
            return one
        found = ratio_paired(worse, better, 1 - (1 - CONFIDENCE) / _LOOKS)
        if found.has_interval:
            found = replace(found, confidence=CONFIDENCE)
        return replace(one, loss=found, p_value=p_of_loss(worse, better))

    def _decided(self, one: Reading, rejected: bool) -> Reading:
        if one.verdict != UNDECIDED or one.loss is None:
            return one
        if rejected and one.loss.value > 1 + one.threshold / 2:
            return replace(one, verdict=REGRESSED)
        return replace(one, verdict=PASSED if one.loss.high < 1 + one.threshold else UNDECIDED)


def p_of_loss(worse: Sequence[float], better: Sequence[float]) -> float:
    """How likely signed ranks this much in favour of a loss are where there is none: one-sided.

    Args:
        worse: shape ``(n,)``, positive.
        better: shape ``(n,)``, positive; element i was measured with element i of the other.

    Source: Wilcoxon's signed rank test; Hollander, Wolfe and Chicken (2014), 3.1: exact, with average
        ranks for ties and without pairs that are equal; beyond 60 pairs with the normal approximation.
    """
    logs = [math.log(a / b) for a, b in zip(worse, better) if a != b]
    if not logs:
        return 1.0
    doubled = _doubled_ranks([abs(one) for one in logs])
    positive = sum(rank for rank, one in zip(doubled, logs) if one > 0)
    total = sum(doubled)
    if len(logs) > EXACT_PAIRS:
        deviation = math.sqrt(sum(rank * rank for rank in doubled)) / 2
        return 1 - NormalDist(total / 2, deviation).cdf(positive - 1)
    counts = [1] + [0] * total
    reached = 0
    for rank in doubled:
        reached += rank
        for value in range(reached, rank - 1, -1):
            counts[value] += counts[value - rank]
    return sum(counts[positive:]) / (1 << len(logs))


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Reject hypotheses so that one true one among them is rejected with probability ``level`` at most.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Stat. 6 (1979) 65-70.
    """
    rejected = [False] * len(p_values)
    for done, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[i] > level / (len(p_values) - done):
            break
        rejected[i] = True
    return rejected


def _doubled_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of every value, ties averaged: whole numbers."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[order[place]] = start + end + 2
        start = end + 1
    return ranks
