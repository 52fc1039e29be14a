"""Deadlocked MPI programs are proved and explained; those that only look stuck are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_parallel_lab import Lab, Outcome
from tests.deadlocks import mpi_programs
from tests.deadlocks.mpi_programs import MpiProgram

pytestmark = pytest.mark.mpi
LIMIT_S = 20.0
STRICT = {
    "": (),
    "synchronous_sends": ("sends",),
    "synchronised_collectives": ("collectives",),
    "both": ("sends", "collectives"),
}


def chosen(programs: list[MpiProgram]) -> list[Any]:
    """The programs by their names; those that are like another one are slow."""
    return [
        pytest.param(
            program,
            id=program.function.__name__,
            marks=[pytest.mark.slow] if program.function in mpi_programs.LIKE_ANOTHER else [],
        )
        for program in programs
    ]


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Lab]]:
    """A lab for each strictness, its ranks warm from test to test."""
    made = {needs: Lab() for needs in STRICT}
    for needs, lab in made.items():
        lab.settings = replace(lab.settings, mpi_strict=STRICT[needs])
    yield made
    for lab in made.values():
        lab.close()


def run(lab: Lab, function: object, ranks: int) -> Outcome:
    if reason := lab.missing("mpi"):
        pytest.skip(reason)
    lease = lab.lease("mpi", ranks)
    try:
        return lease.run(function)  # type: ignore[arg-type]
    finally:
        lease.end()


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("program", chosen(mpi_programs.BUGGY))
def test_a_deadlock_is_proved_and_explained(program: MpiProgram, labs: dict[str, Lab]) -> None:
    verdict = run(labs[program.needs], program.function, program.ranks).verdict
    assert verdict is not None
    assert verdict.proved, verdict.full()
    assert [words for words in program.says if words not in verdict.full()] == [], verdict.full()


@pytest.mark.parametrize("program", chosen(mpi_programs.BUGGY))
def test_the_mended_program_is_left_alone(program: MpiProgram, labs: dict[str, Lab]) -> None:
    for needs in {"", program.needs}:
        run(labs[needs], program.fixed, program.ranks).values()


@pytest.mark.parametrize("program", chosen([p for p in mpi_programs.BUGGY if p.needs]))
def test_what_only_works_by_chance_passes_where_chance_is_left(program: MpiProgram, labs: dict[str, Lab]) -> None:
    run(labs[""], program.function, program.ranks).values()


@pytest.mark.parametrize(("function", "ranks"), mpi_programs.INNOCENT, ids=lambda value: getattr(value, "__name__", ""))
def test_what_only_looks_stuck_is_left_alone(function: object, ranks: int, labs: dict[str, Lab]) -> None:
    run(labs["both"], function, ranks).values()
