"""The explore fixture: what depends on timing is found, shown and replayed, and nothing is left behind."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_parallel_lab import Lab, Race
from tests import explored
from tests.conftest import Run, left_in_shared_memory, shared_memory, wait_until_gone

EXHAUSTIVELY: dict[str, Any] = {"strategy": "bounded", "bound": 1, "hash_seeds": False}
PROGRAMS = """
    import pytest
    import explored

    def test_it(explore):
        explore(explored.{program}, **{options})

    def test_fixed(explore):
        explore(explored.{program}_fixed, **{options})
"""

Explore = Callable[..., Any]


@pytest.fixture
def project(pytester: pytest.Pytester) -> Callable[[str], str]:
    """Make a project that explores one of the programs and its mended twin; the name of its file."""

    def make(program: str) -> str:
        pytester.makepyfile(explored=Path(explored.__file__).read_text())
        made = pytester.makepyfile(test_one=PROGRAMS.format(program=program, options=EXHAUSTIVELY))
        return made.name

    return make


def line_of(text: str) -> int:
    """The number of the only line of the programs that is this one."""
    lines = [line.strip() for line in Path(explored.__file__).read_text().splitlines()]
    assert lines.count(text) == 1
    return lines.index(text) + 1


def replay_command(result: pytest.RunResult) -> list[str]:
    """The arguments of the command that a failure tells to replay it with."""
    (told,) = [line for line in result.outlines if re.match(r"E +pytest .*--parallel-replay=", line)]
    command, *args = shlex.split(told.removeprefix("E"))
    assert command == "pytest"
    return args


def replayed(run_pytest: Run, args: list[str]) -> pytest.RunResult:
    """Replay a failure, and carry the same schedule out on the mended program."""
    result = run_pytest(args[0], args[0].replace("test_it", "test_fixed"), *args[1:])
    result.assert_outcomes(failed=1, passed=1)
    return result


def test_a_lost_update_of_threads(project: Callable[[str], str], run_pytest: Run) -> None:
    file = project("threads")
    line = line_of("account.balance += 1")
    failure = [
        r"E +pytest_parallel_lab\.Race: threads: the outcome depends on who goes when: 1, but 2 in the usual schedule",
        r"E +$",
        r"E +outcomes: 2 \(\d+x\), 1 \(1x\)",
        r"E +explored \d+ of \d+ schedules at bound 1 \(\d+ runs, \d+\.\d s, seed 0\)",
        r"E +latent on this build: threads have to change turns at a place where this interpreter "
        r"rarely or never lets them; on a free-threaded build they do",
        r"E +$",
        r"E +main +main\.t1 +main\.t2$",
    ]
    columns = [
        r"E {3,9}explored\.py:\d+ +\S.*",
        rf"E {{20,}}explored\.py:{line} +reads an .*",
        rf"E {{60,}}explored\.py:{line} +stores an .*",
        rf"E {{20,}}→ explored\.py:{line} +stores an .*",
        r"E {3,9}explored\.py:\d+ +Thread\.join: .*",
    ]
    replay = [
        r"E +it came again every time; see it:",
        rf"E +pytest {file}::test_it --parallel-replay=o,h\d+,r0,\d+=main\.t\d",
    ]
    result = run_pytest(f"{file}::test_it")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(failure, consecutive=True)
    result.stdout.re_match_lines([failure[-1], *columns, replay[-1]])
    result.stdout.re_match_lines(replay, consecutive=True)
    result.stdout.no_re_match_line(r".*not all of it was under control")

    again = replayed(run_pytest, replay_command(result))
    again.stdout.re_match_lines([*failure[:2], r"E +outcomes: 2 \(1x\), 1 \(1x\)", failure[4], failure[6], *columns])
    assert replay_command(again) == replay_command(result)


def test_a_lost_update_of_processes(project: Callable[[str], str], run_pytest: Run) -> None:
    file = project("processes")
    line = line_of("total.value += 1")
    place = rf"explored\.py:{line}"
    failure = [
        r"E +pytest_parallel_lab\.Race: processes: the outcome depends on who goes when: 1, but 2 in the usual .*",
        r"E +explored \d+ of \d+ schedules at bound 1 \(.*",
        r"E +main +main\.p1 +main\.p2$",
        rf"E {{20,}}{place} +reads value: .*",
        rf"E {{60,}}{place} +writes value: .*",
        rf"E {{20,}}→ {place} +writes value: .*",
        rf"E +c_int\.value is written at {place} by main\.p\d holding no lock, while main\.p\d may read it at {place} "
        r"holding no lock: nothing orders the two\. What another writes between a read and the write that builds on it "
        r"is lost",
    ]
    result = run_pytest(f"{file}::test_it")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(failure)
    result.stdout.no_fnmatch_line("*latent on this build*")  # processes change turns whenever they like
    args = replay_command(result)
    assert re.fullmatch(rf"{file}::test_it --parallel-replay=o,h\d+,r0,\d+=main\.p\d", " ".join(args))

    again = replayed(run_pytest, args)
    again.stdout.re_match_lines([failure[0], *failure[2:6]])
    assert replay_command(again) == args


def test_a_lost_update_of_a_spawned_process(project: Callable[[str], str], run_pytest: Run) -> None:
    result = run_pytest(f"{project('spawned')}::test_it")
    result.assert_outcomes(failed=1)
    told = [r"E +.*\.Race: spawned: the outcome depends on who goes when: 1, but 2 .*", r"E +main +main\.p1$"]
    result.stdout.re_match_lines(told)
    result.stdout.no_fnmatch_line("*latent on this build*")
    replayed(run_pytest, replay_command(result)).stdout.re_match_lines(told)


def test_the_replay_command_names_a_parametrized_test_whole(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.mkdir("some").joinpath("test_many.py").write_text(
        "import explored, pytest\n"
        "class TestIt:\n"
        "    @pytest.mark.parametrize('name', ['the threads'])\n"
        "    def test_it(self, name, explore):\n"
        "        explore(explored.threads)\n"
    )
    result = run_pytest("--import-mode=append", "-o", "pythonpath=.")
    args = replay_command(result)
    assert args[0] == "some/test_many.py::TestIt::test_it[the threads]"
    run_pytest("-o", "pythonpath=.", *args).assert_outcomes(failed=1)


def test_the_replay_command_is_for_where_pytest_was_started(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\npythonpath = .")
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    inside = pytester.mkdir("some")
    inside.joinpath("test_one.py").write_text("import explored\ndef test_it(explore): explore(explored.threads)\n")
    monkeypatch.chdir(inside)
    assert replay_command(run_pytest())[0] == "test_one.py::test_it"


@pytest.mark.parametrize("program", [explored.threads_fixed, explored.processes_fixed])
def test_the_mended_twin_passes(program: Callable[[], int], explore: Explore) -> None:
    found = explore(program, **EXHAUSTIVELY)
    assert found.value == 2
    assert found.failure is None
    assert found.exhausted
    assert [seen.text for seen in found.outcomes] == ["2"]
    assert found.statement() == f"explored {found.runs - 1} of {found.runs - 1} schedules at bound 1: none fails"


def test_the_statement_is_reported(project: Callable[[str], str], run_pytest: Run, pytester: pytest.Pytester) -> None:
    result = run_pytest(f"{project('threads')}::test_fixed", "-rP", "--junitxml=report.xml")
    result.assert_outcomes(passed=1)
    statement = r"explored (\d+) of \1 schedules at bound 1: none fails"
    result.stdout.re_match_lines([r"-+ Captured explore call -+", statement], consecutive=True)
    told = rf'<property name="parallel_explored" value="{statement}" */>'
    assert re.search(told, (pytester.path / "report.xml").read_text())


def test_a_sample_is_called_one(explore: Explore) -> None:
    found = explore(explored.threads_fixed, strategy="random,pct", runs=5, hash_seeds=False)
    assert found.runs == 5
    assert not found.exhausted
    assert found.statement() == "0 of 4 sampled schedules fail: below 53 % with 95 % confidence"


def test_without_turns_within_statements_nothing_latent_is_found(explore: Explore) -> None:
    assert explore(explored.threads, opcodes=False, **EXHAUSTIVELY).exhausted


def test_random_numbers_are_the_same_in_every_run(explore: Explore) -> None:
    found = explore(explored.plain_draw, runs=3, strategy="random", hash_seeds=False)
    assert explore(explored.plain_draw, runs=3, strategy="random", hash_seeds=False).value == found.value
    assert explore(explored.plain_draw, runs=3, strategy="random", hash_seeds=False, seed=1).value != found.value


SCRIPT = """
import pickle
from pytest_parallel_lab import Lab, Race
from explored import threads

