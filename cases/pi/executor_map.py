"""The same over concurrent.futures, whose map sends one task at a time unless it is told a chunksize."""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from pytest_parallel_lab import blocks, implementation
from reference.pi import check_intervals, darts, estimate, heights, hits

_BATCHES_PER_WORKER = 4  # as Pool.map does: few messages, and some balance where one worker is slow


@implementation("executor")
def executor_integral(pool: ProcessPoolExecutor, intervals: int, *, workers: int) -> float:
    """Evaluate one block of midpoints in each process."""
    check_intervals(intervals)
    starts, stops = zip(*((block.start, block.stop) for block in blocks(intervals, workers)))
    return math.fsum(pool.map(heights, starts, stops, repeat(intervals))) / intervals


@implementation("executor")
def executor_monte_carlo(pool: ProcessPoolExecutor, samples: int, seed: int, chunk: int, *, workers: int) -> float:
    """Throw the darts in batches of chunks."""
    children, lengths = zip(*darts(samples, seed, chunk))
    batch = math.ceil(len(children) / (_BATCHES_PER_WORKER * workers))
    return estimate(sum(pool.map(hits, children, lengths, chunksize=batch)), samples)
