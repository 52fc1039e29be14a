"""``--parallel-report``, ``--parallel-plots`` and the step summary, from the outside."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Run, hide

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

MIXED = """
    import numpy as np
    import pytest
    from pytest_parallel_lab import implementation
    from pytest_parallel_lab.report.attachments import attach
    from tests.reports import curve, deadlock

    @implementation("threads")
    def twice(pool, value): return 2 * value

    @pytest.mark.parallel_workers(1, 2)
    @pytest.mark.parametrize("impl", [twice])
    def test_right(impl, parallel_run, parallel_workers): assert parallel_run(impl, 4, workers=parallel_workers) == 8
    def test_curve(request): attach(request.node, "curve", curve().to_json())
    def test_wrong(parallel_run): parallel_run(twice, 4, workers=3, reference=lambda value: value)
    def test_skipped(): pytest.skip("not today")
    @pytest.fixture
    def broken(): raise OSError("no such thing")
    def test_error(broken): pass
    def test_adds(parallel_report):
        assert parallel_report.wanted
        parallel_report.table("sums", ["a", "b"], [[np.int64(1), np.float64(2.5)]])
        parallel_report.map("a map", np.arange(12.0).reshape(3, 4), unit="$ per \\\\frac{pixel")
        parallel_report.map("nothing to see", np.full((2, 2), np.nan))
        parallel_report.map("one far above", np.pad([[1e9]], 20))
        parallel_report.timeline("a timeline", [("rank 0", 0, 1.5, "compute", "all")])
        from matplotlib.figure import Figure
        parallel_report.figure("a figure", Figure())
        parallel_report.figure("an svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
"""


@pytest.fixture
def mixed(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(test_mixed=MIXED)
    pytester.makeini(f"[pytest]\npythonpath = {Path(__file__).parents[1]}\n")
    return pytester


@pytest.mark.parametrize("processes", [(), ("-n2",)], ids=["here", "xdist"])
def test_everything_arrives(
    mixed: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    summary = mixed.path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = run_pytest("--parallel-report=out.html", "--parallel-plots=drawn", *processes)
    result.assert_outcomes(passed=4, failed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "parallel report: file://*/out.html",
            "parallel plots: 2 files in */drawn",
            "parallel summary: */summary.md",
        ]
    )
    text = (mixed.path / "out.html").read_text(encoding="utf-8")
    for words in (
        "1 failed, 1 error, 4 passed, 1 skipped",
        "mixed, threads, 1 worker: 1 passed",
        "mixed, threads, 3 workers: 1 failed (Mismatch)",
        "mixed, processes, 6 workers: 1 passed",
        "no such thing",
        "not today",
        "mixed: strong scaling, 1,000 rows",
        "a timeline",
        "$ per \\frac{pixel",
    ):
        assert words in text, words
    assert text.count('src="data:image/svg+xml') == 2
    assert sorted(path.suffix for path in (mixed.path / "drawn").iterdir()) == [".png", ".svg"]
    assert "| mixed | 1w ✅ 1, 2w ✅ 1, 3w ❌ 1 Mismatch |" in summary.read_text(encoding="utf-8")
    assert not [path for path in mixed.path.iterdir() if path.name.startswith(".out.html")]


def test_quiet_is_quiet(mixed: pytest.Pytester, run_pytest: Run) -> None:
    result = run_pytest("-q", "-k", "curve", "--parallel-report=out.html")
    result.stdout.no_fnmatch_line("*parallel report*")
    assert (mixed.path / "out.html").exists()


def test_races_and_deadlocks_are_kept_where_tests_expect_them(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import multiprocessing
        import threading
        import pytest
        from pytest_parallel_lab import Deadlock, Race

        def count():
            box = [0]
            def add():
                value = box[0]
                box[0] = value + 1
            threads = [threading.Thread(target=add) for _ in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            return box[0]

        def forever():
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()

        def test_race(explore):
            with pytest.raises(Race):
                explore(count)

        def test_deadlock(supervised):
            with pytest.raises(Deadlock):
                supervised(forever)
    """)
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=2)
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "Interleaving: one column for each worker" in text
    assert "--parallel-replay=" in text
    assert 'aria-label="Wait-for graph: ' in text


INTERRUPTED = """
    def test_first(): pass
    def test_interrupted(): raise KeyboardInterrupt("enough")
    def test_never(): pass
"""


