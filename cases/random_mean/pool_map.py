"""Pool.starmap over the chunks: results are pickled and come back through a pipe."""

from __future__ import annotations

from multiprocessing.pool import Pool

from pytest_parallel_lab import implementation
from reference.random_mean import draw, draw_and_add, mean, streams


@implementation("processes")
def pool_sums(pool: Pool, numbers: int, seed: int, chunk: int) -> float:
    """Bring back a sum of every chunk: 8 bytes for all its numbers."""
    return mean(pool.starmap(draw_and_add, streams(numbers, seed, chunk)), numbers)


@implementation("processes")
def pool_numbers(pool: Pool, numbers: int, seed: int, chunk: int) -> float:
    """Bring back the numbers, and add up in the master."""
    drawn = pool.starmap(draw, streams(numbers, seed, chunk))
    return mean((float(one.sum()) for one in drawn), numbers)
