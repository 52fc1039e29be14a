"""``--parallel-history``: benchmarks that became slower than in saved runs fail their own tests."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy  # noqa: F401  (sessions in this process import it, and it cannot be imported twice)
import pytest
from pytest_benchmark.utils import get_machine_id

from pytest_parallel_lab.gating import history as stored_gate
from pytest_parallel_lab.model.saved_runs import KEY, facts_for_file
from pytest_parallel_lab.scaling.machine import kind_of_machine
from tests.conftest import Run

SESSION = ("-p", "no:cacheprovider", "--parallel-history", "--benchmark-storage=saved")
STATS = ("min", "max", "mean", "stddev", "median", "iqr", "q1", "q3", "ld15iqr", "hd15iqr", "ops", "total")
# A clock that stands still but for what the tests let pass: the times are exactly those of the variable.
KERNELS = """
    import pytest

    NOW = [0.0]
    TIMES = {times}

    def clock():
        return NOW[0]

    def work(name):
        NOW[0] += TIMES[name]

    @pytest.mark.parametrize("name", TIMES)
    @pytest.mark.benchmark(timer=clock)
    def test_kernel(name, benchmark):
        benchmark.pedantic(work, (name,), rounds=3)

    def test_without_a_benchmark():
        pass
"""


def saved_run(times_s: dict[str, float], commit: str = "", facts: Any = None) -> dict[str, Any]:
    """What pytest-benchmark saves."""
    entries = [
        {
            "fullname": name if "::" in name else f"test_kernels.py::test_kernel[{name}]",
            "extra_info": {},
            "options": {"timer": "clock"},
            "stats": {"q1": time_s},
        }
        for name, time_s in times_s.items()
    ]
    return {
        "benchmarks": entries,
        "commit_info": {"id": commit or "unversioned", "dirty": False},
        KEY: facts or facts_for_file(kind_of_machine()),
    }


def save(runs: Sequence[dict[str, Any]]) -> None:
    directory = Path("saved", get_machine_id())  # type: ignore[no-untyped-call]
    directory.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(runs, len(list(directory.iterdir())) + 1):
        data["datetime"] = f"2026-01-{1 + number // 24:02}T{number % 24:02}:00:00.123456+00:00"
        (directory / f"{number:04}_run.json").write_text(json.dumps(data))


def stationary(count: int, names: Sequence[str] = ("a",), time_s: float = 0.01) -> list[dict[str, Any]]:
    """Runs that differ by up to 1 %, with no run of one commit nearer to each other than to others."""
    return [saved_run(dict.fromkeys(names, time_s * (1 + 0.01 * (37 * i % count) / count))) for i in range(count)]


@pytest.fixture
def history(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_kernels=KERNELS.format(times={"a": 0.01}))
    return pytester


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-W", "error", *SESSION, *args)


def words(result: pytest.RunResult) -> str:
    """What was printed, however it was wrapped."""
    return " ".join(result.stdout.str().split())


def test_a_test_that_became_slower_fails_by_itself(history: pytest.Pytester) -> None:
    save(stationary(210, ["slow", "same"]))
    history.makepyfile(test_kernels=KERNELS.format(times={"slow": 0.011, "same": 0.01005}))
    result = run(history, "--junitxml=junit.xml")
    result.assert_outcomes(failed=1, passed=2)
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "parallel-history: 210 saved runs in saved, 210 of this kind of machine",
            "regressed against history: *test_kernel?slow? +9.5 % [[]+9.0, +10.0[]] (11 ms, before 10*ms)",
            "  test_kernels.py::test_kernel?slow?: regressed, 210 commits against 1 now, p = 0.0047",
            "Without a loss this test would fail in at most 1 of 200 runs.",
            "*= history =*",
            "test_kernel?slow?  regressed  +9.5 % [[]+9.0, +10.0[]] * 11 ms  0.0047",
            "test_kernel?same?  passed *",
            "1 regressed, 1 passed",
        ]
    )
    cases = {case.attrib["name"]: case for case in ET.parse("junit.xml").iter("testcase")}
    assert [name for name, case in cases.items() if case.find("failure") is not None] == ["test_kernel[slow]"]
    figures = {one.attrib["name"]: one.attrib["value"] for one in cases["test_kernel[slow]"].iter("property")}
    assert figures["history"] == "regressed"
    assert float(figures["history_loss"]) == pytest.approx(1.095, abs=0.001)
    assert figures["history_runs"] == "210"
    assert "Traceback" not in result.stdout.str()


def test_the_same_tests_pass_at_the_speed_that_they_had(history: pytest.Pytester) -> None:
    save(stationary(210))
    result = run(history)
    result.assert_outcomes(passed=2)
    assert result.ret == 0


def test_undecided_is_an_outcome_of_its_own(history: pytest.Pytester) -> None:
    save(stationary(5))
    history.makepyfile(test_kernels=KERNELS.format(times={"a": 0.02}))
    result = run(history, "-v", "--junitxml=junit.xml")
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 1, "undecided": 1}
    told = "5 commits before and 1 now: 99 are needed for 1 in 100, or several runs of each of 8 commits"
    result.stdout.fnmatch_lines(["*test_kernel?a? UNDECIDED*", "*= history =*", f"test_kernel?a?: {told[:50]}*"])
    (skipped,) = ET.parse("junit.xml").iter("skipped")
    assert skipped.attrib["message"].startswith("undecided against history: test_kernels.py::test_kernel[a] +9")
    assert told in skipped.attrib["message"]
    assert "Undecided is not passed. Next: run again with --benchmark-autosave" in skipped.attrib["message"]


def test_undecided_fails_where_that_is_wanted(history: pytest.Pytester) -> None:
    result = run(history, "--parallel-gate-undecided=fail")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "parallel-history: no saved run in saved; save some with --benchmark-autosave",
            "undecided against history: *test_kernel?a?: no saved run of this kind of machine has it",
        ]
    )


def test_other_machines_are_left_out_and_told(history: pytest.Pytester) -> None:
    there = {**kind_of_machine(), "processor": "Abacus 3000", "usable_cores": 64}
    here = kind_of_machine()
    others = [saved_run({"a": 0.005}, facts=facts_for_file(there)) for i in range(2)]
    save([*stationary(9), *others, saved_run({"a": 0.005}, facts="none")])
    result = run(history)
    result.stdout.fnmatch_lines(
        [
            "parallel-history: 12 saved runs in saved, 9 of this kind of machine; 2 left out: other machine (processor "
            f"Abacus 3000 instead of {here['processor']}, usable_cores 64 instead of {here['usable_cores']}); "
            "1 left out: saved without the facts about the machine, by an earlier version or without this plugin",
            "*9 commits before and 1 now*",
        ]
    )


def test_files_that_are_no_saved_runs_are_named(history: pytest.Pytester) -> None:
    save(stationary(3))
    for name, text in (("cut.json", '{"benchmarks": ['), ("list.json", "[]"), ("bare.json", '{"benchmarks": [{}]}')):
        Path("saved", name).write_text(text)
    result = run(history, "-q")
    result.stdout.fnmatch_lines(["history: 1 undecided"])
    result = run(history)
    told = "bare.json is no saved run of pytest-benchmark: benchmark 1 has no fullname"
    result.stdout.fnmatch_lines(
        [
            "parallel-history: 6 saved runs in saved, 3 of this kind of machine; "
            f"1 left out: {told}; 1 left out: cut.json is no JSON: *; "
            "1 left out: list.json is no saved run of pytest-benchmark: it has no list of benchmarks"
        ]
    )


def test_times_that_are_none_are_left_out_and_named(history: pytest.Pytester) -> None:
    save([*stationary(3), saved_run({"a": float("nan")}), saved_run({"a": 0.0})])
    result = run(history)
    result.stdout.fnmatch_lines(
        [
            "test_kernel?a?: 1 left out: 0004_run.json: the lower quartile of its times is*",
            "test_kernel?a?: 1 left out: 0005_run.json: the lower quartile of its times is*",
        ]
    )
    assert "the lower quartile of its times is nan, which is no time" in words(result)


def test_a_benchmark_that_takes_no_time_now_is_undecided(history: pytest.Pytester) -> None:
    save(stationary(3))
    history.makepyfile(test_kernels=KERNELS.format(times={"a": 0.0}))
    result = run(history)
    assert result.parseoutcomes() == {"passed": 1, "undecided": 1}
    result.stdout.fnmatch_lines(["test_kernel?a?: the lower quartile of its times is 0.0, which is no time"])


def test_a_renamed_benchmark_is_undecided_and_its_old_name_told(history: pytest.Pytester) -> None:
    save(stationary(3, ["test_kernels.py::test_kernels[a]"]))
    result = run(history)
    told = "test_kernel[a]: no saved run of this kind of machine has it; test_kernels.py::test_kernels[a] is there"
    assert f"{told}, and not in this session: was it renamed?" in words(result)


def test_runs_of_this_commit_are_evidence_too(history: pytest.Pytester) -> None:
    history.makeconftest("""
        def pytest_benchmark_update_commit_info(commit_info):
            commit_info.update(id="now", dirty=False)
    """)
    commits = [(i, time_s) for i in range(12) for time_s in (0.01 + 1e-5 * i, 0.0102 - 1e-5 * i)]
    save([saved_run({"a": time_s}, f"c{i}") for i, time_s in commits])
    history.makepyfile(test_kernels=KERNELS.format(times={"a": 0.011}))
    assert "24 runs before and 1 now: 99 are needed for 1 in 100, or 2 runs of this commit" in words(run(history))
    save([saved_run({"a": 0.0111}, "now")])
    result = run(history)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*regressed, 24 runs of 12 commits against 2 now, p = 0.0062"])


def test_tails_may_be_taken_for_granted(history: pytest.Pytester) -> None:
    history.makeconftest("""
        def pytest_benchmark_update_commit_info(commit_info):
            commit_info.update(id="now", dirty=False)
    """)
    save([*stationary(20), *(saved_run({"a": 0.012}, "now") for _ in range(2))])
    history.makepyfile(test_kernels=KERNELS.format(times={"a": 0.012}))
    result = run(history)
    assert result.parseoutcomes() == {"passed": 1, "undecided": 1}
    assert "1 in 1,000,000,000" in words(result)
    result = run(history, "--parallel-history-assume=tails")
    result.assert_outcomes(failed=1, passed=1)
    assert "judged by how far away it is: these are too few runs to judge by ranks" in words(result)


def test_a_change_that_was_accepted_is_told(history: pytest.Pytester) -> None:
    save([*stationary(20, time_s=0.008), *stationary(20)])
    result = run(history, "--parallel-gate-threshold=20%")
    result.assert_outcomes(passed=2)
    assert "+25.0 % since 0021_run.json, and compared with what came since then" in words(result)


def test_the_share_of_a_test_that_failed_goes_to_the_next(history: pytest.Pytester) -> None:
    save(stationary(130, ["first", "second"]))
    times = {"first": 0.02, "second": 0.02}
    history.makepyfile(test_kernels=KERNELS.format(times=times))
    result = run(history)
    assert result.parseoutcomes() == {"passed": 1, "undecided": 2}
    result.stdout.fnmatch_lines(["*test_kernel?first?: 130 commits before and 1 now: 199 are needed for 1 in 200*"])
    save(stationary(20, ["first"]))
    result = run(history, "--parallel-gate-false-alarms=1.35%")  # 1 in 148 for the first, 1 in 74 for the next one
    result.assert_outcomes(failed=2, passed=1)


def test_the_marks_threshold_goes_before_the_sessions(history: pytest.Pytester) -> None:
    save(stationary(110))
    source = KERNELS.format(times={"a": 0.011})
    mark = "@pytest.mark.parallel_gate(threshold='30%')"
    history.makepyfile(test_kernels=source.replace("@pytest.mark.param", f"{mark}\n    @pytest.mark.param"))
    run(history).assert_outcomes(passed=2)
    history.makepyfile(test_kernels=source)
    run(history).assert_outcomes(failed=1, passed=1)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (
            ("--benchmark-disable",),
            "--parallel-history: nothing is measured in this session: benchmarks are off*",
        ),
        (("--benchmark-skip",), "--parallel-history: nothing is measured in this session*"),
        (("-n1",), "--parallel-history: nothing is measured in this session*"),
        (("--parallel-gate=main",), "--parallel-history: compares with saved runs, --parallel-gate side by side*"),
        (("--parallel-gate-threshold=much",), "--parallel-gate-threshold: 'much' is no share above 0*"),
        (
            ("--parallel-history-assume=tail",),
            "--parallel-history-assume: unknown assumption 'tail'; did you mean 'tails'?*",
        ),
        (("--benchmark-storage=test_kernels.py",), "--parallel-history: *test_kernels.py is no directory*"),
    ],
)
def test_what_cannot_be_compared_is_refused(history: pytest.Pytester, args: tuple[str, ...], told: str) -> None:
    result = run(history, *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {told}"])


def test_under_a_tracer_it_is_refused(history: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_gate, "is_traced", lambda config: True)
    result = run(history)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --parallel-history: coverage, a debugger or a profiler is at work, and was*"])


def test_without_pytest_benchmark_it_is_refused(history: pytest.Pytester) -> None:
    result = history.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:benchmark", "--parallel-history")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --parallel-history: reads runs of pytest-benchmark, which is turned off*"])


# --- the comparisons of pytest-benchmark, and what is saved for ours ----------------------------------

OURS = """
    import time
    import pytest
    from pytest_parallel_lab import implementation

    @implementation("processes")
    def asleep(pool): pool.map(time.sleep, [0.001] * 2)

    def test_run(parallel_run, benchmark): benchmark(parallel_run, asleep, workers=2)

    @pytest.mark.scaling(workers=[1, 2], rounds=2, seconds=0.1)
    def test_curve(scaling): scaling(asleep)
