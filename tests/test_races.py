"""The corpus of races: buggy programs are found, their mended twins and innocent ones never accused.

``python -m benchmarks.race_corpus`` does the same with the whole corpus, many times over.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_parallel_lab import Lab, NumericalNondeterminismWarning, ParallelError
from tests.races import corpus
from tests.races.corpus import NOTHING, Program

BUGGY, FIXED, INNOCENT = corpus.load()
# One or two of every family; all of them take longer than a test suite may.
CHOSEN = (
    "counters.value_added_to_20_times",
    "thread_counters.global_counter",
    "accounts.deposit_and_withdraw",
    "accounts.transfers_both_ways",
    "arrays.one_row_too_many",
    "managers.task_claimed_twice",
    "files.file_made_twice",
    "torn.structure_in_a_raw_value",
    "wakeups.process_waits_without_predicate",
    "meetings.barrier_of_a_counter",
    "queues.get_after_empty",
    "pipes.message_shared_by_readers",
    "orders.threads_as_completed",
    "sums.large_terms_cancel",
    "laziness.singleton_made_twice",
    "containers.key_deleted_twice",
    "randomness.state_of_numpy_inherited",
    "hashes.results_in_the_order_of_a_set",
    "pools.results_of_those_done",
    "copied_locks.lock_of_threads_copied_by_fork",
)
INNOCENTS_SECONDS = 0.3
KINDS = {"Race": ("Race", "Mismatch"), "SameStream": ("SameStream", "Race")}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def verdict_on(lab: Lab, program: Program, **options: Any) -> str:
    """The name of what is raised, or warned of; "" for nothing."""
    if program.reference is not NOTHING:
        options["reference"] = program.reference
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            lab.explore(program.function, **options)
        except ParallelError as error:
            return type(error).__name__
    told = any(issubclass(one.category, NumericalNondeterminismWarning) for one in warned)
    return "Nondeterminism" if told else ""


def test_the_corpus_is_large() -> None:
    assert len(BUGGY) >= 30
    assert all(program.fixed is not None for program in BUGGY)
    assert {name.split(".")[0] for name in CHOSEN} >= {program.id.split(".")[0] for program in BUGGY} - {
        "protocols",
        "spawned",
    }


@pytest.mark.parametrize("program", [p for p in BUGGY if p.id in CHOSEN], ids=lambda program: program.id)
def test_a_race_is_found(program: Program, lab: Lab) -> None:
    found = verdict_on(lab, program, seconds=20.0)  # on however slow a machine
    assert found in KINDS.get(program.verdict, (program.verdict,))


@pytest.mark.parametrize(
    "program",
    [p for p in FIXED if p.id.removesuffix("_fixed") in CHOSEN] + INNOCENT[::6],
    ids=lambda program: program.id,
)
def test_no_correct_program_is_accused(program: Program, lab: Lab) -> None:
    assert verdict_on(lab, program, seconds=INNOCENTS_SECONDS, runs=40) == ""
