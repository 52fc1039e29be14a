"""Threads: NumPy releases the GIL in its loops and its generators, so they do run at once."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

from pytest_parallel_lab import blocks, implementation
from reference.pi import check_intervals, darts, estimate, heights, hits


@implementation("threads")
def thread_integral(pool: ThreadPoolExecutor, intervals: int, *, workers: int) -> float:
    """Evaluate one block of midpoints in each thread."""
    check_intervals(intervals)
    futures = [pool.submit(heights, block.start, block.stop, intervals) for block in blocks(intervals, workers)]
    return math.fsum(future.result() for future in futures) / intervals


@implementation("threads")
def thread_monte_carlo(pool: ThreadPoolExecutor, samples: int, seed: int, chunk: int) -> float:
    """Throw the darts chunk by chunk, each by the next thread that is free."""
    children, lengths = zip(*darts(samples, seed, chunk))
    return estimate(sum(pool.map(hits, children, lengths)), samples)
