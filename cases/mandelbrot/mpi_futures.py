"""``mpi4py.futures``: an executor over the ranks of a communicator, dynamic like any pool.

Rank 0 becomes the master and computes nothing, so p ranks have p - 1 workers; a single rank works in a thread.
With ``use_pkl5`` the rows are sent from where they are, beside their pickles and not copied into them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import CHUNK, Counts, Region, axes, check, count_rows

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_futures(
    comm: MPI.Intracomm, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = CHUNK
) -> Counts | None:
    """Count tasks of ``chunk`` rows with ``MPICommExecutor``."""
    from mpi4py.futures import MPICommExecutor

    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    counts: Counts | None = None
    executor: Any  # an MPIPoolExecutor, not what its stub says
    with MPICommExecutor(comm, root=0, use_pkl5=True) as executor:
        if executor is not None:  # None on all ranks but the root: they serve until the block ends
            tasks = [imag[first : first + chunk] for first in range(0, len(imag), chunk)]
            parts = executor.map(partial(count_rows, real, limit=limit), tasks)
            counts = np.concatenate([np.empty((0, len(real)), np.int32), *parts])
    return counts
