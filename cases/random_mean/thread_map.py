"""Threads: NumPy's generators release the GIL while they draw, and nothing has to be moved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pytest_parallel_lab import implementation
from reference.random_mean import Stream, add_chunks, draw_and_add, mean, streams


@implementation("threads")
def thread_sums(pool: ThreadPoolExecutor, numbers: int, seed: int, chunk: int) -> float:
    """Draw in the threads and bring back a sum of every chunk."""
    children, lengths = zip(*streams(numbers, seed, chunk))
    return mean(pool.map(draw_and_add, children, lengths), numbers)


@implementation("threads")
def thread_numbers(pool: ThreadPoolExecutor, numbers: int, seed: int, chunk: int) -> float:
    """Draw in the threads into one array, and add up in the main thread."""
    chunks = streams(numbers, seed, chunk)
    drawn = np.empty(numbers)

    def fill(index: int, stream: Stream) -> None:
        child, length = stream
        start = index * chunk
        np.random.default_rng(child).random(out=drawn[start : start + length])

    list(pool.map(fill, *zip(*enumerate(chunks))))  # a list, so that errors come out
    return mean(add_chunks(drawn, chunk), numbers)
