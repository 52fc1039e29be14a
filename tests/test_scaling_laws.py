"""Figures of scaling and fits of its laws: known programs come out within their intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model import scaling_laws as laws

COUNTS = (1, 2, 4, 8, 12)
SEEDS = 300


def noisy(rng: Any, law: Callable[[int], float], rounds: int, skew: bool = False) -> dict[int, list[float]]:
    def noise() -> Any:
        return 1 + rng.exponential(0.03, rounds) if skew else rng.lognormal(0, 0.02, rounds)

    return {p: (law(p) * noise()).tolist() for p in COUNTS}


def test_figures() -> None:
    assert laws.speed_up(8.0, 2.0) == 4
    assert laws.efficiency(3.0, 4) == 0.75
    assert laws.throughput(10, 4.0) == 2.5
    assert laws.imbalance([1, 1, 2]) == 1.5
    assert laws.imbalance([4, 0, 0, 0]) == 4
    assert laws.karp_flatt(4.0, 4) == 0
    assert laws.karp_flatt(1.0, 4) == 1
    assert laws.karp_flatt(5.0, 4) < 0
    assert (laws.karp_flatt(0.0, 4), laws.karp_flatt(math.inf, 2)) == (math.inf, -1)


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("workers", [2, 3, 8, 1000])
def test_the_serial_fraction_of_karp_and_flatt_inverts_amdahl(serial: float, workers: int) -> None:
    assert laws.karp_flatt(laws.amdahl(workers, serial), workers) == pytest.approx(serial, abs=1e-9)


def test_laws_have_their_limits() -> None:
    assert laws.amdahl(1, 0.3) == laws.gustafson(1, 0.3) == laws.universal_scalability(1, 0.1, 0.1) == 1
    assert laws.amdahl(10**9, 0.25) == pytest.approx(4)
    assert laws.gustafson(11, 0.1) == pytest.approx(10)
    assert laws.universal_scalability(8, 0.1, 0) == pytest.approx(laws.amdahl(8, 0.1))


@pytest.mark.parametrize("skew", [False, True])
@pytest.mark.parametrize("serial", [0.0, 0.05, 0.2, 0.5, 1.0])
def test_amdahl_s_interval_covers_in_19_of_20(serial: float, skew: bool) -> None:
    hits, further, widths = 0, 0, []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        fit = laws.fit_amdahl(noisy(rng, lambda p: 3 / laws.amdahl(p, serial), 7, skew))
        found, beyond = fit["serial_fraction"], fit.speed_up(100)
        assert 0 <= found.low <= found.value <= found.high <= 1
        hits += found.low <= serial <= found.high
        further += beyond.low <= laws.amdahl(100, serial) * (1 + 1e-9) and laws.amdahl(100, serial) <= beyond.high
        widths.append(found.high - found.low)
    assert hits >= 0.95 * SEEDS
    assert further >= 0.95 * SEEDS
    assert np.median(widths) < 0.07  # and it says something


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.2, 0.5])
def test_gustafson_s_interval_covers_in_19_of_20(serial: float) -> None:
    hits, widths = 0, []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        references = noisy(rng, lambda p: laws.gustafson(p, serial), 7)
        found = laws.fit_gustafson(noisy(rng, lambda p: 1.25, 7), references)["serial_fraction"]
        hits += found.low <= serial <= found.high
        widths.append(found.high - found.low)
    assert hits >= 0.95 * SEEDS
    assert np.median(widths) < 0.12


@pytest.mark.parametrize(("contention", "coherency"), [(0, 0), (0.05, 0), (0.05, 0.001), (0.0, 0.01), (0.02, 0.01)])
def test_the_usl_s_intervals_cover_in_19_of_20(contention: float, coherency: float) -> None:
    hits = np.zeros(3)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        fit = laws.fit_usl(noisy(rng, lambda p: 2 / laws.universal_scalability(p, contention, coherency), 7))
        truth = {"contention": contention, "coherency": coherency, "t1_s": 2.0}
        assert all(0 <= fit[name].low <= fit[name].value <= fit[name].high for name in truth)
        hits += [fit[name].low <= true <= fit[name].high for name, true in truth.items()]
    assert (hits >= 0.95 * SEEDS).all(), hits


def test_times_without_noise_give_the_law_itself() -> None:
    fit = laws.fit_amdahl({p: [2 / laws.amdahl(p, 0.1)] * 3 for p in COUNTS})
    assert fit["serial_fraction"].value == pytest.approx(0.1)
    assert fit["serial_fraction"].high - fit["serial_fraction"].low < 1e-6
    assert fit.time_s(1).value == pytest.approx(2)
    assert fit.speed_up(100).value == pytest.approx(laws.amdahl(100, 0.1))
    assert fit.peak_workers == math.inf
    assert fit.workers == COUNTS
    usl = laws.fit_usl({p: [2 / laws.universal_scalability(p, 0.04, 0.01)] * 3 for p in COUNTS})
    assert usl.peak_workers == pytest.approx(math.sqrt(0.96 / 0.01))
    assert usl.speed_up(30).value == pytest.approx(laws.universal_scalability(30, 0.04, 0.01))
    grown = laws.fit_gustafson({p: [1.0] * 3 for p in COUNTS}, {p: [laws.gustafson(p, 0.1) / 2] * 3 for p in COUNTS})
    assert grown["serial_fraction"].value == pytest.approx(0.1)
    assert grown.speed_up(100).value == pytest.approx(laws.gustafson(100, 0.1))


def test_what_is_faster_than_ideal_has_a_serial_fraction_of_0_that_is_not_certain() -> None:
    found = laws.fit_amdahl({p: [1 / p**1.1 * noise for noise in (0.98, 1, 1.02)] for p in COUNTS})
    assert (found["serial_fraction"].value, found["serial_fraction"].low) == (0, 0)
    assert found["serial_fraction"].high > 0


def test_what_gets_slower_with_workers_has_a_serial_fraction_of_1_that_is_not_certain() -> None:
    found = laws.fit_amdahl({p: [p**0.1 * noise for noise in (0.98, 1, 1.02)] for p in COUNTS})["serial_fraction"]
    assert (found.value, found.high) == (1, 1)
    assert found.low < 1


def test_a_law_that_does_not_hold_says_so_and_has_wide_intervals() -> None:
    times = {p: [10 / laws.universal_scalability(p, 0.0, 0.05) * noise for noise in (0.999, 1, 1.001)] for p in COUNTS}
    fit = laws.fit_amdahl(times)
    assert fit.misfit > 10
    assert "times further from the law than their noise explains" in str(fit)
    assert fit["serial_fraction"].high - fit["serial_fraction"].low > 0.1
    assert "further" not in str(laws.fit_usl(times))


def test_one_round_each_takes_its_interval_from_the_scatter() -> None:
    hits = 0
    for seed in range(SEEDS):
        times = noisy(np.random.default_rng(seed), lambda p: 1 / laws.amdahl(p, 0.2), 1)
        found = laws.fit_amdahl(times)["serial_fraction"]
        hits += found.low <= 0.2 <= found.high
    assert hits >= 0.94 * SEEDS


@pytest.mark.parametrize(
    ("fit", "needed"),
    [(laws.fit_amdahl, 3), (laws.fit_usl, 4), (lambda times: laws.fit_gustafson(times, times), 3)],
    ids=["amdahl", "usl", "gustafson"],
)
def test_too_few_points_are_refused(fit: Callable[..., laws.Fit], needed: int) -> None:
    times = {p: [1 / p, 1.01 / p] for p in range(1, needed)}
    with pytest.raises(laws.NotEnoughPoints, match=f"measure at least {needed}, or the fit could not be wrong"):
        fit(times)
    assert fit({**times, needed: [1 / needed]})
    with pytest.raises(laws.NotEnoughPoints, match=r"0 worker counts \(none\)"):
        fit({})


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_means_nothing_is_named(bad: float) -> None:
    for fit in (laws.fit_amdahl, laws.fit_usl):
        with pytest.raises(BadSetting, match=rf"times with 2 workers: value 3 is {bad!r}"):
            fit({1: [1.0], 2: [1.0, 1.0, bad], 3: [1.0], 4: [1.0]})


def test_bad_input_is_told() -> None:
    with pytest.raises(BadSetting, match="no meaning for 1 worker"):
        laws.karp_flatt(1.0, 1)
    for bad in (0, -1, 1.5, True):
        with pytest.raises(BadSetting, match="is not a number of workers"):
            laws.efficiency(1.0, bad)  # type: ignore[arg-type]
    for busy in ([0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(BadSetting, match="somebody must have been busy"):
            laws.imbalance(busy)
    with pytest.raises(BadSetting, match="no serial time of the work for 2, 3 workers"):
        laws.fit_gustafson({1: [1.0], 2: [1.0], 3: [1.0]}, {1: [1.0]})
    grown = laws.fit_gustafson({p: [1.0] for p in COUNTS}, {p: [float(p)] for p in COUNTS})
    with pytest.raises(BadSetting, match="no time; ask for speed_up"):
        grown.time_s(3)
    with pytest.raises(BadSetting, match="confidence"):
        laws.fit_amdahl({p: [1.0] for p in COUNTS}, confidence=2)
