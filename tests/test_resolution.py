"""What rounds cannot show: an effect that is the same in all of them, and how far it may move what is stated."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.curve_files import VERSION
from pytest_parallel_lab.model.least_squares import Observed, fit_linear, observe, quotient
from pytest_parallel_lab.model.resolution import resolution_of
from pytest_parallel_lab.model.scaling_curve import CurveWarning, ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.model.scaling_laws import amdahl, gustafson, imbalance, universal_scalability
from pytest_parallel_lab.model.statistics import Estimate, median_interval, ratio_independent, ratio_paired
from pytest_parallel_lab.report.columns import Look
from pytest_parallel_lab.report.curve_text import curve_lines
from pytest_parallel_lab.report.curves import series_of, table_rows
from tests import reports

COUNTS = (1, 2, 4, 8)
DISPATCH_S = 1e-3
"""In each time, whatever the worker count; the noise of rounds is far smaller."""


def times(time_s: float, seed: int, rounds: int = 6) -> tuple[float, ...]:
    return tuple((time_s + np.random.default_rng(seed).uniform(0, 1e-4, rounds)).tolist())


def strong(law: Callable[[float], float], resolution_s: float, **given: Any) -> ScalingCurve:
    """1 s of work, to which dispatch adds."""
    points = (ScalingPoint(p, times(1 / law(p) + DISPATCH_S, p), resolution_s=resolution_s) for p in COUNTS)
    serial = {"serial_times_s": times(1.0, 9), "serial_resolution_s": resolution_s / 4}
    return ScalingCurve("sleepers", "threads", "strong", tuple(points), **{**serial, "interleaved": True, **given})


def weak(resolution_s: float) -> ScalingCurve:
    points = (ScalingPoint(p, times(1 + DISPATCH_S * (1 - 1 / p), p), resolution_s=resolution_s) for p in COUNTS)
    return ScalingCurve("sleepers", "threads", "weak", tuple(points), times(1.0, 9))


def holds(found: Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.2])
def test_an_effect_that_no_round_shows_is_within_the_interval_once_its_bound_is_known(serial: float) -> None:
    def law(p: float) -> float:
        return amdahl(p, serial)

    blind, seeing = strong(law, 0.0), strong(law, 1.3 * DISPATCH_S)
    for p in COUNTS:
        for figure, truth in (("time_s", 1 / law(p)), ("speed_up", law(p)), ("efficiency", law(p) / p)):
            before, after = getattr(blind, figure)(p), getattr(seeing, figure)(p)
            assert not holds(before, truth), figure
            assert holds(after, truth), figure
            assert (after.value, after.confidence) == (before.value, before.confidence)
        if p > 1:
            assert not holds(blind.serial_fraction(p), serial)
            assert holds(seeing.serial_fraction(p), serial)
            assert holds(seeing.relative_speed_up(p), law(p))
    assert not holds(blind.fit()["serial_fraction"], serial)
    assert holds(seeing.fit()["serial_fraction"], serial)
    assert holds(seeing.fit().time_s(16), 1 / law(16))
    assert seeing.fit()["serial_fraction"].high - seeing.fit()["serial_fraction"].low < 0.01


def test_the_laws_of_weak_scaling_and_of_contention_hold_it_too() -> None:
    blind, seeing = weak(0.0), weak(1.3 * DISPATCH_S)
    assert not holds(blind.speed_up(8), 8)
    assert holds(seeing.speed_up(8), 8)
    assert not holds(blind.fit()["serial_fraction"], 0)
    assert holds(seeing.fit()["serial_fraction"], 0)
    assert holds(seeing.fit("usl")["contention"], 0)

    def law(p: float) -> float:
        return universal_scalability(p, 0.0, 0.02)

    assert not holds(strong(law, 0.0).fit("usl")["coherency"], 0.02)
    assert holds(strong(law, 1.3 * DISPATCH_S).fit("usl")["coherency"], 0.02)


@pytest.mark.parametrize("interleaved", [True, False])
def test_the_ends_are_those_with_all_and_with_nothing_of_it(interleaved: bool) -> None:
    ratio = ratio_paired if interleaved else ratio_independent
    curve = strong(lambda p: p, 0.002, interleaved=interleaved)
    over, under = curve.serial_times_s, curve.point(4).times_s
    found, time_s = curve.speed_up(4), median_interval(under)
    assert found.low == ratio([one - 0.0005 for one in over], under).low
    assert found.high == ratio(over, [one - 0.002 for one in under]).high
    assert found.value == ratio(over, under).value
    assert curve.time_s(4) == replace(time_s, low=time_s.low - 0.002)
    assert curve.throughput(4).high == 1 / curve.time_s(4).low
    assert curve.ratio_to(curve, 4).high < 1.001  # dispatch is in both


def test_without_a_resolution_all_is_as_it_was() -> None:
    curve = strong(lambda p: p, 0.0, serial_resolution_s=0.0)
    over, under = curve.serial_times_s, curve.point(4).times_s
    assert curve.speed_up(4) == ratio_paired(over, under)
    assert curve.relative_speed_up(4) == ratio_paired(curve.point(1).times_s, under)
    assert curve.time_s(4) == median_interval(under)


def test_a_section_that_is_nothing_but_dispatch_may_be_as_fast_as_you_like() -> None:
    curve = strong(lambda p: p, 0.3)
    assert [point.mostly_dispatch for point in curve.points] == [False, True, True, True]
    assert curve.time_s(4).low == 0
    assert curve.speed_up(4).high == math.inf
    assert curve.serial_fraction(4).low == pytest.approx(-1 / 3)
    assert curve.throughput(4).high == math.inf
    assert curve.fit()["serial_fraction"].low == 0
    assert replace(curve, serial_resolution_s=2.0).speed_up(4).low == 0
    assert replace(curve, serial_resolution_s=2.0).serial_fraction(4).high == math.inf
    hopeless = weak(2.0).fit()["serial_fraction"]
    assert (hopeless.low, hopeless.high) == (0, 1)


def corners(size: int) -> Sequence[tuple[int, ...]]:
    return list(itertools.product((0, 1), repeat=size))


@pytest.mark.parametrize("seed", range(5))
def test_no_effect_within_its_bounds_moves_a_fit_out_of_its_interval(seed: int) -> None:
    """All corners of the bounds are tried: a linear combination reaches its ends in them."""
    rng = np.random.default_rng(seed)
    rows = [(1.0, 1 / p) for p in COUNTS]
    y = np.array([0.3 + 0.7 / p for p in COUNTS]) * rng.uniform(0.9997, 1.0003, 4)
    below, above = rng.uniform(0, 1e-3, 4), rng.uniform(0, 1e-3, 4)
    observed = [Observed(v, 1e-18, 5, b, a) for v, b, a in zip(y.tolist(), below.tolist(), above.tolist())]
    influence = np.array(fit_linear(rows, observed).influence)
    moved = np.array([1.0, 0.5]) @ influence
    reached = [float(moved @ (y + np.where(corner, above, -below))) for corner in corners(4)]
    noise = fit_linear(rows, [replace(one, below=0.0, above=0.0) for one in observed])
    scale = fit_linear(rows, observed).misfit, noise.misfit
    found = fit_linear(rows, observed).combination((1, 0.5))
    assert scale[0] < 3 < scale[1]  # what the bounds explain is no misfit
    assert (found.low, found.high) == pytest.approx((min(reached), max(reached)), rel=1e-7)
    ratio = fit_linear(rows, observed).ratio((1, 0), (1, 1))
    for corner in corners(4):
        c0, c1 = influence @ (y + np.where(corner, above, -below))
        assert ratio.low - 1e-5 <= c0 / (c0 + c1) <= ratio.high + 1e-5


def test_bounds_go_through_a_quotient() -> None:
    found = quotient(Observed(6.0, 0.36, 5, 1.0), Observed(2.0, 0.01, 5, 0.5))
    assert (found.value, found.below, found.above) == pytest.approx((3.0, 3 - 5 / 2, 6 / 1.5 - 3))
    assert quotient(Observed(6.0, 0.36, 5), Observed(2.0, 0.01, 5, 2.0)).above == math.inf
    assert (observe([1.0, 2.0]).below, observe([1.0], 0.5).below) == (0, 0.5)


@pytest.mark.parametrize("busy", [(3.0, 1.0), (3.0, 2.99, 1.0), (1.0, 1.0, 1.0, 0.01), (0.04, 0.03)])
def test_imbalance_is_between_the_least_and_the_most_that_it_could_be(busy: tuple[float, ...]) -> None:
    resolution_s, rounds = 0.05, 6
    breakdown = (tuple(map(WorkerTimes, busy)),) * rounds
    point = ScalingPoint(len(busy), times(5.0, 1), breakdown, resolution_s=resolution_s)
    found = ScalingCurve("sleepers", "threads", "strong", (point,)).imbalance(len(busy))
    shares = [np.linspace(max(0.0, one - resolution_s), one, 11) for one in busy]
    tried = [imbalance(list(one)) for one in itertools.product(*shares) if max(one) > 0]
    assert found.value == imbalance(busy)
    assert found.high == pytest.approx(max(tried))
    assert found.low == pytest.approx(min(tried))


def test_the_resolution_is_where_the_median_of_empty_sections_is_below() -> None:
    rng = np.random.default_rng(1)
    many = rng.lognormal(0, 1, 30).tolist()
    assert resolution_of(many) == median_interval(many).high < max(many)
    assert resolution_of([0.1, 0.3, 0.2]) == 0.3
    assert resolution_of([0.0] * 7) == 0
    with pytest.raises(BadSetting, match="sections without work: there is no value at all"):
        resolution_of([])


@pytest.mark.parametrize(
    ("bad", "told"), [(-1e-9, "seconds are at least 0"), (math.nan, "finite"), (math.inf, "finite")]
)
def test_a_resolution_that_means_nothing_is_named(bad: float, told: str) -> None:
    with pytest.raises(BadSetting, match=rf"point with 2 workers: resolution_s: .*{told}"):
        ScalingPoint(2, (1.0,), resolution_s=bad)
    with pytest.raises(BadSetting, match=rf"curve sleepers \(threads, strong\): serial_resolution_s: .*{told}"):
        strong(lambda p: gustafson(p, 0.0), 0.0, serial_resolution_s=bad)


def test_a_file_without_resolutions_is_read_with_a_warning_and_has_none() -> None:
    curve = strong(lambda p: p, 0.002)
    data = json.loads(json.dumps(curve.to_json()))
    assert ScalingCurve.from_json(data) == curve
    del data["serial_resolution_s"]
    for point in data["points"]:
        del point["resolution_s"]
    assert VERSION == 2
    with pytest.warns(CurveWarning, match="written in version 1 of the format, 2 is current; measure again"):
        found = ScalingCurve.from_json({**data, "version": 1})
    assert found.speed_up(4) == strong(lambda p: p, 0.0).speed_up(4)


def measured(resolution_s: float, counts: tuple[int, ...] = (1, 2, 3, 4, 6)) -> ScalingCurve:
    """A tenth of 1 s is serial, on 4 cores."""
    curve = reports.curve(counts=counts)
    return replace(curve, points=tuple(replace(point, resolution_s=resolution_s) for point in curve.points))


def told(curve: ScalingCurve) -> str:
    return " ".join(" ".join(curve_lines(curve, Look.of(300, "utf-8"))).split())


def test_what_dispatch_takes_is_told() -> None:
    assert "medians, in brackets their 95 % intervals *" in told(measured(0.0))
    curve = measured(0.001)
    most = max(100 * 0.001 / np.median(point.times_s) for point in curve.points)
    text = f"in brackets their 95 % intervals, with and without dispatch and wake-ups (up to {most:.3f} %) *"
    assert text in told(curve)
    assert "most of it" not in told(curve)


def test_where_it_may_be_most_of_the_section_that_is_told() -> None:
    curve = measured(0.17)
    text = "with 4, 6 workers the section is so short that dispatch and wake-ups may be most of it"
    assert text in told(curve)
    assert [row[-1] for row in table_rows([series_of(curve)])] == [
        "",
        "",
        "",
        "mostly dispatch",
        "oversubscribed, mostly dispatch",
    ]
    assert "with 1 worker the section is so short" in told(measured(0.6, (1,)))


def test_an_interval_without_an_end_is_told_and_drawn_up_to_the_ideal() -> None:
    curve = measured(2.0)
    assert told(curve).count(", inf]") == 5
    assert "nan" not in told(curve)
    points = series_of(curve).points
    assert [point.high for point in points["speed-up"]] == pytest.approx([1, 2, 3, 4, 6], rel=0.1)
    assert [point.high for point in points["efficiency"]] == pytest.approx([1] * 5, rel=0.1)
