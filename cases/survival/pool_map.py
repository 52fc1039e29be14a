"""``Pool.map``: a worker that dies takes its task along, and the map waits for it for ever."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.pool import Pool

from pytest_parallel_lab import implementation
from reference.survival import slow_square


@implementation("processes")
def pool_map(pool: Pool, items: Sequence[int]) -> list[int]:
    return pool.map(slow_square, items, chunksize=1)