def main():
    with Lab() as lab:
        try:
            lab.explore(threads, runs=50)
        except Race as error:
            copy = pickle.loads(pickle.dumps(error))
            assert type(copy) is Race and str(copy) == str(error)
            assert copy.replay == error.replay and copy.exploration == error.exploration
        try:
            lab.explore(threads, replay=copy.replay)
        except Race as error:
            print("again:", str(error).splitlines()[0])
            assert error.replay == copy.replay

if __name__ == "__main__":
    main()
"""


def test_from_a_script(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    (pytester.path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"], cwd=pytester.path, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout == "again: threads: the outcome depends on who goes when: 1, but 2 in the usual schedule\n"


def test_nothing_is_left_after_a_race(lab: Lab) -> None:
    """The end of the lab is looked at by its fixture."""
    lab.explore(explored.processes_fixed, runs=1)  # from now on there is one that is ready for the next
    spare = len(psutil.Process(lab.keeper.pid).children(recursive=True))
    with pytest.raises(Race) as caught:
        lab.explore(explored.processes, **EXHAUSTIVELY)
    assert caught.value.replay == str(caught.value.exploration.failure.schedule)  # type: ignore[union-attr]
    assert lab.explore(explored.processes_fixed, **EXHAUSTIVELY).value == 2
    now = psutil.Process(lab.keeper.pid).children(recursive=True)
    assert len(now) == spare
    lab.close()
    assert wait_until_gone([p.pid for p in now]) == []


@pytest.mark.parametrize("reference", [1, 2])
def test_nothing_is_left_of_what_a_function_leaves(reference: int, lab: Lab, tmp_path: Path) -> None:
    before = shared_memory()
    notes = tmp_path / "pids"
    options: dict[str, Any] = {
        "runs": 2,
        "seconds": 5.0,
        "reference": reference,
        "strategy": "bounded",
        "hash_seeds": False,
    }
    try:
        lab.explore(explored.leaks, str(notes), **options)
    except AssertionError:
        assert reference == 2
    pids = [int(pid) for pid in notes.read_text().split()]
    assert len(pids) > 1
    assert wait_until_gone(pids) == []
    assert left_in_shared_memory(before) == set()
