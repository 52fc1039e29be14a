"""One worker: what all others are measured against."""

from __future__ import annotations

import reference.pi
from pytest_parallel_lab import implementation


@implementation("serial")
def serial_integral(intervals: int) -> float:
    """Evaluate all midpoints."""
    return reference.pi.integral(intervals)


@implementation("serial")
def serial_monte_carlo(samples: int, seed: int, chunk: int) -> float:
    """Throw all darts."""
    return reference.pi.monte_carlo(samples, seed, chunk)
