"""MPI with buffers: rows of ``a`` scattered, ``b`` broadcast, rows of the result gathered.

Scatterv and Gatherv, not Scatter and Gather, so that the rows need not divide by the ranks. The root's own
rows stay where they are (``IN_PLACE``): it neither copies them nor needs memory for the copy.
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
    from mpi4py import MPI

    (m, k), n = a.shape, b.shape[1]
    dtype = np.result_type(a, b)
    rows = [block.stop - block.start for block in blocks(m, comm.size)]

    if comm.rank == 0:
        whole_a, whole_b = np.ascontiguousarray(a, dtype), np.ascontiguousarray(b, dtype)
        c = np.empty((m, n), dtype)
        comm.Scatterv([whole_a, [count * k for count in rows]], MPI.IN_PLACE)
        comm.Bcast(whole_b)
        np.matmul(whole_a[: rows[0]], whole_b, out=c[: rows[0]])
        comm.Gatherv(MPI.IN_PLACE, [c, [count * n for count in rows]])
        return c

    mine, whole_b = np.empty((rows[comm.rank], k), dtype), np.empty(b.shape, dtype)
    comm.Scatterv(None, mine)
    comm.Bcast(whole_b)
    comm.Gatherv(mine @ whole_b, None)
    return None
