"""``LoadBalancedView.map_sync``: the scheduler gives each task to the engine that has the least to do."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region, axes, check, count_row


@implementation("ipyparallel")
def ipyparallel_load_balanced(
    view: Any, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = 1
) -> Counts:
    """Count tasks of ``chunk`` rows; the results come back in the order of the rows."""
    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    balanced = view.client.load_balanced_view(targets=view.targets)
    rows = balanced.map_sync(partial(count_row, real, limit=limit), imag, chunksize=chunk) if len(imag) else []
    return np.array(rows, np.int32).reshape(shape)
