"""``mpi4py.futures``: an executor over the ranks of a communicator, dynamic like any pool.

Rank 0 becomes the master and computes nothing, so p ranks have p - 1 workers; a single rank works in a thread.
With ``use_pkl5`` the rows are sent from where they are, beside their pickles and not copied into them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region, axes, check, count_row

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_futures(
    comm: MPI.Intracomm, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = 1
) -> Counts | None:
    """Count tasks of ``chunk`` rows with ``MPICommExecutor``."""
    from mpi4py.futures import MPICommExecutor

    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    counts: Counts | None = None
    with MPICommExecutor(comm, root=0, use_pkl5=True) as executor:
        if executor is not None:  # None on all ranks but the root: they serve until the block ends
            rows = executor.map(partial(count_row, real, limit=limit), imag, chunksize=chunk)
            counts = np.array(list(rows), np.int32).reshape(shape)
    return counts
