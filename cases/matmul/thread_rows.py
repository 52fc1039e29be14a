"""Threads that each write their rows of one array: NumPy's BLAS releases the GIL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.matmul import Matrix


@implementation("threads")
def thread_rows(pool: ThreadPoolExecutor, a: Matrix, b: Matrix, *, workers: int) -> Matrix:
    """Multiply row blocks in threads; nothing is copied."""
    c = np.empty((len(a), b.shape[1]), np.result_type(a, b))

    def multiply(rows: slice) -> None:
        np.matmul(a[rows], b, out=c[rows])

    list(pool.map(multiply, blocks(len(a), workers)))  # a list, so that errors come out
    return c
