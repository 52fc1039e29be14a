"""All rows on one core: what all others are measured against."""

from __future__ import annotations

import reference.mandelbrot
from pytest_parallel_lab import implementation
from reference.mandelbrot import Counts, Region


@implementation("serial")
def serial(region: Region, shape: tuple[int, int], limit: int) -> Counts:
    """Count with the reference."""
    return reference.mandelbrot.mandelbrot(region, shape, limit)
