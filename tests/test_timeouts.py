"""pytest-timeout's limit, and machines where deadlocks cannot be proved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_parallel_lab import Lab, TimedOut, WorkerDied
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.watch import procfs
from tests.conftest import Run
from tests.deadlocks import innocents, locks

PROGRAM = """
    import os, time, threading, queue
    import pytest
    from pytest_parallel_lab import implementation

    @implementation("processes")
    def slow(pool, s):
        return pool.map(block, [s, s])


    def block(seconds):
        time.sleep(seconds)
"""


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_the_limit_gives_the_whole_report(method: str, pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + f"""
    def test_warm(parallel_run, mpiexec):  # starting workers may take longer than the limits below
        parallel_run(slow, 0, workers=2)
        mpiexec(lambda comm: None, ranks=2)

    @pytest.mark.timeout(1, method={method!r})
    def test_run(parallel_run):
        parallel_run(slow, 60, workers=2)

    @pytest.mark.timeout(1, method={method!r})
    def test_supervised(supervised):
        supervised(block, 60)

    @pytest.mark.timeout(1, method={method!r})
    def test_ranks(mpiexec):
        mpiexec(lambda comm: block(60), ranks=2)

    def test_next(parallel_run):
        parallel_run(slow, 0, workers=2)
    """
    )
    result = run_pytest("-v", "--junitxml=report.xml")
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.re_match_lines(
        [
            r"E +pytest_parallel_lab\.TimedOut: time-out: the limit of 1 s \(pytest-timeout\) has passed.*",
            r"E +worker 0 sleeps in time\.sleep.*",
            r"E +worker 0 sleeps",
            r"### worker 0, pid \d+",
            r"  File .*, line 11, in block",
            r"E +the main thread sleeps in time\.sleep at .*:11",
            r"E +rank 0 is in no MPI call that is traced at .*:11",
        ]
    )
    report = (pytester.path / "report.xml").read_text()
    assert report.count('name="parallel_report"') == 3


def test_the_limit_holds_in_the_command_line_and_the_ini_file(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(PROGRAM + "    def test_run(parallel_run):\n        parallel_run(slow, 60, workers=2)\n")
    run_pytest("--timeout=1").stdout.fnmatch_lines(["*TimedOut: time-out: the limit of 1 s*"])
    pytester.makeini("[pytest]\ntimeout = 1\n")
    run_pytest().stdout.fnmatch_lines(["*TimedOut: time-out: the limit of 1 s*"])


def test_a_deadlock_found_at_the_limit_is_called_one(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """A timed section is not watched; the limit looks."""
    pytester.makepyfile(
        PROGRAM
        + """
    @implementation("threads")
    def stuck(pool):
        return pool.submit(queue.Queue().get).result()

    def test_warm(parallel_run):  # starting workers may take longer than the limit below
        parallel_run(lambda pool: None, backend="threads", workers=1)

    @pytest.mark.timeout(1)
    def test_it(parallel_run, benchmark):
        benchmark(parallel_run, stuck, workers=1)
    """
    )
    result = run_pytest()
    result.stdout.fnmatch_lines(["*pytest_parallel_lab.Deadlock: deadlock: nothing in this run can move any more*"])


def test_the_limit_in_pytests_own_process(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    def test_warm(process_pool):  # starting workers may take longer than the limits below
        process_pool(2)

    @pytest.mark.timeout(1)
    def test_it(process_pool):
        process_pool(2).map(block, [60, 60])

    @pytest.mark.timeout(1)
    def test_swallows(process_pool):
        while True:
            try:
                process_pool(2).map(block, [60, 60])
            except Exception:
                pass

    def test_next(process_pool):
        assert process_pool(2).map(abs, [-1]) == [1]
    """
    )
    result = run_pytest()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.re_match_lines([r"E +.*TimedOut: time-out: .* while the test waited in pytest's own process"])
    result.stdout.re_match_lines([r".*process 1 \(ForkPoolWorker-\d\) sleeps in time\.sleep at .*:11"])


def test_the_thread_method_ends_pytest_where_nothing_else_can(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    def test_warm(process_pool):  # starting workers may take longer than the limit below
        process_pool(2)

    @pytest.mark.timeout(1, method="thread")
    def test_it(process_pool):
        process_pool(2).map(block, [60, 60])
    """
    )
    result = run_pytest()
    assert result.ret == 1
    result.stderr.re_match_lines(
        [r"test_the_thread.*::test_it: time-out: the limit of 1 s \(pytest-timeout\) has passed", r"## process_pool"]
    )


def test_a_dead_worker_of_a_raw_pool_is_named(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    from pytest_parallel_lab import WorkerDied

    def leave(status):
        os._exit(status)

    @pytest.mark.parametrize("call", ["map", "imap", "apply", "starmap"])
    def test_it(call, process_pool):
        pool = process_pool(2)
        argument = [(3,)] if call in ("apply", "starmap") else [[3]]
        with pytest.raises(WorkerDied, match=r"process_pool: worker . of 2 .* exited with code 3 while tasks were out"):
            if call == "apply":
                pool.apply(leave, (3,))
            elif call == "starmap":
                pool.starmap(leave, [(3,)])
            else:
                list(getattr(pool, call)(leave, [3]))

    def test_next(process_pool):
        assert process_pool(2).map(abs, [-1]) == [1]
    """
    )
    run_pytest().assert_outcomes(passed=5)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without /proc."""
    told = property(lambda self: "there is no /proc", lambda self, why: None)
    monkeypatch.setattr(KeeperClient, "cannot_watch", told, raising=False)


def test_where_nothing_can_be_proved_the_limit_decides(lab: Lab, blind: None) -> None:
    outcome = lab.supervise(locks.two_processes, limit_s=1.0)
    with pytest.raises(TimedOut) as caught:
        outcome.result()
    assert str(caught.value).startswith("time-out: the run's limit of 1 s has passed")
    assert "deadlocks cannot be proved on this machine: there is no /proc" in str(caught.value)


def test_where_nothing_can_be_proved_all_else_works(lab: Lab, blind: None) -> None:
    lab.supervise(innocents.main_sleeps).result()
    with pytest.raises(WorkerDied):
        lab.run(_kill_one, backend="processes", workers=2)


def _kill_one(pool: Any) -> None:
    pool.map(_leave, [1])


def _leave(status: int) -> None:
    import os

    os._exit(status)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert procfs.missing() is None
    monkeypatch.setattr(procfs.os.path, "isdir", lambda path: False)  # type: ignore[attr-defined]
    assert procfs.missing() == "there is no /proc"


def test_limits_of_a_supervised_run(supervised: Callable[..., Any]) -> None:
    with pytest.raises(TimedOut, match=r"the run's limit of 0\.5 s has passed \(1 process, 1 thread\)"):
        supervised(innocents.main_sleeps, limit_s=0.5)
