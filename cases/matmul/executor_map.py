"""The same over concurrent.futures: what differs is the executor's own overhead."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np

from pytest_parallel_lab import blocks, implementation
from reference.matmul import Matrix


@implementation("executor")
def executor_map(pool: ProcessPoolExecutor, a: Matrix, b: Matrix, *, workers: int) -> Matrix:
    """Multiply row blocks with ``Executor.map``."""
    rows = [a[block] for block in blocks(len(a), workers)]
    return np.concatenate(list(pool.map(np.matmul, rows, repeat(b))))
