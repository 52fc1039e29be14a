"""``Pool.map``: chunks of numbers to the workers, squares back in order."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.pool import Pool

from pytest_parallel_lab import implementation
from reference.processes import chunks, square


@implementation("processes")
def pool_map(pool: Pool, numbers: Sequence[int], chunksize: int) -> list[int]:
    """Square every number; ``Pool.map`` cuts the chunks itself."""
    chunks(numbers, chunksize)  # refuses what makes no sense: Pool.map would take 0 for a wish to choose itself
    return pool.map(square, numbers, chunksize=chunksize)
