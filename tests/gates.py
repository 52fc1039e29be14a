"""Gates made by hand, for tests of what is reported of them."""

from __future__ import annotations

import random
from typing import Any

from pytest_parallel_lab.model.gate import GatedTest, GateRun, Reading
from pytest_parallel_lab.model.gate_decisions import Rule

COMMIT = "1f3a5c7e9b" + "0" * 30


def reading(loss: float = 1.0, noise: float = 0.01, launches: int = 20, **more: Any) -> Reading:
    """A reading of a version that is worse by a factor, with noise, before it is judged."""
    draw = random.Random(f"{loss} {noise} {more}")
    metric = more.pop("metric", "time")
    scale = {"time": 0.0123, "efficiency": 0.9, "memory": 64 << 20}[metric]
    factor = 1 / loss if metric == "efficiency" else loss

    def times(exact: float) -> tuple[float, ...]:
        return tuple(exact * draw.lognormvariate(0, noise) for _ in range(launches))

    return Reading(metric, times(scale), times(scale * factor), more.pop("threshold", 0.05), **more)


def gated(name: str, *readings: Reading, **more: Any) -> GatedTest:
    """A test with these readings."""
    return GatedTest(f"tests/test_speed.py::{name}", readings, path="tests/test_speed.py", line=7, **more)


def judged(*tests: GatedTest, **more: Any) -> GateRun:
    """A run of these tests, judged as a real one is."""
    readings = iter(Rule().judge([one for test in tests for one in test.readings], last=True))
    told = tuple(
        GatedTest(test.nodeid, tuple(next(readings) for _ in test.readings), test.why, test.wrong, test.path, test.line)
        for test in tests
    )
    given: dict[str, Any] = {
        "base": "main",
        "base_commit": COMMIT,
        "current_commit": "9" * 40 + "-dirty",
        "false_alarms": 0.01,
        "launches": 20,
        "elapsed_s": 61.5,
        "method": Rule().method,
        "machine": {"cores": 2, "load": 0.4},
        "loads": (0.4, 1.26),
        "seed": 7,
        **more,
    }
    return GateRun(tests=told, **given)


def rich_gate(**more: Any) -> GateRun:
    """One of every verdict, and of every metric."""
    return judged(
        gated("test_same", reading()),
        gated("test_slow[pool_map-processes-2w]", reading(1.08), reading(metric="memory")),
        gated("test_noisy", reading(1.03, 0.2)),
        gated("test_wrong", reading(0.5), wrong=True, why="the base gives 3, this version 4"),
        gated("test_new", why="the base has no such test"),
        gated("test_fast", reading(0.8)),
        gated("test_curve", reading(1.2, metric="efficiency", workers=2), reading(metric="efficiency", workers=4)),
        warnings=("cores are busy with others: load average 1.3",),
        **more,
    )
