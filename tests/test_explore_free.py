"""explore on implementations: pools that take turns, and ranks and engines, which run freely."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab import BackendMissing, BadSetting, Deadlock, Race
from tests import explored
from tests.conftest import Run

Explore = Callable[..., Any]


def test_a_pool_of_threads(explore: Explore) -> None:
    with pytest.raises(Race, match="by_threads: the outcome depends on who goes when: 1, but 2 in the usual") as caught:
        explore(explored.by_threads, workers=2, hash_seeds=False)
    assert "latent on this build" in str(caught.value)
    with pytest.raises(Race, match="who goes when: 1, but 2 in the usual"):
        replayed(explore, explored.by_threads, caught.value.replay)


@pytest.mark.parametrize("program", [explored.by_pool, explored.by_executor], ids=lambda f: f.__name__)
def test_pools_of_processes(program: Callable[..., Any], explore: Explore) -> None:
    """How many of the workers take part is a matter of timing."""
    text = rf"{program.__name__}: the outcome depends on who goes when: \d, but \d in the usual schedule"
    with pytest.raises(Race, match=text) as caught:
        explore(program, workers=2, hash_seeds=False, seconds=40)
    assert "not all of it was under control" not in str(caught.value)
    with pytest.raises(Race, match=text):
        replayed(explore, program, caught.value.replay)


def replayed(explore: Explore, program: Callable[..., Any], schedule: str) -> None:
    """Replay, from the lab: there is one command line for all of these tests."""
    explore._leases.choices.lab.explore(program, workers=2, replay=schedule)  # type: ignore[attr-defined]


def test_a_function_for_other_backends(explore: Explore) -> None:
    with pytest.raises(BadSetting, match="unknown backend 'dask'"):
        explore(explored.by_threads, workers=2, backend="dask")
    with pytest.raises((BadSetting, BackendMissing), match="serial"):
        explore(explored.by_threads, workers=2, backend="serial")


def test_runs_in_which_nobody_is_told_when_to_go(explore: Explore) -> None:
    with pytest.raises(Race) as caught:
        explore(explored.by_length_of_work, strategy="free", hash_seeds=False, runs=20)
    text = str(caught.value)
    assert "who goes when: ['short', 'long'], but ['long', 'short'] in the usual schedule" in text
    assert re.search(r"in \d+ runs nobody was told when to go; some of these failed", text)
    assert "--parallel-replay" not in text
    found = explore(explored.by_length_of_work_fixed, strategy="free", hash_seeds=False, runs=20)
    assert found.statement() == "0 of 19 free runs fail; no schedule was tried in turns"


def test_a_free_run_that_failed_is_explained_by_a_schedule(explore: Explore) -> None:
    with pytest.raises(Race) as caught:
        explore(explored.by_length_of_work, hash_seeds=False)
    assert caught.value.replay.startswith("o,")
    assert "nobody was told" not in str(caught.value)


def test_a_hang_in_a_free_run_is_proved(explore: Explore) -> None:
    with pytest.raises(Deadlock) as caught:
        explore(explored.locks_that_cross_in_time, strategy="free", hash_seeds=False, seconds=20)
    assert len(caught.value.cycle) == 2
    assert "after a free run, in which nobody is told when to go" in str(caught.value)


@pytest.mark.mpi
def test_a_receive_from_anybody(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytest.importorskip("mpi4py")
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.makepyfile(
        """
    import explored

    def test_it(explore):
        explore(explored.from_anybody, workers=3)

    def test_fixed(explore):
        found = explore(explored.from_each, workers=3, runs=3)
        assert (found.value, found.runs, found.exhausted) == ([1, 2], 3, False)
    """
    )
    result = run_pytest("-rP")
    result.assert_outcomes(passed=1, failed=1)
    told = [
        r"E +.*\.Race: from_anybody: the outcome depends on who goes when: \[2, 1\], but \[1, 2\] .*",
        r"E +outcomes: \[1, 2\] \(\d+x\), \[2, 1\] \(1x\)",
        r"E +not all of it was under control: workers run freely but for which message a receive from anybody gets",
        r"E +rank 0 receives from rank 2 \(tag 7\), rank 1 \(tag 7\)",
        r"E +in the usual run from rank 1 \(tag 7\), rank 2 \(tag 7\)",
        r"E +it came again every time; see it:",
        r"E +pytest \S+::test_it --parallel-replay=m,h0,r\d+,0\.0=2:7,0\.1=1:7",
    ]
    result.stdout.re_match_lines(told)
    result.stdout.fnmatch_lines(["0 of 2 sampled schedules fail: below 78 % with 95 % confidence; not all of it was*"])

    found = re.search(r"--parallel-replay=\S+", result.stdout.str())
    assert found is not None
    again = run_pytest(found[0])
    again.assert_outcomes(passed=0, failed=2)
    again.stdout.re_match_lines([told[0], told[3], told[4], told[6]])


def test_engines(explore: Explore) -> None:
    pytest.importorskip("ipyparallel")
    found = explore(explored.by_engines, workers=2, runs=3)
    assert (found.value, found.runs, found.exhausted) == ([1, 2], 3, False)
    assert "tasks that take up to 50 ms longer" in found.statement()
