"""Runs that pass by luck: what may hang in another run is named, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from pytest_parallel_lab import Lab, PotentialDeadlock
from tests.deadlocks import corpus, potential, potential_innocents


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.mark.parametrize("program", potential.BUGGY, ids=lambda program: program.__name__)
def test_a_potential_deadlock_is_named(program: Callable[[], Any], lab: Lab) -> None:
    outcome = lab.supervise(program)
    with pytest.raises(PotentialDeadlock) as caught:
        outcome.result()
    assert [words for words in potential.BUGGY[program] if words not in str(caught.value)] == [], caught.value


@pytest.mark.parametrize("program", potential_innocents.INNOCENT, ids=lambda program: program.__name__)
def test_what_cannot_hang_is_left_alone(program: Callable[[], Any], lab: Lab) -> None:
    for _ in range(3):
        lab.supervise(program).result()


def test_no_mended_program_of_the_corpus_is_suspected(lab: Lab) -> None:
    _, fixed, _ = corpus.load()
    with ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda program: lab.supervise(program.function).potential, fixed)
        assert {program.id: one for program, one in zip(fixed, found) if one} == {}
