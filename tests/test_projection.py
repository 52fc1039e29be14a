"""Projections: their intervals cover programs with known answers, and they carry what they assume."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.communication import Network, broadcast_s, scatter_s
from pytest_parallel_lab.model.projection import project
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.model.task_simulation import simulate

NETWORK = Network(Estimate(1e-3, 0.9e-3, 1.1e-3), Estimate(1e-6, 0.8e-6, 1.2e-6))


def measured(rng: Any, base: Any, rounds: int) -> Any:
    """Rounds of task times: the machine's speed differs from round to round, and every task's time a little."""
    return base * rng.lognormal(0, 0.03, (rounds, 1)) * rng.lognormal(0, 0.1, (rounds, len(base)))


@pytest.mark.parametrize(("decomposition", "rounds"), [("block", 2), ("cyclic", 5), ("dynamic", 9)])
def test_the_interval_covers_another_run_in_19_of_20(decomposition: str, rounds: int) -> None:
    hits, seeds = 0, 300
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        base = rng.exponential(1.0, 60)
        found = project(measured(rng, base, rounds), 2, decomposition, seed=seed, replicates=39)
        truth = simulate(measured(rng, base, 1)[0], 2, decomposition).time_s
        hits += found.time_s.low <= truth <= found.time_s.high
    assert hits >= 0.94 * seeds, hits


def test_known_times_and_messages_add_up() -> None:
    found = project(
        [[1.0] * 8, [1.0] * 8],
        4,
        network=NETWORK,
        broadcast_bytes=1000,
        scatter_bytes=4000,
        gather_bytes=8000,
        serial_s=3.0,
    )
    sent = broadcast_s(1e-3, 1e-6, 4, 1000) + scatter_s(1e-3, 1e-6, 4, 4000) + scatter_s(1e-3, 1e-6, 4, 8000)
    assert found.communication_s.value == pytest.approx(sent, rel=0.02)
    assert found.communication_s.low < sent < found.communication_s.high
    assert found.time_s.value == pytest.approx(3 + sent + 2, rel=1e-3)
    assert found.speed_up.value == pytest.approx(11 / (5 + sent), rel=1e-3)
    assert found.efficiency.value == pytest.approx(found.speed_up.value / 4)
    assert found.imbalance.value == 1
    assert (found.tasks, found.rounds, found.replicates, found.seed) == (8, 2, 399, 0)


def test_what_is_common_to_all_tasks_does_not_touch_the_speed_up() -> None:
    times = np.outer([0.5, 1.0, 2.0], [1.0, 2.0, 3.0, 4.0])
    found = project(times, 2, "cyclic")
    assert found.time_s.relative_width > 1
    assert (found.speed_up.low, found.speed_up.high) == pytest.approx((10 / 6, 10 / 6))


def test_the_same_seed_gives_the_same_and_another_one_nearly_so() -> None:
    times = measured(np.random.default_rng(1), np.ones(100), 5)
    assert project(times, 8, seed=1) == project(times, 8, seed=1)
    first, second = project(times, 8, seed=1), project(times, 8, seed=2)
    assert first.time_s != second.time_s
    assert first.time_s.value == pytest.approx(second.time_s.value, rel=0.02)


def test_uncertain_inputs_widen_the_interval() -> None:
    times = measured(np.random.default_rng(1), np.full(400, 0.1), 5)
    exact = project(times, 16, "dynamic", service_s=0.01)
    vague = project(times, 16, "dynamic", service_s=Estimate(0.01, 0.004, 0.016))
    assert vague.time_s.relative_width > 1.2 * exact.time_s.relative_width
    assert exact.master_share > 0.9


def test_assumptions_are_told() -> None:
    times = measured(np.random.default_rng(1), np.ones(20), 5)
    found = project(times, 64, "dynamic", service_s=0.1, network=NETWORK, gather_bytes=100)
    told = str(found)
    assert told.startswith("projection to 64 workers (dynamic): ")
    for part in (
        "nothing was run on 64 workers",
        "not contended for",
        "do not overlap",
        "44 workers have nothing to do: there are 20 pieces of work",
        "beyond 11 workers all wait for the master",
        "gather of 100 bytes along a binomial tree",
        "95% interval is that of one run, from 5 rounds",
    ):
        assert part in told
    assert "the master answers at once" in str(project(times, 2, "dynamic"))
    assert "no communication is counted" in str(project(times, 2))
    assert "in chunks of 5" in str(project(times, 2, "cyclic", chunk=5))
    with pytest.raises(FrozenInstanceError):
        found.workers = 2  # type: ignore[misc]


@pytest.mark.parametrize("times", [[3.0, 1.0], [[3.0, 1.0]]])
def test_tasks_measured_once_give_no_interval(times: Any) -> None:
    found = project(times, 2)
    assert (found.time_s.value, found.time_s.low, found.time_s.high) == (3, 0, math.inf)
    assert not found.time_s.has_interval
    assert (found.imbalance.value, found.imbalance.low, found.imbalance.high) == (1.5, 1, 2)
    assert found.replicates == 1
    assert "there is no interval: tasks were measured once" in str(found)


def test_an_input_without_an_interval_leaves_none() -> None:
    vague = Estimate(1e-3, 0.0, math.inf, 1.0)
    found = project([[1.0, 2.0]] * 5, 2, "dynamic", service_s=vague)
    assert not found.time_s.has_interval
    assert "latency, bandwidth, service or serial time has none" in str(found)


@pytest.mark.parametrize("times", [[[], []], [[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
@pytest.mark.parametrize("decomposition", ["block", "cyclic", "dynamic"])
def test_nothing_to_do_takes_no_time(times: Any, decomposition: str) -> None:
    found = project(times, 3, decomposition)
    assert found.time_s.low == 0
    assert found.speed_up.low >= 0


def test_more_workers_than_there_are_tasks_gain_nothing() -> None:
    times = measured(np.random.default_rng(1), np.ones(10), 4)
    assert project(times, 100_000).time_s.value == pytest.approx(project(times, 10).time_s.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"gather_bytes": 8}, "no network is given"),
        ({"gather_bytes": -1}, "gather_bytes is -1"),
        ({"broadcast_bytes": math.nan}, "broadcast_bytes is nan"),
        ({"serial_s": -1.0}, "serial_s is -1.0 s"),
        ({"service_s": Estimate(math.nan, 0, 1)}, "service_s is nan s"),
        ({"replicates": 10}, "10 replicates have no 95% interval; simulate at least 39"),
        ({"confidence": 95}, "confidence"),
        ({"workers": 0}, "number of workers"),
        ({"task_times_s": [[1.0, math.nan], [1.0, 1.0]]}, "task 1 in round 0 took nan s"),
        ({"task_times_s": [[1.0, 2.0], [1.0]]}, "task times"),
        ({"task_times_s": np.zeros((0, 4))}, "no rounds"),
        ({"decomposition": "blocks"}, "did you mean 'block'"),
    ],
)
def test_bad_input_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        project(**{"task_times_s": [[1.0, 2.0]] * 3, "workers": 2, **options})
