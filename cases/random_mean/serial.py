"""One worker, chunk after chunk: what all others are measured against."""

from __future__ import annotations

import reference.random_mean
from pytest_parallel_lab import implementation


@implementation("serial")
def serial(numbers: int, seed: int, chunk: int) -> float:
    """Draw and add one chunk after the other."""
    return reference.random_mean.random_mean(numbers, seed, chunk)
