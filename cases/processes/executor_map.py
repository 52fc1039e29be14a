"""``Executor.map`` of ``concurrent.futures``, over processes and over threads: the call is the same."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

from pytest_parallel_lab import implementation
from reference.processes import chunks, square


@implementation("executor")
def executor_map(pool: Executor, numbers: Sequence[int], chunksize: int) -> list[int]:
    """Square every number in processes."""
    return _map(pool, numbers, chunksize)


@implementation("threads")
def thread_map(pool: Executor, numbers: Sequence[int], chunksize: int) -> list[int]:
    """Square every number in threads, which send nothing and so need no chunks: they ignore the chunk size."""
    return _map(pool, numbers, chunksize)


def _map(pool: Executor, numbers: Sequence[int], chunksize: int) -> list[int]:
    chunks(numbers, chunksize)  # refuses what makes no sense
    return list(pool.map(square, numbers, chunksize=chunksize))
