"""``parallel_report``: what a test adds to the report, as the document shows it, and what it may not add."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Run

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

DOCUMENT = Path(__file__).parents[1] / "docs" / "report.md"
GIVEN = """
import numpy as np
from matplotlib.figure import Figure

pixels_us = np.arange(12.0).reshape(3, 4)
figure = Figure()

"""


def test_the_document_s_examples_work(pytester: pytest.Pytester, run_pytest: Run) -> None:
    hook, added = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    pytester.makeconftest(hook)
    pytester.mkdir("fractals").joinpath("test_it.py").write_text(GIVEN + added, encoding="utf-8")
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=1)
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    for words in ("fractals: 1 passed", "time of every pixel", "imbalance", "cyclic", "ranks", "anything"):
        assert words in text


def test_a_summary_alone_draws_nothing(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    pytester.makepyfile("""
        import sys
        import numpy as np
        from pytest_parallel_lab import implementation

        @implementation("threads")
        def thread_map(pool, n): return list(pool.map(abs, range(n)))

        def test_it(parallel_report, parallel_run):
            parallel_report.map("a map", np.zeros((3, 4)))
            parallel_run(thread_map, 5, workers=2)
            assert parallel_run.outcome.section is None
            assert "matplotlib" not in sys.modules
    """)
    run_pytest().assert_outcomes(passed=1)
    assert "| 2w ✅ 1 |" in (pytester.path / "summary.md").read_text(encoding="utf-8")


def test_without_a_report_nothing_is_kept_or_drawn(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeconftest("""
        def pytest_runtest_logreport(report):
            assert not hasattr(report, "parallel_lab")
    """)
    pytester.makepyfile("""
        import sys
        import numpy as np
        import pytest
        def test_it(parallel_report):
            assert not parallel_report.wanted
            parallel_report.map("a map", np.zeros((3, 4)))
            parallel_report.table("a table", ["a"], [[1]])
            parallel_report.figure("a figure", "<svg/>")
            parallel_report.timeline("a timeline", [])
            assert "matplotlib" not in sys.modules
            with pytest.raises(ValueError, match=r"map 'm': needs an array of two dimensions .* not shape .3,."):
                parallel_report.map("m", np.zeros(3))
            with pytest.raises(ValueError, match="not list"):
                parallel_report.map("m", [[1]])
            with pytest.raises(TypeError, match="int is neither a matplotlib Figure nor SVG text"):
                parallel_report.figure("f", 3)
            with pytest.raises(TypeError, match="this text is no SVG: '<p>'"):
                parallel_report.figure("f", "<p>")
    """)
    run_pytest().assert_outcomes(passed=1)


def test_tables_and_timelines_are_checked(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import pytest
        def test_it(parallel_report):
            with pytest.raises(ValueError, match="table 't': row 2 has 1 cells, the header 2"):
                parallel_report.table("t", ["a", "b"], [[1, 2], [3]])
            with pytest.raises(ValueError, match="timeline 't': 'sleeping' is none of start-up, compute"):
                parallel_report.timeline("t", [("w", 0, 1, "sleeping", "")])
            with pytest.raises(ValueError, match="timeline 't': span 'x' of w ends at 1, before 2"):
                parallel_report.timeline("t", [("w", 2, 1, "compute", "x")])
    """)
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=1)


@pytest.mark.parametrize("more", [(), ("-n1",)], ids=["here", "xdist"])
def test_what_such_a_test_runs_has_timelines(pytester: pytest.Pytester, run_pytest: Run, more: tuple[str, ...]) -> None:
    pytester.makepyfile("""
        from pytest_parallel_lab import implementation

        @implementation("processes")
        def pool_map(pool, n): return pool.map(abs, range(n))

        def test_shown(parallel_run, parallel_report):
            for n in range(30): parallel_run(pool_map, n + 1, workers=2)

        def test_not_shown(parallel_run): parallel_run(pool_map, 5, workers=2)
    """)
    run_pytest("--parallel-report=out.html", *more).assert_outcomes(passed=2)
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert text.count("<h3>pool_map (processes), workers: 2</h3>") == 20
    assert text.count('aria-label="Timeline of 2 workers') == 20


def test_a_timed_run_is_not_noted(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        from pytest_parallel_lab import implementation

        @implementation("processes")
        def pool_map(pool, n): return pool.map(abs, range(n))

        def test_timed(parallel_run, parallel_report, benchmark):
            benchmark.pedantic(parallel_run, args=(pool_map, 5), kwargs={"workers": 2}, rounds=1)
            assert parallel_run.outcome.section is None
    """)
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=1)
