"""MPI with buffers: rows of ``a`` scattered, ``b`` broadcast, rows of the result gathered.

Scatterv and Gatherv, not Scatter and Gather, so that the rows need not divide by the ranks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.matmul import Matrix

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_scatter(comm: MPI.Intracomm, a: Matrix, b: Matrix) -> Matrix | None:
    """Multiply row blocks; every rank gets the arguments, but the data travels from rank 0 through MPI."""
    (m, k), n = a.shape, b.shape[1]
    dtype = np.result_type(a, b)
    rows = [block.stop - block.start for block in blocks(m, comm.size)]
    root = comm.rank == 0

    mine = np.empty((rows[comm.rank], k), dtype)
    whole_a = np.ascontiguousarray(a, dtype) if root else None
    comm.Scatterv([whole_a, [count * k for count in rows]] if root else None, mine)

    whole_b = np.ascontiguousarray(b, dtype) if root else np.empty(b.shape, dtype)
    comm.Bcast(whole_b)

    c = np.empty((m, n), dtype) if root else None
    comm.Gatherv(mine @ whole_b, [c, [count * n for count in rows]] if root else None)
    return c
