"""``ProcessPoolExecutor.map``: a worker that dies breaks the pool, and the map says so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from pytest_parallel_lab import implementation
from reference.survival import slow_square


@implementation("executor")
def executor_map(pool: ProcessPoolExecutor, items: Sequence[int]) -> list[int]:
    return list(pool.map(slow_square, items))
