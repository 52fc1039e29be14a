"""``DirectView.map_sync``: one task per engine, made of adjacent rows. A block decomposition in one line."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region, axes, check, count_row


@implementation("ipyparallel")
def ipyparallel_direct(view: Any, region: Region, shape: tuple[int, int], limit: int) -> Counts:
    """Count one block of rows per engine."""
    check(region, shape, limit)
    real, imag = axes(region, shape)
    rows = view.map_sync(partial(count_row, real, limit=limit), imag) if len(imag) else []
    return np.array(rows, np.int32).reshape(shape)
