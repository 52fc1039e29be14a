"""How far explore searches: options, ini keys, the mark and the call, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import explored
from tests.conftest import Run

PROGRAM = """
    import threading
    import pytest
    from pytest_parallel_lab import BadSetting

    def one():
        thread = threading.Thread(target=len, args=("",))
        thread.start()
        thread.join()
        return 1
"""


def test_the_nearest_choice_counts(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """Default, ini key, command line, mark, call: each goes before the ones before it."""
    options = "hash_seeds=False, strategy='bounded'"
    pytester.makepyfile(
        PROGRAM
        + f"""
    def test_session(explore, pytestconfig):
        found = explore(one, {options})
        assert found.seed == int(pytestconfig.getini("seeds")[0])

    @pytest.mark.explore(seed=3, hash_seeds=False, strategy=["random"], runs=2)
    class TestMarked:
        def test_mark(self, explore):
            found = explore(one)
            assert (found.seed, found.runs) == (3, 2)

        @pytest.mark.explore(seed=4, {options})
        def test_nearer_mark(self, explore):
            assert explore(one).seed == 4

        def test_call(self, explore):
            found = explore(one, seed=5, runs=4)
            assert (found.seed, found.runs) == (5, 4)
    """
    )
    pytester.makeconftest("def pytest_addoption(parser): parser.addini('seeds', 'expected', type='args')")
    for key, expected in [("", 0), ("parallel_explore_seed = 1", 1)]:
        pytester.makeini(f"[pytest]\nseeds = {expected}\n{key}")
        run_pytest("-k", "test_session").assert_outcomes(passed=1, deselected=3)
    pytester.makeini("[pytest]\nseeds = 2\nparallel_explore_seed = 1")
    run_pytest("--parallel-explore-seed=2").assert_outcomes(passed=4)


def test_ini_keys(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makeini(
        "[pytest]\nparallel_explore_runs = 4\nparallel_explore_strategy = pct\nparallel_explore_seconds = 30"
    )
    pytester.makepyfile(
        PROGRAM
        + """
    def test_it(explore, pytestconfig):
        found = explore(one, hash_seeds=False)
        runs = int(pytestconfig.getoption("--parallel-explore-runs") or 4)
        assert found.runs == runs
        assert [part.runs for part in found.searched] == [runs - 1]
    """
    )
    run_pytest().assert_outcomes(passed=1)
    run_pytest("--parallel-explore-runs=6", "--parallel-explore-strategy=random").assert_outcomes(passed=1)


def test_seconds_end_the_search(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        PROGRAM
        + """
    def test_it(explore):
        assert 1 < explore(one, runs=10**9, strategy="random").runs < 10**9
    """
    )
    run_pytest("--parallel-explore-seconds=1").assert_outcomes(passed=1)


def test_a_replay_goes_before_all(pytester: pytest.Pytester, run_pytest: Run) -> None:
    """It is the usual run and the one that is asked for, whatever the choices."""
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.makepyfile(
        """
    import pytest, explored

    @pytest.mark.explore(seed=3, runs=50)
    def test_it(explore):
        found = explore(explored.doubled, seed=4, runs=30)
        assert (found.runs, found.seed, found.value) == (2, 8, 4)
    """
    )
    run_pytest("--parallel-replay=s,h7,r8", "--parallel-explore-seed=5").assert_outcomes(passed=1)


def test_a_schedule_of_another_program(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(PROGRAM + "    def test_it(explore):\n        explore(one)\n")
    result = run_pytest("-rP", "--parallel-replay=o,h7,r0,0=main.p9")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E *one: the schedule cannot be followed: a turn that it asks for could not be given.*"]
    )


def test_no_more_runs_than_asked_for(explore: Any) -> None:
    assert explore(explored.doubled, runs=1).runs == 1


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("runs=0", "--parallel-explore-runs: '0' is not a whole number of at least 1"),
        ("runs=1.5", "--parallel-explore-runs: '1.5' is not a whole number of at least 1"),
        ("runs=", "--parallel-explore-runs: is empty; give N or leave it out"),
        ("seconds=0", "--parallel-explore-seconds: '0' is not a number of at least 0.01"),
        ("seconds=nan", "--parallel-explore-seconds: 'nan' is not a number of at least 0.01"),
        ("seed=-1", "--parallel-explore-seed: '-1' is not a whole number of at least 0"),
        ("seed=x", "--parallel-explore-seed: 'x' is not a whole number of at least 0"),
        (
            "strategy=bonded",
            "--parallel-explore-strategy: unknown strategy 'bonded'; did you mean 'bounded'? "
            "(known: bounded, random, pct, free)",
        ),
        ("strategy=pct,dfs", "--parallel-explore-strategy: unknown strategy 'dfs' (known: bounded, random, pct, free)"),
    ],
)
def test_bad_options_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run, option: str, text: str) -> None:
    result = run_pytest(f"--parallel-explore-{option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {text}" in result.errlines


@pytest.mark.parametrize(
    ("replay", "text"),
    [
        ("", "'' is not a schedule; copy it whole from the failure, as in 'o,h0,r0,17=main.p1'"),
        ("o,h89", "'o,h89' is not a schedule; *"),
        ("o,h89,r0,5=main.t2:", "'o,h89,r0,5=main.t2:' is not a schedule; *"),
        ("m,h0,r0,5=main.t2", "'m,h0,r0,5=main.t2' is not a schedule; *"),
        ("o,h0,r0,5=main,4=main.t1", "the steps of 'o,h0,r0,5=main,4=main.t1' are not in order; copy it whole *"),
    ],
)
def test_bad_schedules_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run, replay: str, text: str) -> None:
    result = run_pytest(f"--parallel-replay={replay}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --parallel-replay: {text}"])


def test_bad_ini_keys_are_named(pytester: pytest.Pytester, run_pytest: Run) -> None:
    for key, value in [("runs", "0"), ("seconds", "soon"), ("seed", "-1"), ("strategy", "bonded")]:
        pytester.makeini(f"[pytest]\nparallel_explore_{key} = {value}")
        result = run_pytest()
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: ini key parallel_explore_{key}: *'{value}'*"])


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("explore(rnus=3)", "unexpected argument 'rnus'; write explore(runs=100, seed=7)"),
        ("explore(reference=3)", "unexpected argument 'reference'; write explore(runs=100, seed=7)"),
        ("explore(100)", "takes keyword arguments only; write explore(runs=100, seed=7)"),
        ("explore(strategy='bonded')", "unknown strategy 'bonded'; did you mean 'bounded'? (known: *)"),
        ("explore(numerical='worn')", "unknown way to take numerical differences 'worn'; did you mean 'warn'? (*)"),
    ],
)
def test_bad_marks_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run, mark: str, text: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{mark}\ndef test_it(explore): ...")
    result = run_pytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*::test_it: mark explore: {text}"])


def test_bad_numbers_in_a_mark_are_usage_errors(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.explore(runs=0)\ndef test_it(explore): explore(abs, 1)")
    assert run_pytest().ret == pytest.ExitCode.USAGE_ERROR
