"""MPI: a few sums gathered as Python objects, many numbers gathered as buffers.

Every rank knows the seed, so every rank can spawn all streams and take its own: nothing has to be
sent out.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.random_mean import add_chunks, draw_and_add, mean, streams

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_sums(comm: MPI.Intracomm, numbers: int, seed: int, chunk: int) -> float | None:
    """Gather a sum of every chunk, in the order of ranks, which is that of the chunks."""
    chunks = streams(numbers, seed, chunk)
    mine = chunks[blocks(len(chunks), comm.size)[comm.rank]]
    gathered = comm.gather([draw_and_add(*stream) for stream in mine])
    return None if gathered is None else mean(chain.from_iterable(gathered), numbers)


@implementation("mpi")
def mpi_numbers(comm: MPI.Intracomm, numbers: int, seed: int, chunk: int) -> float | None:
    """Gather all numbers on rank 0, and add up there."""
    chunks = streams(numbers, seed, chunk)
    shares = [chunks[block] for block in blocks(len(chunks), comm.size)]
    counts = [sum(length for _, length in share) for share in shares]

    mine = np.empty(counts[comm.rank])
    start = 0
    for child, length in shares[comm.rank]:
        np.random.default_rng(child).random(out=mine[start : start + length])
        start += length

    root = comm.rank == 0
    drawn = np.empty(numbers if root else 0)
    comm.Gatherv(mine, [drawn, counts] if root else None)
    return mean(add_chunks(drawn, chunk), numbers) if root else None
