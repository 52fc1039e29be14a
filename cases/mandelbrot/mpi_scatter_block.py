"""MPI, block decomposition: Scatterv of the rows' coordinates, Gatherv of their counts.

The columns are the same for all: every rank computes them, which is cheaper than a broadcast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.mandelbrot import Counts, Region, axes, check, count_rows

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_scatter_block(comm: MPI.Intracomm, region: Region, shape: tuple[int, int], limit: int) -> Counts | None:
    """Count one block of rows per rank."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    root = comm.rank == 0
    rows = [block.stop - block.start for block in blocks(len(imag), comm.size)]

    mine = np.empty(rows[comm.rank])
    comm.Scatterv([imag, rows] if root else None, mine)
    part = count_rows(real, mine, limit)
    counts = np.empty(shape, np.int32) if root else None
    comm.Gatherv(part, [counts, [n * len(real) for n in rows]] if root else None)
    return counts
