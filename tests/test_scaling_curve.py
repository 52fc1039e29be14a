"""Scaling curves: what follows from measured times, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.scaling_curve import NoSerialTime, ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.model.scaling_laws import NotEnoughPoints, amdahl, gustafson, universal_scalability
from pytest_parallel_lab.model.statistics import ratio_independent, ratio_paired

ROUNDS = 7
FIGURES = ["speed_up", "efficiency", "serial_fraction"]


def times(scale: float, seed: int = 0, rounds: int = ROUNDS) -> tuple[float, ...]:
    return tuple((scale * np.random.default_rng(seed).lognormal(0, 0.01, rounds)).tolist())


def strong(counts: tuple[int, ...] = (1, 2, 4, 8), serial: float = 0.1, **given: Any) -> ScalingCurve:
    points = tuple(ScalingPoint(p, times(1.1 / amdahl(p, serial), p)) for p in counts)
    return ScalingCurve("rows", "mpi", "strong", points, **{"serial_times_s": times(1.0), **given})


def weak(**given: Any) -> ScalingCurve:
    points = tuple(ScalingPoint(p, times(1 + 0.05 * (p - 1), p)) for p in (1, 2, 4, 8))
    return ScalingCurve("rows", "mpi", "weak", points, **{"serial_times_s": times(1.0), **given})


def test_figures_of_strong_scaling() -> None:
    curve = strong(size=100.0)
    gain = 1 / 1.1 * amdahl(4, 0.1)
    truths = {
        "time_s": 1 / gain,
        "speed_up": gain,
        "relative_speed_up": amdahl(4, 0.1),
        "efficiency": gain / 4,
        "serial_fraction": (1 / gain - 1 / 4) / (1 - 1 / 4),
        "throughput": 100 * gain,
    }
    for name, truth in truths.items():
        found = getattr(curve, name)(4)
        assert found.low < truth < found.high, name
        assert found.low < found.value < found.high
        assert 0.95 <= found.confidence < 1
        assert found.relative_width < 0.15
    assert curve.workers == (1, 2, 4, 8)


def test_figures_of_weak_scaling_take_the_work_as_grown() -> None:
    curve = weak(size=100.0)
    assert curve.speed_up(4).value == pytest.approx(4 / 1.15, rel=0.02)
    assert curve.relative_speed_up(4).value == pytest.approx(4 / 1.15, rel=0.02)
    assert curve.efficiency(4).value == pytest.approx(1 / 1.15, rel=0.02)
    assert curve.throughput(4).value == pytest.approx(400 / 1.15, rel=0.02)
    assert curve.throughput(1).value == pytest.approx(100, rel=0.02)
    own = ScalingPoint(2, times(1.0), serial_times_s=times(1.8, 5))
    assert ScalingCurve("rows", "mpi", "weak", (own,)).speed_up(2).value == pytest.approx(1.8, rel=0.02)


def test_ratios_are_taken_round_by_round_where_rounds_are_interleaved() -> None:
    drift = np.array([1.0, 1.5, 0.7, 2.0, 1.2, 0.9, 3.0])
    points = (ScalingPoint(1, tuple(drift)), ScalingPoint(2, tuple(drift * times(0.5, 1))))
    apart = ScalingCurve("rows", "mpi", "strong", points, tuple(drift))
    together = ScalingCurve("rows", "mpi", "strong", points, tuple(drift), interleaved=True)
    assert apart.speed_up(2) == ratio_independent(drift.tolist(), points[1].times_s)
    assert together.speed_up(2) == ratio_paired(drift.tolist(), points[1].times_s)
    assert together.speed_up(2).relative_width < 0.1 < apart.speed_up(2).relative_width
    uneven = ScalingCurve("rows", "mpi", "strong", points, tuple(drift[:6]), interleaved=True)
    assert uneven.speed_up(2) == ratio_independent(drift[:6].tolist(), points[1].times_s)


def test_few_rounds_have_values_and_no_intervals() -> None:
    points = (ScalingPoint(1, (1.0, 1.1)), ScalingPoint(2, (0.6, 0.5)))
    curve = ScalingCurve("rows", "mpi", "strong", points, (1.0, 1.0))
    for name in (*FIGURES, "relative_speed_up", "throughput", "time_s"):
        found = getattr(curve, name)(2)
        assert math.isfinite(found.value)
        assert not found.has_interval
        assert found.low <= found.value <= found.high
    assert (curve.time_s(2).low, curve.speed_up(2).low, curve.speed_up(2).high) == (0, 0, math.inf)
    assert curve.serial_fraction(2).low == -1


def test_imbalance_is_the_median_of_the_rounds() -> None:
    rounds = tuple((WorkerTimes(1.0), WorkerTimes(1.0 + extra, 0.1, 0.2, 0.3)) for extra in np.linspace(1, 3, 7))
    curve = ScalingCurve("rows", "mpi", "strong", (ScalingPoint(2, times(1.0), rounds),))
    found = curve.imbalance(2)
    assert found.value == pytest.approx(3 / 2)
    assert (found.low, found.high) == pytest.approx((2 / 1.5, 4 / 2.5))
    once = ScalingCurve("rows", "mpi", "strong", (ScalingPoint(2, times(1.0), rounds[:1]),))
    assert (once.imbalance(2).low, once.imbalance(2).high, once.imbalance(2).has_interval) == (1, 2, False)
    with pytest.raises(BadSetting, match=r"curve rows \(mpi, strong\): where the time of 2 workers went"):
        strong().imbalance(2)


def test_fits_find_the_law() -> None:
    found = strong().fit()
    assert found.law == "amdahl"
    assert found["serial_fraction"].value == pytest.approx(0.1, abs=0.01)  # that intervals cover is tested with laws
    points = tuple(ScalingPoint(p, times(1 / universal_scalability(p, 0.1, 0.01), p)) for p in (1, 2, 4, 8))
    usl = ScalingCurve("rows", "mpi", "strong", points).fit("usl")
    assert usl["contention"].value == pytest.approx(0.1, abs=0.02)
    assert usl["coherency"].value == pytest.approx(0.01, abs=0.003)
    grown = tuple(ScalingPoint(p.workers, tuple(p.workers * t for t in p.times_s)) for p in points)
    again = ScalingCurve("rows", "mpi", "weak", grown).fit("usl")
    assert {name: one.value for name, one in again.parameters.items()} == pytest.approx(
        {name: one.value for name, one in usl.parameters.items()}
    )
    serial = (1, 2, 4, 8)
    own = tuple(ScalingPoint(p, times(1.0, p), serial_times_s=times(gustafson(p, 0.2), 9 + p)) for p in serial)
    weakly = ScalingCurve("rows", "mpi", "weak", own).fit()
    assert weakly.law == "gustafson"
    assert weakly["serial_fraction"].value == pytest.approx(0.2, abs=0.02)


def test_oversubscribed_points_are_left_out_of_fits() -> None:
    good = strong((1, 2, 4)).points
    crowded = (*good, ScalingPoint(8, times(50.0), oversubscribed=True))
    curve = strong().__class__("rows", "mpi", "strong", crowded)
    assert curve.fit().workers == (1, 2, 4)
    assert curve.fit().parameters == ScalingCurve("rows", "mpi", "strong", good).fit().parameters
    assert curve.fit(oversubscribed=True).workers == (1, 2, 4, 8)
    with pytest.raises(NotEnoughPoints, match="usl needs 4 worker counts and there are 3, without the 1 that are over"):
        curve.fit("usl")


def test_a_curve_of_one_point_has_figures_and_no_fit() -> None:
    curve = strong((2,))
    assert curve.speed_up(2).has_interval
    with pytest.raises(NotEnoughPoints, match=r"curve rows .*: amdahl needs 3 worker counts and there are 1"):
        curve.fit()
    with pytest.raises(BadSetting, match="1 workers were not measured, but 2"):
        curve.relative_speed_up(2)


@pytest.mark.parametrize("figure", FIGURES)
def test_without_a_serial_time_there_is_no_speed_up(figure: str) -> None:
    curve = strong(serial_times_s=())
    with pytest.raises(NoSerialTime, match=r"no serial time .* give the serial function as reference="):
        getattr(curve, figure)(2)
    assert curve.relative_speed_up(2).has_interval
    with pytest.raises(NoSerialTime):
        weak(serial_times_s=()).fit()


def test_two_curves_are_compared_point_by_point() -> None:
    slower = ScalingCurve("rows", "mpi", "strong", (ScalingPoint(2, times(0.9, 3)),))
    faster = ScalingCurve("rows", "mpi", "strong", (ScalingPoint(2, times(0.6, 4)),))
    found = slower.ratio_to(faster, 2)
    assert found.low < 1.5 < found.high
    with pytest.raises(BadSetting, match="4 workers were not measured"):
        slower.ratio_to(strong(), 4)


def test_a_curve_is_projected_from_its_task_times() -> None:
    tasks = tuple(times(1.0, seed, 32) for seed in range(5))
    found = strong(task_times_s=tasks).project(16, "cyclic")
    assert found.workers == 16
    assert found.time_s.value == pytest.approx(2.0, rel=0.05)
    with pytest.raises(BadSetting, match="no task times were measured"):
        strong().project(16)


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_times_that_mean_nothing_are_named(bad: float) -> None:
    points = (ScalingPoint(1, (1.0,)), ScalingPoint(2, (1.0, bad)))
    told = rf"curve rows \(mpi, strong\): times with 2 workers: value 2 is {bad!r}; it must be a finite number above 0"
    with pytest.raises(BadSetting, match=told):
        ScalingCurve("rows", "mpi", "strong", points)
    with pytest.raises(BadSetting, match="serial times: value 1"):
        strong(serial_times_s=(bad,))
    with pytest.raises(BadSetting, match="serial times for 1 workers: value 1"):
        ScalingCurve("rows", "mpi", "weak", (ScalingPoint(1, (1.0,), serial_times_s=(bad,)),))
    if bad:
        with pytest.raises(BadSetting, match="waiting_s"):
            WorkerTimes(1.0, waiting_s=bad)


def test_other_bad_input_is_told() -> None:
    point = ScalingPoint(2, (1.0,))
    for given, told in (
        ({"mode": "both"}, "mode 'both' is neither 'strong' nor 'weak'"),
        ({"points": ()}, "there are no points"),
        ({"points": (point, point)}, "two points with 2 workers"),
        ({"points": (ScalingPoint(2, ()),)}, "times with 2 workers: there is no value at all"),
        ({"size": 0.0}, "size: value 1 is 0.0"),
        ({"confidence": 1.0}, "confidence is 1.0"),
    ):
        fields: dict[str, Any] = {"name": "rows", "backend": "mpi", "mode": "strong", "points": (point,)}
        with pytest.raises(BadSetting, match=told):
            ScalingCurve(**{**fields, **given})
    with pytest.raises(BadSetting, match="round 1 of the breakdown has 1 workers instead of 2"):
        ScalingPoint(2, (1.0,), ((WorkerTimes(1.0),),))
    with pytest.raises(BadSetting, match="number of workers"):
        ScalingPoint(0, (1.0,))
    with pytest.raises(BadSetting, match="'gustafson' is no law of strong scaling; fit amdahl or usl"):
        strong().fit("gustafson")
    with pytest.raises(BadSetting, match="no meaning for 1 worker"):
        strong().serial_fraction(1)
    with pytest.raises(BadSetting, match="3 workers were not measured, but 1, 2, 4, 8"):
        strong().speed_up(3)
