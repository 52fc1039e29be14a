"""``Pool.map``, block decomposition: each worker gets as many adjacent rows as any other, but not as much work."""

from __future__ import annotations

from functools import partial
from multiprocessing.pool import Pool

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.mandelbrot import Counts, Region, axes, check, count_rows


@implementation("processes")
def pool_map_block(pool: Pool, region: Region, shape: tuple[int, int], limit: int, *, workers: int) -> Counts:
    """Count one block of rows per worker."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    shares = [imag[rows] for rows in blocks(len(imag), workers)]
    return np.concatenate(pool.map(partial(count_rows, real, limit=limit), shares, chunksize=1))
