"""What the documents show works as shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import Run

ROOT = Path(__file__).parents[1]


def blocks_of(name: str) -> list[tuple[str, str]]:
    """The fenced blocks of a document, as (language, text)."""
    return re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / name).read_text(), re.DOTALL | re.MULTILINE)


def test_the_readme_begins_with_its_two_commands() -> None:
    first, second = blocks_of("README.md")[:2]
    for language, command in (first, second):
        assert language == "sh"
        assert len(command.splitlines()) == 1
    assert "pytest -m matmul" in first[1]
    assert second[1].startswith(".venv/bin/pytest tests cases ")


def test_the_readme_example_passes(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytest.importorskip("mpi4py")
    (example,) = (text for language, text in blocks_of("README.md") if language == "python")
    pytester.makepyfile(test_dot=example)
    run_pytest("--benchmark-max-time=0.1", "--parallel-require=mpi").assert_outcomes(passed=19)


def test_the_backend_example_works(pytester: pytest.Pytester, run_pytest: Run) -> None:
    (example,) = (text for language, text in blocks_of("docs/backends.md") if language == "python")
    pytester.makeconftest(example)
    pytester.makepyfile("""
        def test_it(parallel_pool): assert list(parallel_pool.map(abs, [-1, 2])) == [1, 2]
    """)
    result = run_pytest("-v", "--parallel-backends=green", "--parallel-workers=1,2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_it?green-2w? PASSED*"])


def test_all_options_and_marks_are_in_the_readme(run_pytest: Run) -> None:
    readme = (ROOT / "README.md").read_text()
    for option in re.findall(r"--parallel-[a-z-]+", run_pytest("--help").stdout.str()):
        assert option in readme, option
    for mark in re.findall(r"@pytest.mark.(parallel_\w+)", run_pytest("--markers").stdout.str()):
        assert f"@pytest.mark.{mark}" in readme, mark
