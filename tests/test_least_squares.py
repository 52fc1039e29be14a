"""Least squares with non-negative coefficients, and Student's t, against SciPy and NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from pytest_parallel_lab.model.least_squares import Observed, fit_linear, observe, quotient, student_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 6, 7, 12, 29, 30, 100, 999, 1000, 1001, 10_000])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.995, 0.9999])
def test_student_s_quantiles_are_scipy_s(freedom: int, probability: float) -> None:
    expected = stats.t.ppf(probability, freedom)
    assert student_quantile(probability, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [2, 3])
def test_coefficients_are_those_of_scipy_s_nnls_and_covariances_those_of_numpy(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0.1, 1, (6, k))
    y = np.abs(rows @ rng.normal(0.3, 0.5, k)) + 0.1
    noise = rng.uniform(0.01, 0.1, 6)
    found = fit_linear(rows.tolist(), [Observed(v, (v * s) ** 2, 6) for v, s in zip(y.tolist(), noise.tolist())])
    scaled = rows / y[:, None]
    assert found.coefficients == pytest.approx(optimize.nnls(scaled, np.ones(6))[0], rel=1e-9, abs=1e-9)
    assert found.free == pytest.approx(np.linalg.solve(scaled.T @ scaled, scaled.T @ np.ones(6)), rel=1e-9)
    bread = np.linalg.inv(scaled.T @ scaled)
    expected = bread @ scaled.T @ np.diag(noise**2) @ scaled @ bread
    influence = np.array(found.influence)
    assert influence @ np.diag(found.variances) @ influence.T == pytest.approx(expected, rel=1e-9)


def test_points_measured_once_have_the_intervals_of_ordinary_least_squares() -> None:
    x = np.array([1.0, 2, 3, 4, 5, 6])
    y = np.array([100.1, 100.3, 100.2, 100.5, 100.4, 100.7])  # so near one another that weights hardly differ
    found = fit_linear([(1.0, one) for one in x], [observe([one]) for one in y])
    line = stats.linregress(x, y)
    slope = found.combination((0, 1))
    half = stats.t.ppf(0.975, 4) * line.stderr
    assert slope.value == pytest.approx(line.slope, rel=1e-2)
    assert (slope.low, slope.high) == pytest.approx((line.slope - half, line.slope + half), rel=2e-2)
    assert math.isnan(found.misfit)


def test_a_fieller_interval_has_the_ratios_that_a_t_test_does_not_reject() -> None:
    found = fit_linear(
        [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)],
        [Observed(2.0, 0.04, 1e9), Observed(1.0, 0.01, 1e9), Observed(3.0, 0.04, 1e9)],
    )
    ratio = found.ratio((1, 0), (0, 1))
    influence, free = np.array(found.influence), np.array(found.free)
    covariance = influence @ np.diag(found.variances) @ influence.T * max(1, found.misfit) ** 2
    for end in (ratio.low, ratio.high):
        contrast = np.array([1, -end])
        statistic = abs(contrast @ free) / math.sqrt(contrast @ covariance @ contrast)
        assert statistic == pytest.approx(stats.norm.ppf(0.975), rel=1e-6)


def test_a_ratio_over_what_may_be_nothing_has_no_interval() -> None:
    found = fit_linear([(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)], [Observed(1.0, 1.0, 5)] * 3)
    assert not found.ratio((1, 0), (0, 1)).has_interval


def test_an_interval_below_0_is_not_cut_to_nothing() -> None:
    times = [Observed(1 - 0.05 * n, 1e-6, 6) for n in range(4)]
    found = fit_linear([(1.0, float(n)) for n in range(4)], times)
    slope = found.combination((0, 1))
    assert (slope.value, slope.low) == (0, 0)
    assert slope.high > 0
    assert found.coefficients[1] == 0
    assert found.free[1] == pytest.approx(-0.05, rel=1e-6)


@pytest.mark.parametrize("n", [5, 7, 9, 15, 25, 51])
def test_the_variance_of_a_median_is_that_of_many_medians_or_more(n: int) -> None:
    samples = np.random.default_rng(n).lognormal(0, 0.1, (4000, n))
    mean = np.mean([observe(row.tolist()).variance for row in samples])
    assert 0.95 < mean / np.var(np.median(samples, axis=1)) < 1 + 6 / n


def test_a_quotient_s_relative_variances_add_up() -> None:
    found = quotient(Observed(6.0, 0.36, 5), Observed(2.0, 0.01, 5))
    assert (found.value, found.variance) == pytest.approx((3.0, 9 * (0.01 + 0.0025)))
    assert 5 < found.freedom < 10
    assert math.isnan(quotient(observe([1.0]), observe([1.0, 2.0])).variance)
