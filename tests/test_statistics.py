"""Medians and ratios: the intervals are those of SciPy's distributions, and cover what they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.statistics import Estimate, median_interval, ratio_independent, ratio_paired

SEEDS = 1000


def same(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


def crossing(p_value: Callable[[float], float], outside: float, inside: float) -> float:
    """Where a p-value passes from rejected (at most 5 %) to accepted, found by bisection of the test itself."""
    return float(optimize.bisect(lambda shift: 1 if p_value(shift) > 0.05 else -1, outside, inside, xtol=1e-13))


@pytest.mark.parametrize("n", [6, 7, 8, 9, 15, 16, 31, 100, 501])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_median_s_interval_is_the_binomial_one(n: int, confidence: float) -> None:
    samples = np.random.default_rng(n).lognormal(size=n)
    found = median_interval(samples.tolist(), confidence)
    rank = next((k for k in range(n, 0, -1) if 2 * stats.binom.cdf(k - 1, n, 0.5) <= 1 - confidence), 0)
    assert found.value == np.median(samples)
    if rank == 0:
        assert not found.has_interval
        return
    ordered = np.sort(samples)
    assert (found.low, found.high) == (ordered[rank - 1], ordered[n - rank])
    assert found.confidence == same(1 - 2 * stats.binom.cdf(rank - 1, n, 0.5))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_samples_have_no_interval(n: int) -> None:
    found = median_interval([1.0] * n)
    assert (found.value, found.low, found.high, found.confidence) == (1.0, -math.inf, math.inf, 1.0)
    assert not found.has_interval
    assert found.relative_width == math.inf
    assert "too few" in str(found)
    pairs = ratio_paired([1.0] * n, [1.0] * n)
    assert (pairs.value, pairs.low, pairs.high, pairs.confidence) == (1.0, 0.0, math.inf, 1.0)


def test_six_samples_have_one() -> None:
    found = median_interval([5, 3, 4, 1, 6, 2])
    assert (found.value, found.low, found.high, found.confidence) == (3.5, 1, 6, 0.96875)
    assert str(found) == "3.5 [1, 6]"
    assert found.relative_width == pytest.approx(5 / 3.5)


@pytest.mark.parametrize("n", [6, 7, 10, 20, 45])
def test_the_paired_interval_is_where_wilcoxon_s_test_begins_to_reject(n: int) -> None:
    rng = np.random.default_rng(n)
    over, under = rng.lognormal(1, 0.3, n), rng.lognormal(0, 0.2, n)
    logs = np.log(over / under)

    def p_value(shift: float) -> float:
        return float(stats.wilcoxon(logs - shift, method="exact").pvalue)

    found = ratio_paired(over.tolist(), under.tolist())
    middle = math.log(found.value)
    assert math.log(found.low) == same(crossing(p_value, logs.min() - 1, middle))
    assert math.log(found.high) == same(crossing(p_value, logs.max() + 1, middle))
    walsh = [(logs[i] + logs[j]) / 2 for i in range(n) for j in range(i, n)]
    assert middle == same(float(np.median(walsh)))


@pytest.mark.parametrize(("m", "n"), [(4, 4), (3, 7), (5, 7), (7, 7), (20, 12), (45, 45)])
def test_the_independent_interval_is_where_the_mann_whitney_test_begins_to_reject(m: int, n: int) -> None:
    rng = np.random.default_rng(m * n)
    over, under = np.log(rng.lognormal(1, 0.3, m)), np.log(rng.lognormal(0, 0.2, n))

    def p_value(shift: float) -> float:
        return float(stats.mannwhitneyu(over - shift, under, method="exact").pvalue)

    found = ratio_independent(np.exp(over).tolist(), np.exp(under).tolist())
    middle, least, most = math.log(found.value), over.min() - under.max(), over.max() - under.min()
    assert math.log(found.low) == same(crossing(p_value, least - 1, middle))
    assert math.log(found.high) == same(crossing(p_value, most + 1, middle))
    assert middle == same(float(np.median(np.subtract.outer(over, under))))


def test_three_and_three_are_too_few_to_compare() -> None:
    assert not ratio_independent([1, 2, 3], [1, 2, 3]).has_interval
    assert ratio_independent([1, 2, 3, 4], [1, 2, 3, 4]).has_interval


def test_many_samples_take_the_normal_approximation_which_is_near() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.lognormal(size=61).tolist(), rng.lognormal(size=61).tolist()
    paired, independent = ratio_paired(x, y), ratio_independent(x, y)
    logs = np.log(np.array(x) / y)
    outside = 1 + 1e-12
    for end in (paired.low, paired.high):
        p_value = stats.wilcoxon(logs - math.log(end) * outside, method="exact").pvalue
        assert p_value == pytest.approx(0.05, abs=2e-3)
    for end in (independent.low, independent.high):
        p_value = stats.mannwhitneyu(np.log(x) - math.log(end) * outside, np.log(y)).pvalue
        assert p_value == pytest.approx(0.05, abs=2e-3)
    assert 0.95 <= paired.confidence < 0.952
    assert 0.95 <= independent.confidence < 0.952


@pytest.mark.parametrize("rounds", [6, 7, 15])
@pytest.mark.parametrize("noise", ["skew", "outliers"])
def test_intervals_cover_as_often_as_they_claim(rounds: int, noise: str) -> None:
    def times(rng: Any, scale: float) -> Any:
        if noise == "skew":
            return scale * (1 + rng.exponential(0.1, rounds))
        return scale * rng.lognormal(0, 0.05, rounds) * np.where(rng.random(rounds) < 0.1, 3, 1)

    median = 1 + 0.1 * math.log(2) if noise == "skew" else 1 + 0.05 * float(stats.norm.ppf(0.5 / 0.9))
    hits = np.zeros(3)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        drift = rng.lognormal(0, 0.5, rounds)
        slow, fast = times(rng, 3.0), times(rng, 1.0)
        found = (median_interval(fast), ratio_independent(slow, fast), ratio_paired(slow * drift, fast * drift))
        hits += [one.low <= truth <= one.high for one, truth in zip(found, (median, 3.0, 3.0))]
    claimed = np.array([one.confidence for one in found])
    assert (claimed >= 0.95).all()
    assert (hits >= SEEDS * claimed - 3 * np.sqrt(SEEDS * claimed * (1 - claimed))).all(), hits


def test_what_pairs_have_in_common_drops_out() -> None:
    drift = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    found = ratio_paired([3 * one for one in drift], drift)
    assert (found.low, found.value, found.high) == pytest.approx((3, 3, 3))


def test_an_estimate_goes_through_falling_functions_and_infinite_ends() -> None:
    assert Estimate(2, 1, 4).through(lambda x: 1 / x) == Estimate(0.5, 0.25, 1)
    assert Estimate(2, 0, math.inf, 1.0).through(lambda x: x / 2) == Estimate(1, 0, math.inf, 1.0)
    assert Estimate(0.5, -1, 2).within(0, 1) == Estimate(0.5, 0, 1)
    assert Estimate(0.0, 0, 0).relative_width == math.inf


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, "1", None])
def test_a_sample_that_is_no_number_is_named(bad: Any) -> None:
    with pytest.raises(BadSetting, match=r"rounds: value 2 is .*; it must be a finite number"):
        median_interval([1.0, bad], where="rounds")


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("ratio", [ratio_paired, ratio_independent])
def test_a_time_that_is_not_positive_is_named(bad: float, ratio: Callable[..., Estimate]) -> None:
    with pytest.raises(BadSetting, match=r"numerator: value 3 is .*; it must be a finite number above 0"):
        ratio([1.0, 1.0, bad], [1.0, 1.0, 1.0])
    with pytest.raises(BadSetting, match="denominator: value 1"):
        ratio([1.0], [bad])
    with pytest.raises(BadSetting, match="no value at all"):
        ratio([], [1.0])


def test_what_are_no_pairs_is_refused() -> None:
    with pytest.raises(BadSetting, match="2 numerators and 1 denominators are no pairs"):
        ratio_paired([1.0, 2.0], [1.0])
    with pytest.raises(BadSetting, match="too many"):
        ratio_independent([1.0] * 5001, [1.0] * 5001)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95, math.nan])
def test_a_confidence_lies_between_0_and_1(confidence: float) -> None:
    with pytest.raises(BadSetting, match="confidence"):
        median_interval([1.0], confidence)


def test_an_estimate_compares_by_its_value() -> None:
    found = Estimate(0.8, 0.6, 0.9)
    assert found > 0.7
    assert found >= 0.8
    assert found < 0.81
    assert found <= 0.8
    assert not found > 0.8
    assert not found.low > 0.7
    assert float(found) == 0.8
