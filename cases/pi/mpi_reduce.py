"""MPI: every rank knows what to do from its rank and the size; one reduction brings it together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import blocks, implementation
from reference.pi import check_intervals, darts, estimate, heights, hits

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_integral(comm: MPI.Intracomm, intervals: int) -> float | None:
    """Evaluate one block of midpoints on each rank."""
    check_intervals(intervals)
    mine = blocks(intervals, comm.size)[comm.rank]
    total: float | None = comm.reduce(heights(mine.start, mine.stop, intervals))
    return None if total is None else total / intervals


@implementation("mpi")
def mpi_monte_carlo(comm: MPI.Intracomm, samples: int, seed: int, chunk: int) -> float | None:
    """Throw one block of the chunks of darts on each rank; counts add up exactly in any order."""
    chunks = darts(samples, seed, chunk)
    mine = chunks[blocks(len(chunks), comm.size)[comm.rank]]
    inside: int | None = comm.reduce(sum(hits(*stream) for stream in mine))
    return None if inside is None else estimate(inside, samples)
