"""``--parallel-instructions``: counts that are kept with benchmarks, and compared with those of saved runs."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from pytest_parallel_lab.gate import counted_call, instructions
from pytest_parallel_lab.gate.counted_call import count_call
from pytest_parallel_lab.gate.instructions import VALGRIND, Instructions, NotCounted, available_tools
from pytest_parallel_lab.model.errors import CannotSend
from tests.test_stored_gate import save, saved_run, words

TESTS = """
    import pytest
    from pytest_parallel_lab import implementation

    def kernel(n):
        return sum(i * i % 7 for i in range(n))

    def test_kernel(benchmark):
        assert benchmark.pedantic(kernel, (100,), rounds=3) == kernel(100)

    def test_without_one():
        pass
"""
COUNTING = ("-p", "no:cacheprovider", "--parallel-instructions=valgrind", "--benchmark-storage=saved")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Valgrind that is there and counts a million for everything, and the programs that it was given."""
    programs: list[str] = []

    def count(python: str, statement: str, setup: str, **options: object) -> Instructions:
        assert python == sys.executable
        space: dict[str, object] = {}
        exec(setup, space)  # what is counted has to work
        exec(statement, space)
        programs.append(statement)
        return Instructions(VALGRIND, (1e6,))

    monkeypatch.setattr(counted_call, "count_statement", count)
    monkeypatch.setattr(instructions, "check_tool", lambda tool: None)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return programs


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-W", "error", *COUNTING, *args)


def test_counts_are_kept_with_the_times(pytester: pytest.Pytester, counted: list[str]) -> None:
    pytester.makepyfile(test_work=TESTS)
    result = run(pytester, "--benchmark-json=out.json")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*= instructions of one call, by valgrind =*", "test_work.py::test_kernel: 1,000,000"])
    (entry,) = json.loads(Path("out.json").read_text())["benchmarks"]
    assert entry["extra_info"]["instructions"] == {"tool": "valgrind", "count": 1e6}
    assert len(counted) == 1


@pytest.mark.parametrize(("before", "outcome", "told"), [(0.9e6, "failed", "+11.11"), (0.99e6, "passed", "+1.01")])
def test_more_instructions_fail_the_test_with_a_single_saved_run(
    pytester: pytest.Pytester, counted: list[str], before: float, outcome: str, told: str
) -> None:
    pytester.makepyfile(test_work=TESTS)
    data = saved_run({"test_work.py::test_kernel": 1.0})
    data["benchmarks"][0]["extra_info"] = {"instructions": {"tool": "valgrind", "count": before}}
    data["benchmarks"][0]["options"] = {"timer": "perf_counter"}
    save([data])
    result = run(pytester, "--parallel-history")
    result.assert_outcomes(**{"passed": 1, outcome: 1} if outcome == "failed" else {"passed": 2})
    assert f"{told} %" in words(result)
    if outcome == "failed":
        assert "900,000 instructions before and 1,000,000 now, which no noise explains" in words(result)
        assert "Without a loss" not in words(result)


def test_counts_of_another_tool_are_not_compared(pytester: pytest.Pytester, counted: list[str]) -> None:
    pytester.makepyfile(test_work=TESTS)
    data = saved_run({"test_work.py::test_kernel": 1.0})
    data["benchmarks"][0]["extra_info"] = {"instructions": {"tool": "perf", "count": 1.0}}
    data["benchmarks"][0]["options"] = {"timer": "perf_counter"}
    save([data])
    assert run(pytester, "--parallel-history").parseoutcomes() == {"passed": 1, "undecided": 1}


def test_what_is_not_serial_is_told_and_fails_nothing(pytester: pytest.Pytester, counted: list[str]) -> None:
    pytester.makepyfile(
        test_work="""
        from pytest_parallel_lab import implementation

        @implementation("threads")
        def threaded(pool): return sum(pool.map(abs, [1]))

        def plain(n): return n

        def test_threaded(parallel_run, benchmark): benchmark.pedantic(parallel_run, (threaded,), rounds=2)

        def test_serial(parallel_run, benchmark):
            benchmark.pedantic(parallel_run, (plain, 3), {"backend": "serial", "reference": plain, "rtol": 1}, rounds=2)

        def test_setup(benchmark): benchmark.pedantic(plain, setup=lambda: ((1,), {}), rounds=2)

        def test_lambda(benchmark, request): benchmark.pedantic(lambda: request.config, rounds=2)
    """
    )
    result = run(pytester)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "test_work.py::test_threaded: not counted: threaded runs on threads, whose workers wait for each other",
            "test_work.py::test_serial: 1,000,000",
            "test_work.py::test_setup: not counted: its arguments are made anew for each round",
            "test_work.py::test_lambda: not counted: the function * cannot be sent to a worker: *",
        ]
    )


def test_a_tool_that_is_missing_is_refused_before_any_test(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_work=TESTS)
    monkeypatch.setenv("PATH", "/nowhere")
    result = pytester.runpytest_inprocess(*COUNTING)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    told = "--parallel-instructions: instructions cannot be counted with valgrind: there is no valgrind on PATH; *"
    result.stderr.fnmatch_lines([f"ERROR: {told}"])
    result = pytester.runpytest_inprocess("--parallel-instructions=gprof")
    result.stderr.fnmatch_lines(["ERROR: --parallel-instructions: 'gprof' counts no instructions; choose one of *"])
    result = pytester.runpytest_inprocess("-p", "no:benchmark", "--parallel-instructions=valgrind")
    result.stderr.fnmatch_lines(["ERROR: --parallel-instructions: counts for pytest-benchmark, which is turned off*"])


def total(values: np.ndarray, *, scale: float = 1.0) -> float:
    return float(values.sum() * scale)


def halves(n: int) -> object:
    yield n
    yield n / 2


def test_calls_travel_with_their_arguments(counted: list[str]) -> None:
    assert count_call(total, [np.ones(100_000)], {"scale": 2.0}).count == 1e6
    assert count_call(halves, [4]).count == 1e6
    assert counted == ["_function(*_args, **_kwargs)", "for _ in _function(*_args, **_kwargs): pass"]
    with pytest.raises(CannotSend, match="argument 1 of total"):
        count_call(total, [threading.Lock()])


@pytest.mark.skipif(bool(available_tools()[VALGRIND]), reason=available_tools()[VALGRIND])
@pytest.mark.slow
def test_calls_are_counted() -> None:
    few, many = (count_call(sum, [range(n)]).count for n in (10_000, 20_000))
    assert many / few == pytest.approx(2, rel=0.05)
    with pytest.raises(NotCounted, match="AttributeError"):
        count_call(total, [1])
