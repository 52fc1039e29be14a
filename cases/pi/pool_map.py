"""Pool.starmap: a block of midpoints for each process, chunks of darts for whoever is free."""

from __future__ import annotations

import math
from multiprocessing.pool import Pool

from pytest_parallel_lab import blocks, implementation
from reference.pi import check_intervals, darts, estimate, heights, hits


@implementation("processes")
def pool_integral(pool: Pool, intervals: int, *, workers: int) -> float:
    """Evaluate one block of midpoints in each process."""
    check_intervals(intervals)
    jobs = [(block.start, block.stop, intervals) for block in blocks(intervals, workers)]
    return math.fsum(pool.starmap(heights, jobs, chunksize=1)) / intervals


@implementation("processes")
def pool_monte_carlo(pool: Pool, samples: int, seed: int, chunk: int) -> float:
    """Throw the darts in some four batches of chunks for each process, which is starmap's own choice."""
    return estimate(sum(pool.starmap(hits, darts(samples, seed, chunk))), samples)