def test_an_interrupted_session_is_reported(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(INTERRUPTED)
    assert run_pytest("--parallel-report=out.html").ret == pytest.ExitCode.INTERRUPTED
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "Not all tests ran: interrupted: KeyboardInterrupt (enough)" in text
    assert "1 error, 1 passed, 1 not run" in text
    assert "the session ended while this test ran" in text


def test_a_session_that_stops_early_is_reported(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("def test_fails(): assert 0\ndef test_never(): pass")
    run_pytest("-x", "--parallel-report=out.html").assert_outcomes(failed=1)
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "Not all tests ran: stopping after 1 failures" in text
    assert "1 failed, 1 not run" in text


def test_what_cannot_be_collected_is_reported(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("import there_is_no_such_module")
    assert run_pytest("--parallel-report=out.html").ret == pytest.ExitCode.INTERRUPTED
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "not collected" in text
    assert "there_is_no_such_module" in text


def test_no_tests_at_all_give_a_report(pytester: pytest.Pytester, run_pytest: Run) -> None:
    assert run_pytest("--parallel-report=out.html", "--parallel-plots=d").ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "no tests ran" in (pytester.path / "out.html").read_text(encoding="utf-8")


def test_listing_tests_writes_nothing(mixed: pytest.Pytester, run_pytest: Run) -> None:
    assert run_pytest("--collect-only", "--parallel-report=out.html").ret == 0
    assert not (mixed.path / "out.html").exists()


def test_sessions_without_parallel_tests_have_no_summary(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    pytester.makepyfile("def test_it(): pass")
    result = run_pytest()
    assert not (pytester.path / "summary.md").exists()
    result.stdout.no_fnmatch_line("*parallel summary*")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--parallel-report=none/such/out.html", "*--parallel-report: the directory */none/such does not exist*"),
        ("--parallel-report=.", "*--parallel-report: '.' is a directory; give the name of a file in it*"),
        ("--parallel-report=", "*--parallel-report: '.' is a directory*"),
        ("--parallel-plots=none/such", "*--parallel-plots: the directory none/such cannot be made: No such file*"),
        ("--parallel-plots=test_it.py", "*--parallel-plots: the directory test_it.py cannot be made: File exists*"),
    ],
)
def test_places_that_cannot_be_are_refused_at_once(
    pytester: pytest.Pytester, run_pytest: Run, option: str, told: str
) -> None:
    pytester.makepyfile(test_it="def test_it(): pass")
    result = run_pytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("option", ["--parallel-report=locked/out.html", "--parallel-plots=locked"])
def test_places_without_permission_are_refused_at_once(pytester: pytest.Pytester, run_pytest: Run, option: str) -> None:
    pytester.mkdir("locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = run_pytest(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot be written*"])


@pytest.mark.parametrize("option", ["--parallel-report=out.html", "--parallel-plots=drawn"])
@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_what_is_missing_is_named_at_once(
    pytester: pytest.Pytester, run_pytest: Run, option: str, missing: str
) -> None:
    hide(pytester, missing)
    result = run_pytest("-p", "hides", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"*{option.partition('=')[0]} needs {missing}: pip install 'pytest-parallel-lab?report?'*"]
    )


def test_a_place_that_vanishes_fails_the_session_but_shows_its_results(
    pytester: pytest.Pytester, run_pytest: Run
) -> None:
    pytester.mkdir("place")
    pytester.makepyfile("import shutil\ndef test_it(): shutil.rmtree('place')")
    result = run_pytest("--parallel-report=place/out.html")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["parallel report could not be written to */place/out.html: *No such file*"])
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR


def test_data_that_cannot_be_shown_does_not_hide_the_results(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        from pytest_parallel_lab.report.attachments import attach
        def test_it(request): attach(request.node, "timeline", {"title": "without spans"})
    """)
    result = run_pytest("--parallel-report=out.html")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["parallel report could not be written to *", "*KeyError: 'spans'*"])
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR


def test_the_working_directory_may_change(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("import os\ndef test_it(tmp_path): os.chdir(tmp_path)")
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=1)
    assert (pytester.path / "out.html").exists()


def test_a_conftest_says_what_the_problem_is(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeconftest("def pytest_parallel_problem(item): return 'n-body' if 'body' in item.name else None")
    pytester.makepyfile(test_forces="def test_body(): pass\ndef test_other(): pass")
    run_pytest("--parallel-report=out.html").assert_outcomes(passed=2)
    text = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "n-body: 1 passed" in text
    assert "forces: 1 passed" in text
