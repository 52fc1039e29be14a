"""NumPy on one core: what all others are measured against."""

from __future__ import annotations

import reference.matmul
from pytest_parallel_lab import implementation
from reference.matmul import Matrix


@implementation("serial")
def serial(a: Matrix, b: Matrix) -> Matrix:
    """Multiply with one BLAS thread."""
    return reference.matmul.matmul(a, b)
