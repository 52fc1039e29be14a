"""Pool.map over row blocks, the inputs pickled once to each worker."""

from __future__ import annotations

from multiprocessing.pool import Pool

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.matmul import Matrix


@implementation("processes")
def pool_map(pool: Pool, a: Matrix, b: Matrix, *, workers: int) -> Matrix:
    """Send every worker its rows of ``a`` and all of ``b`` through a pipe, and its rows of the result back."""
    parts = pool.starmap(np.matmul, [(a[rows], b) for rows in blocks(len(a), workers)], chunksize=1)
    return np.concatenate(parts)
