"""MPI, cyclic decomposition: the rows are put into the order in which they are dealt, then scattered as blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region, axes, check, count_rows

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_scatter_cyclic(comm: MPI.Intracomm, region: Region, shape: tuple[int, int], limit: int) -> Counts | None:
    """Count every ``size``-th row, beginning with the rank's own number."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    root = comm.rank == 0
    hands = [np.arange(first, len(imag), comm.size) for first in range(comm.size)]
    dealt = np.concatenate(hands)
    rows = [len(hand) for hand in hands]

    mine = np.empty(rows[comm.rank])
    comm.Scatterv([imag[dealt], rows] if root else None, mine)
    part = count_rows(real, mine, limit)
    gathered = np.empty(shape, np.int32) if root else None
    comm.Gatherv(part, [gathered, [n * len(real) for n in rows]] if root else None)
    if gathered is None:
        return None
    counts = np.empty_like(gathered)
    counts[dealt] = gathered
    return counts
