"""The latency-bandwidth model, and its fit to sweeps over message sizes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.communication import broadcast_s, fit_network, message_s, scatter_s
from pytest_parallel_lab.model.scaling_laws import NotEnoughPoints

SIZES = (0, 8, 1024, 65536, 1 << 20)


@pytest.mark.parametrize(("workers", "rounds"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11)])
def test_a_broadcast_doubles_its_owners_every_round(workers: int, rounds: int) -> None:
    assert broadcast_s(2.0, 0.5, workers, 10) == rounds * 7
    owners = 1
    for _ in range(rounds):
        owners *= 2
    assert owners >= workers > owners // 2


@pytest.mark.parametrize("k", range(8))
def test_a_scatter_sends_half_of_the_rest_every_round(k: int) -> None:
    workers, size, time = 2**k, 1024.0, 0.0
    for _ in range(k):
        size /= 2
        time += message_s(3.0, 0.25, size)
    assert scatter_s(3.0, 0.25, workers, 1024) == pytest.approx(time)


@pytest.mark.parametrize("alpha", [1e-6, 5e-5])
def test_latency_and_bandwidth_are_covered_in_19_of_20(alpha: float) -> None:
    beta, hits = 2e-10, np.zeros(2)
    for seed in range(300):
        rng = np.random.default_rng(seed)
        found = fit_network({n: (message_s(alpha, beta, n) * (1 + rng.exponential(0.05, 9))).tolist() for n in SIZES})
        true = (alpha, beta)
        scaled = 1 + 0.05 * math.log(2)  # the median of the noise is above 1: both are slower by it
        hits += [one.low <= t * scaled <= one.high for one, t in zip((found.alpha_s, found.beta_s), true)]
    assert (hits >= 0.95 * 300).all(), hits


def test_a_fit_without_noise_is_the_model_itself() -> None:
    network = fit_network({n: [message_s(1e-6, 1e-9, n)] * 3 for n in SIZES})
    assert network.alpha_s.value == pytest.approx(1e-6)
    assert network.beta_s.value == pytest.approx(1e-9)
    assert network.message_s(1000) == pytest.approx(2e-6)
    assert network.broadcast_s(8, 1000) == pytest.approx(6e-6)
    assert network.scatter_s(2, 1000) == pytest.approx(1.5e-6)


def test_a_change_of_protocol_shows_in_the_misfit_and_widens_the_intervals() -> None:
    def sweep(extra: float) -> Any:
        rounds = (0.99, 1, 1.01)
        return {n: [one * (message_s(1e-6, 1e-9, n) + (extra if n > 2000 else 0)) for one in rounds] for n in SIZES}

    steady, changing = fit_network(sweep(0.0)), fit_network(sweep(2e-5))
    assert steady.misfit < 1 < 10 < changing.misfit
    assert changing.alpha_s.relative_width > 5 * steady.alpha_s.relative_width
    assert changing.beta_s.relative_width > 5 * steady.beta_s.relative_width


@pytest.mark.parametrize("bad", [0.0, -1e-6, math.nan, math.inf])
def test_a_time_that_means_nothing_is_named(bad: float) -> None:
    with pytest.raises(BadSetting, match="ping-pong: times of 1024 bytes: value 2"):
        fit_network({0: [1.0], 8: [1.0], 1024: [1.0, bad]})


@pytest.mark.parametrize("size", [-1, 1.5, "8"])
def test_a_size_that_means_nothing_is_named(size: Any) -> None:
    with pytest.raises(BadSetting, match="not a number of bytes"):
        fit_network({0: [1.0], 8: [1.0], size: [1.0]})


def test_two_sizes_are_too_few() -> None:
    with pytest.raises(NotEnoughPoints, match="times for 2 message sizes"):
        fit_network({0: [1.0], 8: [1.0]})
    with pytest.raises(BadSetting, match="number of workers"):
        broadcast_s(1.0, 1.0, 0, 1)
