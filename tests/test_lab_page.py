"""The learner's path, docs/lab.md: it has every problem, and what it tells the learner to run and read is there."""

from __future__ import annotations

import ast
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Run

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "lab.md"
TEXT = PAGE.read_text()
PROBLEMS = {package.parent.name for package in (ROOT / "cases").glob("*/__init__.py")}
BACKENDS = {"serial", "threads", "processes", "executor", "ipyparallel", "mpi"}
EXERCISES = dict(re.findall(r"^## \d+\. `(\w+)`(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line and not line.startswith("#")
]


def names_of_tests(problem: str) -> set[str]:
    """The names of a problem's test functions."""
    return {
        node.name
        for path in (ROOT / "cases" / problem).glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_problem_is_an_exercise() -> None:
    assert set(EXERCISES) == PROBLEMS
    numbers = [int(number) for number in re.findall(r"^## (\d+)\. `", TEXT, re.MULTILINE)]
    assert numbers == list(range(1, len(PROBLEMS) + 1))


@pytest.mark.parametrize("problem", sorted(EXERCISES))
def test_an_exercise_has_a_question_a_command_and_one_folded_answer(problem: str) -> None:
    exercise = EXERCISES[problem]
    shown, *answers = exercise.split("<details>")
    assert len(answers) == exercise.count("</details>") == 1
    command = "pytest cases/processes" if problem == "processes" else f"pytest -m {problem}"  # a backend's mark as well
    for part in ("**Question.**", command, "**Look for.**", f"](../cases/{problem})"):
        assert part in shown, part
    assert answers[0].strip().startswith("<summary>Answer</summary>\n\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_what_there_is(command: str) -> None:
    words = shlex.split(command)
    for word, following in pairwise(words):
        if word == "-m" and "pytest" in words[0]:
            chosen = set(re.findall(r"\w+", following)) - {"and", "or", "not"}
            assert chosen & PROBLEMS
            assert chosen <= PROBLEMS | BACKENDS
        elif word == "-m":
            module = ROOT.joinpath(*following.split("."))
            assert following in ("venv", "pip") or module.with_suffix(".py").is_file(), following
        elif word == "-k":
            (problem,) = PROBLEMS & set(words)
            names = names_of_tests(problem)
            for part in set(re.findall(r"\w+", following)) - {"and", "or", "not"}:
                assert any(part in name for name in names) or list((ROOT / "cases" / problem).glob(f"{part}*.py")), part
    for word in words:
        if word.endswith((".py", ".ipynb")):
            assert (ROOT / word).is_file(), word


def test_the_tests_of_the_learners_own_say_what_is_wrong(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    race, deadlock = re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_race=race, test_deadlock=deadlock)
    result = run_pytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["E *Deadlock: *", "E * held by process 3 *", "E *Race: *", "E * reads value: *", "E *--parallel-replay=*"]
    )


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)]+)\)", TEXT))))
def test_a_link_resolves(link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (PAGE.parent / path).resolve() if path else PAGE
    assert link.startswith("https://") or target.exists()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
