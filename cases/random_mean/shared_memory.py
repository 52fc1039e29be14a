"""Processes that write what they have into shared memory: nothing goes through a pipe but the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.pool import Pool

import numpy as np

from pytest_parallel_lab import SharedArray, blocks, implementation
from reference.random_mean import Stream, add_chunks, draw_and_add, mean, streams


@implementation("processes")
def shared_sums(pool: Pool, numbers: int, seed: int, chunk: int, *, workers: int) -> float:
    """Draw in the workers and leave a sum of every chunk in shared memory."""
    chunks = streams(numbers, seed, chunk)
    sums = SharedArray.empty((len(chunks),))
    jobs = [(sums, block.start, chunks[block]) for block in blocks(len(chunks), workers)]
    pool.starmap(_write_sums, jobs, chunksize=1)
    return mean(sums.array, numbers)


def _write_sums(sums: SharedArray, first: int, chunks: Sequence[Stream]) -> None:
    for index, stream in enumerate(chunks, first):
        sums.array[index] = draw_and_add(*stream)


@implementation("processes")
def shared_numbers(pool: Pool, numbers: int, seed: int, chunk: int, *, workers: int) -> float:
    """Draw in the workers, straight into shared memory, and add up in the master."""
    chunks = streams(numbers, seed, chunk)
    drawn = SharedArray.empty((numbers,))
    jobs = [(drawn, block.start * chunk, chunks[block]) for block in blocks(len(chunks), workers)]
    pool.starmap(_write_numbers, jobs, chunksize=1)
    return mean(add_chunks(drawn.array, chunk), numbers)


def _write_numbers(drawn: SharedArray, start: int, chunks: Sequence[Stream]) -> None:
    for child, length in chunks:
        np.random.default_rng(child).random(out=drawn.array[start : start + length])
        start += length
