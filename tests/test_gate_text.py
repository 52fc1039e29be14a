"""What a gate says on the terminal, of one test and of all, and its figures for JUnit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_parallel_lab.model.gate import PASSED, REGRESSED, UNDECIDED, GatedTest, Reading, told_loss
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report.columns import Look
from pytest_parallel_lab.report.gate_rows import rows_of, short_commit
from pytest_parallel_lab.report.gate_text import explain, gate_line, gate_lines, properties
from tests.gates import COMMIT, gated, judged, reading, rich_gate


def one(loss: Estimate | None, verdict: str, **more: Any) -> Reading:
    """A reading as it was judged, with figures that can be written down."""
    given: dict[str, Any] = {"p_value": 0.0004, **more}
    return replace(Reading("time", (0.5, 0.25), (0.5, 0.3), 0.05, loss=loss, verdict=verdict), **given)


LOST = Estimate(1.078, 1.061, 1.094)


def test_a_regression_is_explained() -> None:
    memory = one(Estimate(1.001, 0.99, 1.01), PASSED, metric="memory", base=(1 << 20,), current=(3 << 19,))
    test = GatedTest("t.py::test_it", (one(LOST, REGRESSED), memory))
    assert explain(test, rich_gate()).splitlines() == [
        "regressed against main (1f3a5c7e9b): time +7.8 % [+6.1, +9.4] (longer)",
        "  time: regressed, +7.8 % [+6.1, +9.4]; base 375 ms, now 400 ms; 2 launches each; p = 0.0004; threshold 5 %",
        "  memory: passed, +0.1 % [-1.0, +1.0]; base 1 MiB, now 1.5 MiB; 1 launch each; p = 0.0004; threshold 5 %",
        "20 launches of each version in 61.5 s, in random order, side by side; medians; "
        "at most 1 % of the runs without any loss fail",
        "Next: look at what changed since 1f3a5c7e9b; a loss that is accepted takes a higher "
        "--parallel-gate-threshold, or the test's",
        '  own: @pytest.mark.parallel_gate(threshold="10%").',
    ]


def test_a_loss_below_the_threshold_that_fails_says_why() -> None:
    run = rich_gate(base_commit="", method="the method.")
    told = explain(GatedTest("t", (one(Estimate(1.04, 1.03, 1.05), REGRESSED),)), run)
    assert "time: +4.0 % is below the threshold of 5 %; why it fails all the same: the method." in told
    assert told.splitlines()[0].startswith("regressed against main: ")
    assert "Next: look at what changed since the base; " in told
    assert "below the threshold" not in explain(GatedTest("t", (one(LOST, REGRESSED),)), run)


@pytest.mark.parametrize(
    ("loss", "helps"),
    [
        (Estimate(1.03, 0.9, 1.2), "the interval is 30 % wide, and the threshold 5 %."),
        (Estimate(1.03, 0, float("inf"), 1.0), "20 launches were too few for an interval."),
        (None, "20 launches were too few for an interval."),
    ],
)
def test_what_would_help_where_it_is_undecided(loss: Estimate | None, helps: str) -> None:
    first, *_, last = explain(GatedTest("t", (one(loss, UNDECIDED),)), rich_gate()).splitlines()
    assert first.startswith("undecided against main (1f3a5c7e9b), which is not passed: time ")
    assert last == (f"Next: measure longer (--parallel-gate-seconds), or on a machine with less else to do; {helps}")


def test_wrong_and_not_gated_tell_no_figures() -> None:
    wrong = GatedTest("t", (one(LOST, REGRESSED),), wrong=True, why="the base gives 3, this version 4")
    assert explain(wrong, rich_gate()).splitlines() == [
        "wrong against main (1f3a5c7e9b): the base gives 3, this version 4",
        "Next: find out which of the two answers is right; how long they took is not compared until they agree.",
    ]
    assert properties(wrong) == [("gate", "wrong")]
    new = GatedTest("t", why="the base has no such test")
    assert explain(new, rich_gate()) == "not gated against main (1f3a5c7e9b): the base has no such test"


def test_what_passed_says_what_became_better_and_what_was_noted() -> None:
    better = GatedTest("t", (one(Estimate(0.8, 0.79, 0.81), PASSED),), why="oversubscribed")
    first, noted, *_ = explain(better, rich_gate()).splitlines()
    assert first == "passed against main (1f3a5c7e9b), better: time -20.0 % [-21.0, -19.0]"
    assert noted == "noted: oversubscribed"
    assert explain(GatedTest("t", (one(Estimate(1.0, 0.99, 1.01), PASSED),)), rich_gate()).startswith(
        "passed against main (1f3a5c7e9b)\n"
    )


def test_the_figures_for_junit() -> None:
    curve = one(Estimate(1.5, 0, float("inf"), 1.0), UNDECIDED, metric="efficiency", workers=2)
    found = properties(GatedTest("t", (one(LOST, REGRESSED), curve, one(None, UNDECIDED, base=(), current=()))))
    assert found[:10] == [
        ("gate", "regressed"),
        ("gate_time", "regressed"),
        ("gate_time_loss", "1.078"),
        ("gate_time_low", "1.061"),
        ("gate_time_high", "1.094"),
        ("gate_time_confidence", "0.95"),
        ("gate_time_p", "0.0004"),
        ("gate_time_threshold", "0.05"),
        ("gate_time_base", "0.375"),
        ("gate_time_current", "0.4"),
    ]
    names = [name for name, _ in found]
    assert "gate_efficiency_2w_loss" in names
    assert "gate_efficiency_2w_high" not in names
    assert found[-2:] == [("gate_time", "undecided"), ("gate_time_threshold", "0.05")]
    second = GatedTest("t", (one(LOST, REGRESSED, part=2), one(LOST, REGRESSED, part=3, workers=4)))
    names = [name for name, _ in properties(second)]
    assert {"gate_part2_time_loss", "gate_part3_time_4w_loss"} <= set(names)
    assert len(names) == len(set(names))
    assert properties(GatedTest("t")) == [("gate", "not gated")]


def test_the_worst_come_first() -> None:
    rows = rows_of(rich_gate())
    assert [row.verdict for row in rows] == (
        ["wrong", "regressed", "regressed", "undecided", "not gated", "passed", "passed", "passed", "passed"]
    )
    assert [row.test.nodeid.partition("::")[2] for row in rows[:3]] == [
        "test_wrong",
        "test_curve",
        "test_slow[pool_map-processes-2w]",
    ]
    assert rows[-1].told_verdict == "better"
    little = one(Estimate(0.99, 0.98, 0.999), PASSED)
    assert (little.improved, replace(little, threshold=0.01).improved) == (False, True)
    assert rows_of(judged(gated("t", reading(part=2, workers=2))))[0].what == "time #2 2w"
    assert rows[0].cells == ("wrong", "tests/test_speed.py::test_wrong", "", "", "", "", "")


@pytest.mark.parametrize("width", [120, 80, 40, 20])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_table_fits_the_terminal_and_its_encoding(width: int, encoding: str) -> None:
    tiny = judged(
        gated("test_a_name_that_is_much_too_long_for_any_terminal[pool_map-processes-2w]", reading(1.08)),
        gated("test_short", replace(reading(), base=(1e-5,) * 20, current=(1e-5,) * 20)),
    )
    lines = gate_lines(tiny, Look.of(width, encoding))
    assert all(len(line) <= max(width, 40) for line in lines)
    "\n".join(lines).encode(encoding)
    heading = next(i for i, line in enumerate(lines) if line.startswith("test  "))
    assert lines[heading + 1].endswith("2w]") or "2w]  " in lines[heading + 1]
    assert lines[heading + 2].startswith("test_short")


def test_the_table() -> None:
    lines = gate_lines(rich_gate(), Look(100))
    text = " ".join(" ".join(lines).split())
    assert text.startswith(
        "9999999999-dirty against main (1f3a5c7e9b): 20 launches of each version in 61.5 s, load average 0.4 to 1.3; "
        "at most 1 % of the runs without any loss fail"
    )
    (row,) = (line for line in lines if line.startswith("test_noisy"))
    assert row.split()[1] == "undecided"
    assert row.split()[-4:-2] == ["12.6", "ms"]
    assert "tests/test_speed.py::test_new: the base has no such test" in lines
    assert (
        "undecided is not passed: measure longer (--parallel-gate-seconds), or on a machine with less else to do; "
        "the interval is 36.6 % wide, and the threshold 5 %." in text
    )
    noisy = judged(gated("t", reading(1.03, 0.2), reading(1.03, 0.1)))
    assert "the widest interval is 36.6 % wide" in " ".join(" ".join(gate_lines(noisy, Look(300))).split())
    assert "warning: cores are busy with others: load average 1.3" in lines
    assert lines[-1] == "1 wrong, 2 regressed, 1 undecided, 1 not gated, 2 passed of 7 tests (1 better)"


def test_names_that_would_be_alike_stay_whole() -> None:
    same, begun, ended = "a" * 40, "test_" + "a" * 20, "z" * 20
    nodeids = [f"{begun}{middle}{same}{ended}" for middle in "xy"]
    lines = gate_lines(judged(*(gated(name, reading()) for name in nodeids)), Look(80))
    assert sum(any(name in line for line in lines) for name in nodeids) == 2


def test_with_several_files_names_have_theirs() -> None:
    tests = (gated("test_a", reading()), GatedTest("tests/deep/test_other.py::test_a", (reading(),)))
    lines = gate_lines(judged(*tests), Look(100))
    assert any(line.startswith("tests/deep/test_other.py::test_a ") for line in lines)
    narrow = gate_lines(judged(*tests), Look(60))
    assert any(line.startswith("test_other.py::test_a ") for line in narrow)


def test_a_gate_in_one_line() -> None:
    assert gate_line(rich_gate()) == (
        "9999999999-dirty against main (1f3a5c7e9b): 1 wrong, 2 regressed, 1 undecided, 1 not gated, 2 passed "
        "of 7 tests (1 better); worst: tests/test_speed.py::test_curve eff. 2w " + rows_of(rich_gate())[1].loss
    )
    assert gate_line(judged(gated("t", reading()), base="0.3", base_commit="0.3")).endswith(
        "against 0.3: 1 passed of 1 test"
    )
    assert gate_line(judged(current_commit="")) == "this version against main (1f3a5c7e9b): nothing gated of 0 tests"


def test_commits_are_short_and_versions_whole() -> None:
    assert short_commit(COMMIT) == "1f3a5c7e9b"
    assert short_commit(f"{COMMIT}-dirty") == "1f3a5c7e9b-dirty"
    assert short_commit("0.3.0-rc1") == "0.3.0-rc1"


def test_of_no_loss_there_is_no_minus() -> None:
    assert told_loss(one(Estimate(0.99999, 0.9996, 1.0), PASSED)) == "+0.0 % [+0.0, +0.0]"
