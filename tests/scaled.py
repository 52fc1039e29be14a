"""Implementations whose times are known: they sleep, which needs no core."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pytest_parallel_lab import blocks, implementation

TASK_S = 0.01


def nap(number: int) -> int:
    time.sleep(TASK_S)
    return number * number


def squares(numbers: Sequence[int]) -> list[int]:
    return [nap(number) for number in numbers]


def slow_squares(numbers: Sequence[int]) -> list[int]:
    time.sleep(TASK_S)
    return squares(numbers)


@implementation("processes")
def pool_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    result: list[int] = pool.map(nap, numbers, chunksize=1)
    return result


@implementation("executor")
def executor_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    return list(pool.map(nap, numbers))


@implementation("threads")
def thread_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    return list(pool.map(nap, numbers))


@implementation("ipyparallel")
def view_map(view: Any, numbers: Sequence[int]) -> list[int]:
    result: list[int] = view.map_sync(nap, numbers)
    return result


@implementation("mpi")
def mpi_blocks(comm: Any, numbers: Sequence[int]) -> list[int]:
    mine = squares(numbers[blocks(len(numbers), comm.size)[comm.rank]])
    return [value for part in comm.allgather(mine) for value in part]


@implementation("processes")
def uneven(pool: Any, numbers: Sequence[int]) -> list[int]:
    """Hand one task three times the work of the others."""
    parts = pool.map(squares, [numbers[:3], *([n] for n in numbers[3:])], chunksize=1)
    return [value for part in parts for value in part]


@implementation("processes")
def too_early(pool: Any, numbers: Sequence[int]) -> list[int]:
    pool.map_async(nap, numbers, chunksize=1)
    return [number * number for number in numbers]


@implementation("threads")
def too_early_too(pool: Any, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        pool.submit(nap, number)
    return [number * number for number in numbers]


@implementation("executor")
def too_early_as_well(pool: Any, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        pool.submit(nap, number)
    return [number * number for number in numbers]


@implementation("threads")
def wrong(pool: Any, numbers: Sequence[int]) -> list[int]:
    return [*numbers]
