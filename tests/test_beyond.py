"""From a measured curve to a projection: known programs come out, and what cannot be projected says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab.model.communication import Network
from pytest_parallel_lab.model.scaling_curve import ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.model.task_simulation import simulate
from pytest_parallel_lab.report.columns import Look
from pytest_parallel_lab.report.projection_text import assumptions, projection_lines
from pytest_parallel_lab.scaling.beyond import (
    crowd_of,
    predicted,
    project_curve,
    slow_down,
    waited_s,
    why_no_projection,
)
from pytest_parallel_lab.scaling.communication import Communication

FREE = Estimate(0.0, 0.0, 0.0)


def communication(service_s: float) -> Communication:
    requests = Network(Estimate(service_s, 0.9 * service_s, 1.1 * service_s), FREE)
    return Communication("processes", 2, requests, requests, requests)


def run(rng: Any, base: Any) -> Any:
    """The times of all tasks in one run."""
    return base * rng.lognormal(0, 0.02) * rng.lognormal(0, 0.05, len(base))


def measured(
    rng: Any, base: Any, rounds: int = 3, wait_s: float = 0.05, moving: float = 0.1, **given: Any
) -> ScalingCurve:
    """What measuring a program gives: tasks, each with a tenth more for communication, and a serial part."""
    tasks = [run(rng, base) for _ in range(rounds)]
    waits = wait_s * rng.lognormal(0, 0.05, rounds)
    told = tuple(
        (WorkerTimes(float(times.sum()), moving * float(times.sum()), float(wait)),)
        for times, wait in zip(tasks, waits)
    )
    times_s = tuple(float((1 + moving) * times.sum() + wait) for times, wait in zip(tasks, waits))
    found: dict[str, Any] = {
        "name": "pool_map",
        "backend": "processes",
        "mode": "strong",
        "points": (ScalingPoint(1, times_s, told),),
        "task_times_s": tuple(tuple(map(float, times)) for times in tasks),
    }
    return ScalingCurve(**{**found, **given})


@pytest.mark.parametrize(("decomposition", "rounds"), [("block", 3), ("cyclic", 7), ("dynamic", 3)])
@pytest.mark.parametrize("workers", [2, 16])
def test_the_projection_covers_what_a_run_would_take(decomposition: str, rounds: int, workers: int) -> None:
    hits, seeds, service_s = 0, 60, 2e-4
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        base = rng.exponential(0.01, 120)
        curve = measured(rng, base, rounds, wait_s=0.05 + 120 * service_s)
        found = project_curve(curve, workers, decomposition, communication(service_s), seed=seed)
        service = service_s if decomposition == "dynamic" else 0.0
        truth = 0.05 + simulate(1.1 * run(rng, base), workers, decomposition, service_s=service).time_s
        hits += found.time_s.low <= truth <= found.time_s.high
    assert hits >= 0.92 * seeds, hits


def test_what_is_serial_stays() -> None:
    curve = measured(np.random.default_rng(1), np.full(64, 0.01), wait_s=0.5)
    found = project_curve(curve, 64, "cyclic")
    assert found.time_s.value == pytest.approx(0.5 + 0.011, rel=0.1)
    assert found.speed_up.value < 2.5


def test_chunks_are_handed_out_together() -> None:
    curve = measured(np.random.default_rng(1), np.full(8, 0.01), wait_s=0.0)
    assert project_curve(curve, 8, "dynamic", chunk=4).time_s.value == pytest.approx(0.044, rel=0.2)


def crowded(factor: float) -> ScalingCurve:
    """Tasks that take so much longer beside each other, on 2 workers; on 4, which have no cores, much longer."""
    curve = measured(np.random.default_rng(1), np.full(64, 0.01))
    alone = curve.points[0].breakdown
    points = [*curve.points]
    for workers, longer, over in ((2, factor, False), (4, 10 * factor, True)):
        told = tuple(
            (WorkerTimes(longer * one.compute_s / workers, one.communication_s / workers),) * workers
            for (one,) in alone
        )
        points.append(ScalingPoint(workers, curve.points[0].times_s, told, over))
    return replace(curve, points=tuple(points))


def test_tasks_are_as_slow_as_beside_each_other() -> None:
    curve = crowded(1.5)
    beside = slow_down(curve)
    assert beside is not None
    assert beside.value == pytest.approx(1.5)
    assert crowd_of(curve) == 2
    alone = project_curve(curve, 64, "block", crowded=False).time_s.value - 0.05
    together = project_curve(curve, 64, "block").time_s.value - 0.05
    assert together / alone == pytest.approx(1.6 / 1.1, rel=0.05)  # communication is not slowed down
    text = " ".join(" ".join(projection_lines(curve, [64], None, Look.of(100, "utf-8"))).split())
    assert "a task takes 1.50 times as long as alone, as beside those of 2 workers here" in text
    assert "as long there as alone" not in text
    assert slow_down(measured(np.random.default_rng(1), np.full(8, 0.01))) is None


def test_without_a_breakdown_tasks_are_all_there_is() -> None:
    curve = measured(np.random.default_rng(1), np.full(8, 0.01))
    bare = replace(curve, points=(ScalingPoint(1, curve.points[0].times_s),))
    assert project_curve(bare, 2, "block").time_s.value == pytest.approx(0.04, rel=0.2)
    assert waited_s(bare) == FREE


def test_a_prediction_has_the_interval_of_one_more_run() -> None:
    stats = pytest.importorskip("scipy.stats")
    found = predicted([1.0, 2.0, 4.0], 0.95)
    spread = float(np.std([1.0, 2.0, 4.0], ddof=1)) * (4 / 3) ** 0.5
    assert found.value == pytest.approx(7 / 3)
    assert found.high == pytest.approx(7 / 3 + float(stats.t.ppf(0.975, 2)) * spread, rel=1e-9)
    assert found.low == 0  # no less than nothing
    assert not predicted([1.0], 0.95).has_interval


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, None),
        ({"mode": "weak"}, "measure strong scaling"),
        ({"task_times_s": (), "backend": "mpi"}, "ranks compute without being handed tasks"),
        ({"task_times_s": ()}, "was not handed out in several tasks"),
        ({"task_times_s": (), "points": (ScalingPoint(2, (1.0,)),)}, "one worker was not measured"),
    ],
)
def test_what_cannot_be_projected_says_why(given: dict[str, Any], why: str | None) -> None:
    curve = replace(measured(np.random.default_rng(1), np.full(8, 0.01)), **given)
    found = why_no_projection(curve)
    assert found is None if why is None else found is not None and why in found
    text = " ".join(projection_lines(curve, [64], None, Look.of(80, "utf-8")))
    assert ("no projection to 64 workers" in text) is (why is not None)


def test_the_text_is_called_a_projection_and_tells_its_assumptions_once() -> None:
    curve = measured(np.random.default_rng(1), np.full(100, 0.01))
    shown: list[str] = []
    lines = projection_lines(curve, [64, 1024], communication(1e-4), Look.of(100, "utf-8"), shown.append)
    text = " ".join(" ".join(lines).split())
    assert lines[0].startswith("projection, not measured: 100 tasks of pool_map")
    assert "projected" in text.split("imbal-")[0]
    assert text.count("a task takes as long there as alone") == 1
    assert text.count("nothing was run on") == 0  # said by the heading
    assert "- dynamic: the master, not one of the workers, serves one request after the other, 0.0001 s each" in text
    assert "- 1024 workers: 924 workers have nothing to do" in text
    assert text.count("924 workers have nothing to do") == 1
    assert "communication of processes, 2 workers" in text
    assert "what the one worker waited for is serial, but for the master's service: " in text
    assert len(shown) == 6


@pytest.mark.parametrize("width", [40, 80, 200])
def test_every_row_says_what_it_is_of_in_any_width(width: int) -> None:
    curve = measured(np.random.default_rng(1), np.full(100, 0.01))
    lines = projection_lines(curve, [64, 1024, 100_000], communication(1e-4), Look.of(width, "utf-8"))
    assert max(map(len, lines)) <= width
    tables = sum(line.startswith("workers  position") for line in lines)
    assert tables > 1 if width == 40 else tables >= 1
    for count in (64, 1024, 100_000):
        for decomposition in ("block", "cyclic", "dynamic"):
            assert sum(line.split()[:2] == [str(count), decomposition] for line in lines) == tables


def test_one_round_gives_no_interval_and_says_so() -> None:
    curve = measured(np.random.default_rng(1), np.full(10, 0.01), rounds=1)
    text = " ".join(projection_lines(curve, [4], None, Look.of(100, "utf-8")))
    assert "no intervals, for the reason below" in text
    assert "tasks were measured once" in text
    assert "inf" not in text.replace("information", "")


def test_a_label_says_whose_assumption_it_is() -> None:
    curve = measured(np.random.default_rng(1), np.full(10, 0.01))
    found = [project_curve(curve, p, d) for p in (2, 64) for d in ("block", "dynamic")]
    told = assumptions(found)
    assert "dynamic: the master answers at once" in told
    assert "64 workers: 54 workers have nothing to do: there are 10 pieces of work" in told
    assert told.index("no communication is counted") < told.index("dynamic: the master answers at once")
