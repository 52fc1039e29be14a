"""Engines that block for ever, die, or wait for each other through MPI; and those that are only slow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_parallel_lab import Lab, Outcome, WorkerDied
from tests.deadlocks import ipyparallel_programs
from tests.deadlocks.ipyparallel_programs import EngineProgram

LIMIT_S = 20.0


def marks(function: Callable[[Any], Any]) -> list[pytest.MarkDecorator]:
    """Those of a program: one that is like another is slow."""
    return [pytest.mark.slow] if function in ipyparallel_programs.LIKE_ANOTHER else []


STUCK = [
    pytest.param(program, id=program.function.__name__, marks=marks(program.function))
    for program in ipyparallel_programs.BUGGY
    if program.function is not ipyparallel_programs.engine_exits
]
INNOCENT = [
    pytest.param(function, engines, id=function.__name__, marks=marks(function))
    for function, engines in ipyparallel_programs.INNOCENT
]


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[bool, Lab]]:
    """A lab whose engines are plain processes, and one whose engines are MPI ranks."""
    made = {False: Lab(), True: Lab()}
    made[True].settings = replace(made[True].settings, engines="mpi")
    yield made
    for lab in made.values():
        lab.close()


def run(lab: Lab, function: Callable[[Any], Any], engines: int) -> Outcome:
    for backend in ("ipyparallel", *(["mpi"] if lab.settings.engines == "mpi" else [])):
        if reason := lab.missing(backend):
            pytest.skip(reason)
    lease = lab.lease("ipyparallel", engines)
    try:
        return lease.run(function)
    finally:
        lease.end()


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("program", STUCK)
def test_a_deadlock_is_proved_and_explained(program: EngineProgram, labs: dict[bool, Lab]) -> None:
    verdict = run(labs[program.mpi_engines], program.function, program.engines).verdict
    assert verdict is not None
    assert verdict.proved, verdict.full()
    assert [words for words in program.says if words not in verdict.full()] == [], verdict.full()


@pytest.mark.parametrize("program", STUCK)
def test_the_mended_program_is_left_alone(program: EngineProgram, labs: dict[bool, Lab]) -> None:
    run(labs[program.mpi_engines], program.fixed, program.engines).values()


@pytest.mark.parametrize(("function", "engines"), INNOCENT)
def test_what_only_looks_stuck_is_left_alone(
    function: Callable[[Any], Any], engines: int, labs: dict[bool, Lab]
) -> None:
    run(labs[False], function, engines).values()


def test_an_engine_that_dies_is_named(labs: dict[bool, Lab]) -> None:
    outcome = run(labs[False], ipyparallel_programs.engine_exits, 2)
    with pytest.raises(WorkerDied, match=r"engine 0 of 2 .* exited with code 3"):
        outcome.values()
