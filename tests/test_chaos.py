"""Harm in the middle of a run: what hangs fails, what ends passes, and nothing is done in silence."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from pytest_parallel_lab import implementation
from pytest_parallel_lab.backends.ipyparallel import IpyparallelBackend, IpyparallelHost
from tests.conftest import Run

PROGRAM = """
    import multiprocessing, os, time
    from concurrent.futures import ProcessPoolExecutor
    import pytest
    from pytest_parallel_lab import BadSetting, Deadlock, NotHarmed, TimedOut, implementation

    FORK = multiprocessing.get_context("fork")

    def slowly(x):
        time.sleep(0.02)
        return x

    @implementation("processes")
    def pool_map(pool, n):
        return pool.map(slowly, range(n), chunksize=1)

    @implementation("executor")
    def executor_map(pool, n):
        return list(pool.map(slowly, range(n)))

    def own_executor(n):
        with ProcessPoolExecutor(2, FORK) as pool:
            return list(pool.map(slowly, range(n)))

    def own_pool(n):
        with FORK.Pool(2) as pool:
            return pool.map(slowly, range(n), chunksize=1)
"""


def test_the_mark_harms_the_run_that_a_test_makes(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    @pytest.mark.chaos("kill-worker")
    def test_pool(parallel_run):
        parallel_run(pool_map, 100, workers=2)

    @pytest.mark.chaos("kill-worker")
    def test_executor(parallel_run):
        parallel_run(executor_map, 100, workers=2)
        assert False, "not reached: the run ended with an error"

    @pytest.mark.chaos("kill-worker")
    def test_own_pool(supervised):
        supervised(own_pool, 100)

    @pytest.mark.chaos("kill-worker")
    def test_own_executor(supervised):
        supervised(own_executor, 100)

    @pytest.mark.chaos("stall-worker", stall_s=0.3)
    def test_stalled(parallel_run):
        assert parallel_run(pool_map, 50, workers=2, reference=lambda n: list(range(n))) == list(range(50))
    """
    )
    result = run_pytest("-v")
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(["*test_pool FAILED*", "*test_own_pool FAILED*"])
    result.stdout.re_match_lines([r"E +pytest_parallel_lab\.Deadlock: deadlock after worker \d \(pid \d+\) was killed"])


def test_what_chaos_says_of_bad_questions(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    def test_unknown(chaos):
        with pytest.raises(BadSetting, match="unknown harm 'kill-wroker'; did you mean 'kill-worker'?"):
            chaos(pool_map, 100, harm="kill-wroker")

    def test_none(chaos):
        with pytest.raises(BadSetting, match="no harm given; say harm= or mark the test"):
            chaos(pool_map, 100)

    def test_too_late(chaos):
        with pytest.raises(NotHarmed, match="the run ended before kill-worker could be done, 5 s after its start"):
            chaos(pool_map, 1, harm="kill-worker", after_s=5.0)

    def test_wrong_backend(chaos):
        with pytest.raises(BadSetting, match="kill-rank is for mpi, but the run is on processes"):
            chaos(pool_map, 100, harm="kill-rank")

    def test_wrong_value(chaos):
        with pytest.raises(Exception, match="returned .*, the reference"):
            chaos(pool_map, 50, harm="stall-worker", reference=lambda n: [0] * n)

    def test_time_out(chaos):
        with pytest.raises(TimedOut, match="time-out after child"):
            chaos(own_pool_with_poll, 100, harm="kill-worker", limit_s=2.0)

    def own_pool_with_poll(n):
        with FORK.Pool(2) as pool:
            result = pool.map_async(slowly, range(n), chunksize=1)
            while not result.ready():
                time.sleep(0.01)
    """
    )
    run_pytest().assert_outcomes(passed=6)


def test_a_misspelt_harm_is_refused_at_collection(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.chaos("kill-wroker")
        def test_it(chaos): ...
        """
    )
    result = run_pytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*test_it: mark chaos: unknown harm 'kill-wroker'; did you mean 'kill-worker'?*"])


@implementation("ipyparallel")
def sleepy(view: Any) -> Any:
    return view.map_sync(time.sleep, [1.0] * len(view))


@pytest.mark.ipyparallel
@pytest.mark.chaos("kill-engine")
def test_an_engine_that_is_killed(chaos: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IpyparallelBackend, "host", lambda self: IpyparallelHost(missed_beats=30))  # 3 s and not 10 s
    assert "EngineError: Engine" in str(chaos(sleepy, workers=2).error)
