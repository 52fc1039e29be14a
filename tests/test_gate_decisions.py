"""A gate's decisions on synthetic launches: no alarm without a loss, no silence with one."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.gate import (
    NOT_GATED,
    PASSED,
    REGRESSED,
    UNDECIDED,
    WRONG,
    GatedTest,
    GateRun,
    Reading,
    from_json,
    to_json,
    told_loss,
)
from pytest_parallel_lab.model.gate_decisions import LOOKS_AT, Rule, holm, p_of_loss
from pytest_parallel_lab.model.statistics import Estimate

Noise = Callable[[random.Random], float]


def normal(draw: random.Random) -> float:
    return draw.gauss(0, 0.02)


def skewed(draw: random.Random) -> float:
    """A launch now and then that is much slower, as beside a busy neighbour."""
    return draw.gauss(0, 0.01) + (draw.expovariate(5) if draw.random() < 0.15 else 0)


def gated(losses: list[float], noise: Noise, seed: int, launches: int = 24) -> list[Reading]:
    """Readings after a whole gate with looks on the way."""
    draw = random.Random(seed)
    readings = [Reading("time", (), (), 0.05) for _ in losses]
    for launch in range(1, launches + 1):
        for i, loss in enumerate(losses):
            base, current = math.exp(noise(draw)), loss * math.exp(noise(draw))
            old = readings[i]
            readings[i] = replace(old, base=(*old.base, base), current=(*old.current, current))
        if launch in LOOKS_AT:
            readings = Rule().judge(readings)
    return Rule().judge(readings, last=True)


@pytest.mark.parametrize("noise", [normal, skewed])
def test_no_alarm_without_a_loss(noise: Noise) -> None:
    runs = [gated([1.0] * 10, noise, seed) for seed in range(60)]
    alarms = sum(any(one.verdict == REGRESSED for one in run) for run in runs)
    assert alarms == 0  # at most 1 % is promised: with 60 runs, one of them in every second try of this test
    assert sum(one.verdict == PASSED for run in runs for one in run) > 0.9 * 600 or noise is skewed


@pytest.mark.parametrize(("noise", "loss"), [(normal, 1.05), (normal, 1.1), (skewed, 1.1)])
def test_a_loss_is_found_beside_nine_tests_without(noise: Noise, loss: float) -> None:
    found = [gated([loss] + [1.0] * 9, noise, seed) for seed in range(40)]
    share = sum(run[0].verdict == REGRESSED for run in found) / 40
    assert share >= (0.5 if noise is skewed else 0.95)
    assert not any(one.verdict == REGRESSED for run in found for one in run[1:])


def test_an_improvement_passes_and_says_so() -> None:
    (one,) = gated([0.8], normal, 0)
    assert one.verdict == PASSED
    assert one.improved
    assert told_loss(one).startswith("-")


def test_a_loss_below_half_the_threshold_passes_though_it_is_sure() -> None:
    (one,) = gated([1.015], lambda draw: draw.gauss(0, 0.001), 0)
    assert one.p_value < 0.01
    assert one.verdict == PASSED


def test_too_few_launches_decide_nothing() -> None:
    (one,) = gated([1.5], normal, 0, launches=5)
    assert one.verdict == UNDECIDED
    assert told_loss(one).endswith("(too few launches for an interval)")


def test_much_noise_is_undecided_and_not_passed() -> None:
    found = [gated([1.05], lambda draw: draw.gauss(0, 0.3), seed)[0].verdict for seed in range(20)]
    assert found.count(PASSED) <= 2
    assert found.count(UNDECIDED) >= 15


def test_what_was_decided_stays_though_more_is_measured() -> None:
    one = Reading("time", (1.0,) * 8, (1.0,) * 8, 0.05, verdict=REGRESSED, p_value=0.0)
    assert Rule().judge([one]) == [one]


def test_less_efficiency_is_a_loss() -> None:
    draw = random.Random(1)
    base = tuple(0.9 * math.exp(draw.gauss(0, 0.005)) for _ in range(20))
    current = tuple(0.8 * math.exp(draw.gauss(0, 0.005)) for _ in range(20))
    readings = [Reading("efficiency", *both, 0.05) for both in ((base, current), (current, base))]
    lost, gained = Rule().judge(readings, last=True)
    assert (lost.verdict, gained.verdict) == (REGRESSED, PASSED)
    assert lost.loss is not None
    assert lost.loss.value == pytest.approx(0.9 / 0.8, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_p_values_are_those_of_scipy(seed: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    draw = random.Random(seed)
    worse, better = ([draw.lognormvariate(0.02, 0.1) for _ in range(6 + 4 * seed)] for _ in range(2))
    logs = [math.log(a / b) for a, b in zip(worse, better)]
    known = stats.wilcoxon(logs, alternative="greater", method="exact").pvalue
    assert p_of_loss(worse, better) == pytest.approx(known, abs=1e-12)
    many = [draw.gauss(0.01, 0.1) for _ in range(80)]
    known = stats.wilcoxon(many, alternative="greater", method="approx", correction=True).pvalue
    assert p_of_loss([math.exp(one) for one in many], [1.0] * 80) == pytest.approx(known, abs=1e-9)


def test_equal_pairs_say_nothing_and_ties_share_a_rank() -> None:
    assert p_of_loss([2.0, 3.0], [2.0, 3.0]) == 1.0
    assert p_of_loss([2.0, 2.0, 1.0], [1.0, 1.0, 1.0]) == 0.25  # both signs positive: one case of four
    assert p_of_loss([2.0, 1.0], [1.0, 2.0]) == 0.75  # ranks 1.5 and 1.5: a sum of 1.5 or more in three cases of four


def test_holm_against_a_hand_worked_case() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05) == [True, False, False, True]
    assert holm([0.01, 0.01], 0.02) == [True, True]
    assert holm([], 0.05) == []


def run_of(*tests: GatedTest) -> GateRun:
    return GateRun("main", "abc", "def-dirty", tests, 0.01, 20, 61.5, "method", {"cores": 2}, (0.5,), ("busy",), 7)


def test_the_worst_reading_is_the_tests_verdict() -> None:
    passed, lost = (Reading("time", (1.0,), (1.0,), 0.05, verdict=verdict) for verdict in (PASSED, REGRESSED))
    assert GatedTest("t", (passed, lost)).verdict == REGRESSED
    assert GatedTest("t", (passed, replace(lost, verdict=UNDECIDED))).verdict == UNDECIDED
    assert GatedTest("t", (passed,), wrong=True).verdict == WRONG
    assert GatedTest("t", why="the baseline has no such test").verdict == NOT_GATED
    assert run_of(GatedTest("t", (passed,)), GatedTest("u")).count(PASSED) == 1


def test_a_gate_is_written_and_read_back() -> None:
    reading = Reading("efficiency", (0.9, 0.8), (0.7, 0.9), 0.05, 2, Estimate(1.1, 0.9, 1.3), 0.2)
    run = run_of(GatedTest("a.py::test_x", (reading,), "noticed", False, "a.py", 3), GatedTest("a.py::test_y"))
    assert from_json(to_json(run)) == run
    assert [one["verdict"] for one in to_json(run)["tests"]] == [UNDECIDED, NOT_GATED]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "f.json: is no gate; write one with --parallel-gate-json=FILE"),
        ({"version": 9}, "f.json: version 9 of the format, and 1 is the one known here; read it with the"),
        ({"version": 1, "tests": [{}]}, "f.json: a part of the gate is missing or of another kind"),
    ],
)
def test_what_is_no_gate(data: object, told: str) -> None:
    with pytest.raises(BadSetting) as error:
        from_json(data, "f.json")
    assert str(error.value).startswith(told)
