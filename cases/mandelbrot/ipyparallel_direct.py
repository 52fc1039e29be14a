"""``DirectView.map_sync``: one task per engine, and each of adjacent rows. A block decomposition."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.mandelbrot import Counts, Region, axes, check, count_rows


@implementation("ipyparallel")
def ipyparallel_direct(view: Any, region: Region, shape: tuple[int, int], limit: int) -> Counts:
    """Count one block of rows per engine."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    shares = [imag[rows] for rows in blocks(len(imag), len(view))]
    return np.concatenate(view.map_sync(partial(count_rows, real, limit=limit), shares))
