"""``Pool.map``, cyclic decomposition: rows are dealt like cards, so that each worker has some of the slow ones."""

from __future__ import annotations

from functools import partial
from multiprocessing.pool import Pool

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region, axes, check, count_rows


@implementation("processes")
def pool_map_cyclic(pool: Pool, region: Region, shape: tuple[int, int], limit: int, *, workers: int) -> Counts:
    """Count every ``workers``-th row, beginning with another row on each worker."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    hands = [slice(first, None, workers) for first in range(workers)]
    counts = np.empty(shape, np.int32)
    parts = pool.map(partial(count_rows, real, limit=limit), [imag[hand] for hand in hands], chunksize=1)
    for hand, part in zip(hands, parts):
        counts[hand] = part
    return counts