"""


def test_runs_and_points_of_curves_are_compared_by_pytest_benchmark_and_by_us(
    pytester: pytest.Pytester, run_pytest: Run
) -> None:
    pytester.makepyfile(test_ours=OURS)
    names = ["test_curve[1w]", "test_curve[2w]", "test_run"]
    data = saved_run({f"test_ours.py::{name}": 1e-9 for name in names})
    for entry in data["benchmarks"]:  # far faster than anything can be
        entry |= {"name": entry["fullname"].partition("::")[2], "group": None, "params": None, "param": None}
        entry["options"] = {}
        entry["stats"] = dict.fromkeys(STATS, 1e-9) | {"rounds": 3, "iterations": 1, "outliers": "0;0"}
    save([{**data, "machine_info": {}}])
    fast = ("--benchmark-max-time=0.05", "--benchmark-min-rounds=3", "--benchmark-storage=saved")
    stock = (
        "-W",
        "ignore:Benchmark machine_info is different",
        "--benchmark-autosave",
        "--benchmark-compare=0001",
        "--benchmark-compare-fail=mean:100%",
    )
    result = run_pytest(*fast, *stock, "--parallel-history")
    assert result.ret == 1
    failed = [line.split() for line in result.stderr.lines if "Field 'mean' has failed" in line]
    assert sorted(line[0] for line in failed) == names
    assert "1 left out: other settings (" in words(result)
    (file,) = Path("saved").glob("*/0002_*.json")
    found = json.loads(file.read_text())
    assert sorted(entry["name"] for entry in found["benchmarks"]) == names
    assert found[KEY] == facts_for_file(kind_of_machine())
