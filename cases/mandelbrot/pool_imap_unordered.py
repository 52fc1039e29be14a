"""``Pool.imap_unordered``, dynamic decomposition: who is done with a task takes the next.

Results arrive in the order in which they are done, so each carries the place where it belongs.
"""

from __future__ import annotations

from functools import partial
from multiprocessing.pool import Pool

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import CHUNK, Counts, Reals, Region, axes, check, count_rows


@implementation("processes")
def pool_imap_unordered(
    pool: Pool, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = CHUNK
) -> Counts:
    """Count tasks of ``chunk`` rows, first come, first served."""
    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    tasks = [(first, imag[first : first + chunk]) for first in range(0, len(imag), chunk)]
    counts = np.empty(shape, np.int32)
    for first, part in pool.imap_unordered(partial(_count_task, real, limit), tasks):
        counts[first : first + len(part)] = part
    return counts


def _count_task(real: Reals, limit: int, task: tuple[int, Reals]) -> tuple[int, Counts]:
    first, imag = task
    return first, count_rows(real, imag, limit)
