"""The mean of random numbers: the same bits from any number of workers, and what moving the numbers costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import reference.random_mean
from cases.random_mean.forked_stream import forked_stream, spawned_streams
from cases.random_mean.ipyparallel_view import ipyparallel_numbers, ipyparallel_sums
from cases.random_mean.mpi_gather import mpi_numbers, mpi_sums
from cases.random_mean.pool_map import pool_numbers, pool_sums
from cases.random_mean.serial import serial
from cases.random_mean.shared_memory import shared_numbers, shared_sums
from cases.random_mean.thread_map import thread_numbers, thread_sums
from pytest_parallel_lab import SameStream, name_of

SUMS = [thread_sums, pool_sums, shared_sums, ipyparallel_sums, mpi_sums]
NUMBERS = [thread_numbers, pool_numbers, shared_numbers, ipyparallel_numbers, mpi_numbers]
PARALLEL = [*SUMS, *NUMBERS]

# Numbers and length of a chunk: one number, a last chunk with one number, fewer chunks than workers, one each.
SIZES = [(1, 4), (1001, 100), (12, 8), (5, 1)]

BAD_INPUT = {
    "no numbers": ((0, 1, 8), r"numbers=0: there is no mean of no numbers; draw at least 1"),
    "negative numbers": ((-3, 1, 8), r"numbers=-3: .* draw at least 1"),
    "no chunk": ((10, 1, 0), r"chunk=0: a chunk holds at least 1 number"),
    "negative seed": ((10, -1, 8), r"seed=-1: a seed is a whole number of at least 0"),
}


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize(("numbers", "chunk"), SIZES)
@pytest.mark.parallel_subjects(PARALLEL)
def test_matches_reference(
    parallel_subject: Any, numbers: int, chunk: int, parallel_run: Any, parallel_workers: int
) -> None:
    mean = reference.random_mean.random_mean
    parallel_run(parallel_subject, numbers, 7, chunk, workers=parallel_workers, reference=mean, rtol=1e-12)


@pytest.mark.parametrize("implementation", PARALLEL, ids=name_of)
def test_the_same_bits_whatever_the_number_of_workers(implementation: Any, parallel_run: Any) -> None:
    arguments = 10_000, 3, 900
    means = {parallel_run(implementation, *arguments, workers=workers) for workers in (1, 2, 3)}
    assert means == {reference.random_mean.random_mean(*arguments)}


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
@pytest.mark.parametrize("implementation", [serial, *PARALLEL], ids=name_of)
def test_bad_input_is_refused(
    implementation: Any, arguments: tuple[int, int, int], message: str, parallel_run: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        parallel_run(implementation, *arguments)


def test_streams_are_the_children_of_the_seed() -> None:
    children, lengths = zip(*reference.random_mean.streams(1001, 7, 100))
    assert lengths == (100,) * 10 + (1,)
    assert [child.spawn_key for child in children] == [(index,) for index in range(11)]
    assert {child.entropy for child in children} == {7}


def test_reference_is_the_mean_of_all_numbers_added_exactly() -> None:
    drawn = [
        number
        for index in range(11)
        for number in np.random.Generator(np.random.PCG64(np.random.SeedSequence(7, spawn_key=(index,)))).random(
            100 if index < 10 else 1
        )
    ]
    assert reference.random_mean.random_mean(1001, 7, 100) == pytest.approx(math.fsum(drawn) / 1001, rel=1e-14)


def test_the_mean_is_that_of_the_uniform_distribution() -> None:
    numbers = 1_000_000
    standard_error = 1 / math.sqrt(12 * numbers)
    means = [reference.random_mean.random_mean(numbers, seed) for seed in range(4)]
    assert len(set(means)) == 4
    assert means == pytest.approx([0.5] * 4, abs=4 * standard_error)


def test_a_forked_generator_is_found(explore: Callable[..., Any]) -> None:
    with pytest.raises(SameStream, match=r"draw the same numbers from numpy\.random"):
        explore(forked_stream, 20, 1, 2)


def test_a_forked_generator_draws_a_quarter_of_the_numbers_four_times(supervised: Callable[..., Any]) -> None:
    mean = supervised(forked_stream, 4000, 1, 4)
    assert mean == pytest.approx(np.random.RandomState(1).random_sample(1000).mean(), rel=1e-12)
    assert mean != pytest.approx(np.random.RandomState(1).random_sample(4000).mean(), rel=1e-6)


def test_spawned_streams_pass(explore: Callable[..., Any]) -> None:
    explore(spawned_streams, 20, 1, 5, 2, reference=reference.random_mean.random_mean(20, 1, 5), runs=8)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_spawned_streams_draw_the_same_on_any_number_of_workers(workers: int, supervised: Callable[..., Any]) -> None:
    assert supervised(spawned_streams, 4000, 1, 500, workers) == reference.random_mean.random_mean(4000, 1, 500)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("numbers", [2_000_000])
@pytest.mark.parallel_subjects([serial, *PARALLEL])
def test_speed(parallel_subject: Any, numbers: int, parallel_run: Any, benchmark: Any) -> None:
    mean = benchmark(parallel_run, parallel_subject, numbers, 1, reference.random_mean.CHUNK)
    assert mean == pytest.approx(reference.random_mean.random_mean(numbers, 1), rel=1e-12)
