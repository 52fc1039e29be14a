"""Processes: what they share and what they do not, and the same squares on every pool."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest

import reference.processes
from cases.processes.executor_map import executor_map, thread_map
from cases.processes.fork_join import fork_and_wait, start_and_join
from cases.processes.ipyparallel_map import ipyparallel_map
from cases.processes.manager_list import manager_list, manager_list_in_a_manager, plain_list_in_a_manager
from cases.processes.mpi_scatter import mpi_scatter
from cases.processes.own_pool import own_pool
from cases.processes.pipe_results import pipe_results, pipe_without_end
from cases.processes.poison_pills import one_pill_too_few, poison_pills
from cases.processes.pool_map import pool_map
from cases.processes.queue_results import queue_results
from cases.processes.shared_array import shared_array
from cases.processes.shared_value import shared_value
from cases.processes.unshared_list import list_in_processes, list_in_threads
from pytest_parallel_lab import Deadlock, Mismatch, name_of
from reference.processes import shares, square, squares

POOLS = [thread_map, pool_map, executor_map, ipyparallel_map, mpi_scatter]

# Programs that start their own workers: the squares, however they come back.
PROGRAMS = [
    list_in_threads,
    shared_array,
    manager_list,
    manager_list_in_a_manager,
    queue_results,
    pipe_results,
    own_pool,
    poison_pills,
]
UNSHARED = [list_in_processes, plain_list_in_a_manager]


def first_squares(count: int) -> list[int]:
    """The squares as sums of odd numbers, 1 + 3 + 5 + ..."""
    return list(accumulate(range(1, 2 * count - 1, 2), initial=0))[:count]


def test_the_reference_agrees_with_sums_of_odd_numbers() -> None:
    assert squares(range(50)) == first_squares(50)
    assert squares([-3, 10**20]) == [9, 10**40]


def test_shares_hold_every_number_once() -> None:
    assert shares(range(7), 3) == [range(0, 7, 3), range(1, 7, 3), range(2, 7, 3)]
    assert [list(share) for share in shares([5], 3)] == [[5], [], []]


# --- pools -----------------------------------------------------------------------------------


@pytest.mark.parallel_workers(1, 3)
def test_the_same_squares_on_every_pool(parallel_pool: Any) -> None:
    assert list(parallel_pool.map(square, range(11))) == first_squares(11)
    assert list(parallel_pool.map(square, [])) == []


@pytest.mark.parallel_workers(1, 3)
@pytest.mark.parametrize(("count", "chunksize"), [(0, 1), (1, 1), (11, 2), (3, 5)])
@pytest.mark.parallel_subjects(POOLS)
def test_matches_reference(
    parallel_subject: Any, count: int, chunksize: int, parallel_run: Any, parallel_workers: int
) -> None:
    numbers = list(range(-1, count - 1))
    parallel_run(parallel_subject, numbers, chunksize, workers=parallel_workers, reference=squares)


@pytest.mark.parallel_workers(3)
@pytest.mark.parallel_subjects(POOLS)
def test_a_chunk_of_nothing_is_refused(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        parallel_run(parallel_subject, [1, 2, 3], 0, workers=parallel_workers)


def test_the_reference_refuses_a_chunk_of_nothing() -> None:
    with pytest.raises(ValueError, match="chunksize is 0: a task needs at least 1 number"):
        squares([1, 2, 3], 0)


# --- programs that start processes themselves ------------------------------------------------


@pytest.mark.parametrize(("count", "workers"), [(0, 1), (7, 2), (2, 3)])
@pytest.mark.parametrize("program", PROGRAMS, ids=name_of)
def test_what_is_shared_comes_back(program: Any, count: int, workers: int, supervised: Any) -> None:
    assert supervised(program, range(count), workers) == first_squares(count)


@pytest.mark.parametrize(("count", "workers"), [(0, 1), (7, 2), (2, 3)])
def test_a_shared_value_adds_up(count: int, workers: int, supervised: Any) -> None:
    # Archimedes: 1 + 4 + ... + n^2 = n (n + 1) (2 n + 1) / 6
    last = max(count - 1, 0)
    assert supervised(shared_value, range(count), workers) == last * (last + 1) * (2 * last + 1) // 6


@pytest.mark.parametrize("program", [*PROGRAMS, *UNSHARED, shared_value], ids=name_of)
def test_nobody_cannot_do_it(program: Any, supervised: Any) -> None:
    with pytest.raises(ValueError, match="workers is 0: at least 1 has to do the work"):
        supervised(program, [1, 2], 0)


@pytest.mark.parametrize("program", [fork_and_wait, start_and_join], ids=name_of)
def test_each_child_is_a_process_and_leaves_one_byte(program: Any, supervised: Any) -> None:
    pids, statuses = zip(*supervised(program, [0, 3, 15, 16]))
    assert len({*pids, os.getpid()}) == 5
    assert statuses == (0, 9, 225, 0)  # 16 * 16 is 256: more than a byte holds


@pytest.mark.parametrize("program", UNSHARED, ids=name_of)
def test_a_list_that_is_not_shared_stays_empty(program: Any, parallel_run: Any) -> None:
    with pytest.raises(Mismatch, match=r"returned \[\], the reference \[0, 1, 4, 9\]"):
        parallel_run(program, range(4), 2, backend="serial", workers=1, reference=reference.processes.squares)


@pytest.mark.parallel_start_method("spawn")
def test_nor_is_it_shared_with_processes_that_begin_afresh(supervised: Any) -> None:
    assert supervised(list_in_processes, range(4), 1) == []
    assert supervised(shared_array, range(4), 1) == [0, 1, 4, 9]


def test_a_pipe_that_one_could_write_to_oneself_has_no_end(supervised: Any) -> None:
    with pytest.raises(Deadlock, match=r"Connection\.recv") as caught:
        supervised(pipe_without_end, range(4), 2)
    assert caught.value.processes


def test_a_worker_without_a_pill_waits_for_ever(supervised: Any) -> None:
    with pytest.raises(Deadlock, match=r"Queue\.get"):
        supervised(one_pill_too_few, range(4), 2)


# --- what a chunk is for ---------------------------------------------------------------------


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize("chunksize", [1, 100])
@pytest.mark.parallel_subjects([pool_map, executor_map])
def test_speed(parallel_subject: Any, chunksize: int, parallel_run: Any, parallel_workers: int, benchmark: Any) -> None:
    numbers: Sequence[int] = range(1000)
    found = benchmark(parallel_run, parallel_subject, numbers, chunksize, workers=parallel_workers)
    assert found == first_squares(1000)
