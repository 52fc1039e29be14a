"""The scaling fixture and mark: options, benchmarks, and what is kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_parallel_lab import CurveWarning, ScalingCurve
from pytest_parallel_lab.model.curve_files import load_curves
from tests import scaled
from tests.conftest import Run

TEST = """
    import pytest
    import scaled

    @pytest.mark.scaling(workers=[1, 2], rounds=6, seconds=0)
    def test_naps(scaling):
        curve = scaling(scaled.thread_map, range(6), reference=scaled.squares, size=6, unit="naps")
        assert curve.speed_up(2).value > 1
"""
ONCE = TEST.replace("rounds=6", "rounds=1").replace("range(6)", "range(4)")


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(scaled=Path(scaled.__file__).read_text(), test_naps=ONCE)
    return pytester


def test_every_point_is_a_benchmark_and_the_curve_comes_back(project: pytest.Pytester, run_pytest: Run) -> None:
    project.makepyfile(test_naps=TEST)
    result = run_pytest("--benchmark-json=saved.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines_random([f"test_naps[[]{label}[]] *" for label in ("serial", "1w", "2w")])
    saved = json.loads((project.path / "saved.json").read_text())
    assert [one["stats"]["rounds"] for one in saved["benchmarks"]] == [6, 6, 6]
    curve = ScalingCurve.load(project.path / "saved.json")
    assert (curve.name, curve.backend, curve.workers, curve.unit) == ("thread_map", "threads", (1, 2), "naps")
    by_name = {one["name"]: one for one in saved["benchmarks"]}
    for workers in curve.workers:
        recorded = by_name[f"test_naps[{workers}w]"]["stats"]["median"]
        assert recorded == pytest.approx(curve.time_s(workers).value)
    assert by_name["test_naps[serial]"]["stats"]["data"] == pytest.approx(curve.serial_times_s)


def test_saved_runs_are_compared_point_by_point(project: pytest.Pytester, run_pytest: Run) -> None:
    run_pytest("--benchmark-autosave").assert_outcomes(passed=1)
    result = run_pytest("--benchmark-compare")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines_random(["test_naps[[]2w[]] (NOW) *", "test_naps[[]2w[]] (0001*"])


def test_without_benchmarks_only_the_results_are_checked(project: pytest.Pytester, run_pytest: Run) -> None:
    result = run_pytest("--benchmark-disable", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*right with 1, 2 workers; not measured (--benchmark-disable)*"])
    run_pytest("--benchmark-skip").assert_outcomes(skipped=1)


def test_only_benchmarks_are_wanted(project: pytest.Pytester, run_pytest: Run) -> None:
    project.makepyfile(test_other="def test_other(): pass")
    run_pytest("--benchmark-only").assert_outcomes(passed=1, skipped=1)


def test_curves_of_one_function_are_told_apart(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        scaled=Path(scaled.__file__).read_text(),
        test_naps="""
            import pytest
            import scaled

            @pytest.mark.parametrize("n", [2, 3])
            @pytest.mark.scaling(workers=[1], rounds=1, seconds=0)
            def test_naps(scaling, n):
                for _ in range(2):
                    scaling(scaled.thread_map, range(n))
        """,
    )
    run_pytest("--benchmark-json=saved.json").assert_outcomes(passed=2)
    with pytest.warns(CurveWarning, match="one point only"):
        curves = load_curves(pytester.path / "saved.json")
    assert [one.test for one in curves] == [f"test_naps.py::test_naps[{n}]{i}" for n in (2, 3) for i in ("", "#2")]
    names = [one["name"] for one in json.loads((pytester.path / "saved.json").read_text())["benchmarks"]]
    assert len(set(names)) == 4


def test_it_works_without_pytest_benchmark(project: pytest.Pytester, run_pytest: Run) -> None:
    run_pytest("-p", "no:benchmark").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("scaling(5)", "*mark scaling: takes keyword arguments only; write scaling(workers=*"),
        ("scaling(round=5)", "*mark scaling: unexpected argument 'round'; write scaling(*"),
        ("scaling(rounds=0)", "*mark scaling: rounds=0 is not a whole number of at least 1*"),
    ],
)
def test_bad_marks_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run, mark: str, said: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pass")
    result = run_pytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_the_call_goes_before_the_mark(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        scaled=Path(scaled.__file__).read_text(),
        test_naps=TEST.replace(
            "reference=scaled.squares,", "reference=scaled.squares, workers=[2, 3], rounds=1,"
        ).replace("curve.speed_up(2).value > 1", "curve.workers == (2, 3)"),
    )
    run_pytest("--parallel-workers=4").assert_outcomes(passed=1)


def test_a_script_can_measure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(scaled=Path(scaled.__file__).read_text())
    script = pytester.path / "script.py"
    script.write_text(
        "import scaled\nfrom pytest_parallel_lab import Lab, measure_scaling\nwith Lab() as lab:\n"
        "    curve = measure_scaling(lab, scaled.thread_map, range(3), workers=[1, 2], rounds=1, seconds=0)\n"
        "    print(curve.workers)\n"
    )
    command = [sys.executable, "-W", "error", "script.py"]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("(1, 2)\n", "")
