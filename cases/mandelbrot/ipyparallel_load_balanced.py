"""``LoadBalancedView.map_sync``: the scheduler gives each task to the engine that has the least to do."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from pytest_parallel_lab import implementation
from reference.mandelbrot import CHUNK, Counts, Region, axes, check, count_rows


@implementation("ipyparallel")
def ipyparallel_load_balanced(
    view: Any, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = CHUNK
) -> Counts:
    """Count tasks of ``chunk`` rows; their results come back in the order of the rows."""
    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    balanced = view.client.load_balanced_view(targets=view.targets)
    tasks = [imag[first : first + chunk] for first in range(0, len(imag), chunk)]
    parts = balanced.map_sync(partial(count_rows, real, limit=limit), tasks) if tasks else []
    return np.concatenate([np.empty((0, len(real)), np.int32), *parts])
