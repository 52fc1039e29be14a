"""Races on one number: the buggy programs are caught, the repaired ones pass."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import reference.race
from cases.race import process_account, shared_double, thread_account
from cases.race.counted_lock import holds_of_a_guarded_increment, holds_of_an_increment
from cases.race.observe import ACCOUNTS, SUMS, Program, describe, outcomes
from pytest_parallel_lab import Race, name_of

BUGGY = (
    shared_double.double_without_lock,
    shared_double.double_in_a_value_alone,
    process_account.account_without_lock,
    process_account.account_in_a_value_alone,
    thread_account.thread_account_without_lock,
    thread_account.thread_account_by_methods,
)


def reference_of(program: Program) -> Callable[[int], float]:
    return reference.race.sum_of_two if program in SUMS else reference.race.balance


def with_backend(program: Program) -> Any:
    """Give a program its id, and the mark of what it is written for: it starts its workers itself."""
    backend = "threads" if program.__name__.startswith("thread_") else "processes"
    return pytest.param(program, id=name_of(program), marks=getattr(pytest.mark, backend))


ALL = [*SUMS, *ACCOUNTS]
REPAIRED = [program for program in ALL if program not in BUGGY]
programs_that_race = pytest.mark.parametrize("program", [with_backend(program) for program in BUGGY])
repaired_programs = pytest.mark.parametrize("program", [with_backend(program) for program in REPAIRED])
all_programs = pytest.mark.parametrize("program", [with_backend(program) for program in ALL])


# A search ends with the first failure: the limit is for slow machines.
@pytest.mark.explore(seconds=30, hash_seeds=False)
@programs_that_race
def test_the_race_is_found(program: Program, explore: Any) -> None:
    with pytest.raises(Race) as caught:
        explore(program, 1, reference=reference_of(program))
    failure = caught.value.exploration.failure
    assert failure is not None
    assert failure.why == "who goes when"
    assert failure.replayed == failure.replays > 0  # the schedule that is told brings it about every time
    if program is thread_account.thread_account_without_lock:  # the interpreter does not change threads within +=
        assert "latent on this build" in str(caught.value)


@pytest.mark.explore(runs=8, seconds=30, hash_seeds=False)
@repaired_programs
def test_the_repaired_program_passes(program: Program, explore: Any) -> None:
    explored = explore(program, 1, reference=reference_of(program))
    assert explored.runs > 1


@repaired_programs
def test_the_repaired_program_is_right_as_it_is(program: Program, supervised: Any) -> None:
    assert supervised(outcomes, program, 500, 3) == Counter({reference_of(program)(500): 3})


@all_programs
def test_nothing_to_do(program: Program, supervised: Any) -> None:
    assert supervised(program, 0) == reference_of(program)(0)


@all_programs
def test_a_negative_count_is_refused(program: Program) -> None:
    with pytest.raises(ValueError, match="times is -1: how often each worker changes the number must be 0 or more"):
        program(-1)


@pytest.mark.processes
def test_why_a_value_alone_is_not_enough() -> None:
    assert holds_of_an_increment() == 2  # one for the read, one for the write, and in between anybody
    assert holds_of_a_guarded_increment() == 1


def test_the_reference_agrees_with_arithmetic() -> None:
    assert reference.race.sum_of_two(10_000) == math.fsum([1.0] * 20_000) == 20_000.0
    assert reference.race.balance(10_000) == reference.race.OPENING_BALANCE
    for check in (reference.race.sum_of_two, reference.race.balance):
        with pytest.raises(ValueError, match="times is -1"):
            check(-1)


def test_what_was_observed_is_told_in_a_line() -> None:
    line = describe(shared_double.double_without_lock, 4.0, Counter({4.0: 1, 3.0: 2, 2.5: 1}))
    assert line.split() == ["double_without_lock", "1", "of", "4", "right", "3", "different:", "2.5", "to", "4"]
    with pytest.raises(ValueError, match="runs is 0: nothing is seen"):
        outcomes(shared_double.double_without_lock, 1, 0)
