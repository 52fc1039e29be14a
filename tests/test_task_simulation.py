"""Simulated decompositions: closed forms, a slow simulation in steps, and where dynamic stops paying."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import BadSetting, blocks
from pytest_parallel_lab.model.task_simulation import saturation, simulate


def dynamic_by_hand(times: list[float], workers: int, service: float) -> float:
    """One after the other: the worker that has asked first is served next."""
    asked, free, done = [0.0] * workers, 0.0, [0.0]
    for task in times:
        who = min(range(workers), key=lambda worker: asked[worker])
        free = max(free, asked[who]) + service
        asked[who] = free + task
        done.append(asked[who])
    return max(done)


@pytest.mark.parametrize("tasks", [0, 1, 2, 3, 7, 10, 64])
@pytest.mark.parametrize("workers", [1, 2, 3, 7, 12])
def test_every_decomposition_is_what_its_definition_says(tasks: int, workers: int) -> None:
    times = np.random.default_rng(tasks).exponential(1, tasks).tolist()
    block, cyclic = simulate(times, workers), simulate(times, workers, "cyclic")
    assert block.busy_s == pytest.approx([sum(times[part]) for part in blocks(tasks, workers)])
    assert cyclic.busy_s == pytest.approx([sum(times[worker::workers]) for worker in range(workers)])
    for one in (block, cyclic):
        assert one.time_s == pytest.approx(max(one.busy_s))
        assert one.busy_s.shape == (workers,)
    for service in (0.0, 0.1, 3.0):
        dynamic = simulate(times, workers, "dynamic", service_s=service)
        assert dynamic.time_s == pytest.approx(dynamic_by_hand(times, workers, service))
        assert dynamic.busy_s.sum() == pytest.approx(sum(times))
        assert dynamic.master_s == pytest.approx(service * tasks)


@pytest.mark.parametrize("decomposition", ["cyclic", "dynamic"])
@pytest.mark.parametrize("chunk", [1, 3, 10, 100])
def test_chunks_are_tasks_of_their_own(decomposition: str, chunk: int) -> None:
    times = np.random.default_rng(1).exponential(1, 32)
    joined = [times[i : i + chunk].sum() for i in range(0, 32, chunk)]
    whole = simulate(times, 4, decomposition, chunk=chunk)
    assert whole.time_s == pytest.approx(simulate(joined, 4, decomposition).time_s)


@pytest.mark.parametrize("workers", [1, 2, 5, 64])
def test_equal_tasks_have_closed_forms(workers: int) -> None:
    for decomposition in ("block", "cyclic", "dynamic"):
        assert simulate([2.0] * 100, workers, decomposition).time_s == 2 * math.ceil(100 / workers)
    assert simulate([2.0] * 100, 1, "dynamic", service_s=1).time_s == 300
    # More workers than one service and one task take: a task begins every 1 s, the last one at 100 s.
    assert simulate([2.0] * 100, 200, "dynamic", service_s=1).time_s == 102


def test_imbalance_and_idle_workers() -> None:
    assert simulate([1.0] * 4, 4).imbalance == 1
    assert simulate([5.0], 8, "dynamic").imbalance == 8
    assert simulate([4.0, 3, 2, 1, 1, 1], 2).imbalance == pytest.approx(9 / 6)
    assert simulate([4.0, 3, 2, 1, 1, 1], 2, "dynamic").imbalance == 1
    assert simulate([0.0, 0.0], 2).imbalance == 1
    assert simulate([], 2, "dynamic").master_share == 0


def test_dynamic_stops_paying_when_the_master_s_service_fills_a_task_s_time() -> None:
    times = np.random.default_rng(2).exponential(1.0, 20_000)
    most = saturation(times, 0.01)
    assert most == pytest.approx(times.mean() / 0.01 + 1)  # so p * service is above the mean task time from here on
    half, limit, twice = (simulate(times, round(most * part), "dynamic", service_s=0.01) for part in (0.5, 1, 2))
    assert limit.time_s < 0.6 * half.time_s
    assert twice.time_s > 0.93 * limit.time_s
    assert twice.time_s >= 20_000 * 0.01
    assert twice.master_share > 0.95 > 0.6 > half.master_share
    # Without balance but without a master, cyclic goes on getting faster and wins in the end.
    one, four = (simulate(times, round(most * part), "cyclic").time_s for part in (1, 4))
    assert four < 0.5 * one
    assert four < twice.time_s
    assert saturation(times, 0.0) == saturation([], 1.0) == math.inf
    assert saturation([1.0], 0.5, chunk=4) == 9


def test_a_hundred_thousand_workers_are_simulated_in_no_time() -> None:
    # Half a second; an algorithm of another order would run into the suite's time-out.
    times = np.random.default_rng(3).exponential(1.0, 300_000)
    found = simulate(times, 100_000, "dynamic", service_s=1e-6)
    assert times.sum() / 100_000 < found.time_s < 2 * times.sum() / 100_000 + times.max()


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_a_task_time_that_means_nothing_is_named(bad: float) -> None:
    with pytest.raises(BadSetting, match=f"task 1 took {bad!r} s"):
        simulate([1.0, bad], 2)
    with pytest.raises(BadSetting, match="service time"):
        simulate([1.0], 2, "dynamic", service_s=bad)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"workers": 0}, "number of workers"),
        ({"decomposition": "dynamik"}, "did you mean 'dynamic'"),
        ({"decomposition": "cyclic", "chunk": 0}, "chunk is 0"),
        ({"chunk": 2}, "block: chunks are for cyclic and dynamic"),
        ({"service_s": 1.0}, "a service time for dynamic only"),
        ({"task_times_s": [[1.0]]}, r"shape \(1, 1\); expected \(tasks,\)"),
        ({"task_times_s": ["a"]}, "cannot be read as an array of numbers"),
    ],
)
def test_bad_input_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        simulate(**{"task_times_s": [1.0], "workers": 2, **options})
