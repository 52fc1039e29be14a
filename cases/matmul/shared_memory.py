"""Processes that write their rows in place into shared memory.

The inputs stay where they arrived: ``SharedArray.of`` hands the workers their place in shared
memory, not a copy. The result lives in a ``multiprocessing.shared_memory`` block.
"""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.pool import Pool
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from pytest_parallel_lab import SharedArray, blocks, implementation
from reference.matmul import Matrix


@implementation("processes")
def shared_memory(pool: Pool, a: Matrix, b: Matrix, *, workers: int) -> Iterator[Matrix]:
    """Multiply row blocks in place; the yield hands the result over before its memory is freed."""
    shape, dtype = (len(a), b.shape[1]), np.result_type(a, b)
    size_bytes = shape[0] * shape[1] * dtype.itemsize
    memory = SharedMemory(create=True, size=max(size_bytes, 1))
    try:
        inputs = SharedArray.of(a), SharedArray.of(b)
        jobs = [(*inputs, memory.name, shape, dtype, rows) for rows in blocks(len(a), workers)]
        pool.starmap(_multiply_rows, jobs, chunksize=1)
        yield np.ndarray(shape, dtype, memory.buf)
    finally:
        memory.close()
        memory.unlink()


def _multiply_rows(
    a: SharedArray, b: SharedArray, name: str, shape: tuple[int, int], dtype: np.dtype[Any], rows: slice
) -> None:
    memory = SharedMemory(name)
    try:
        c: Matrix = np.ndarray(shape, dtype, memory.buf)
        np.matmul(a.array[rows], b.array, out=c[rows])
        del c  # close() refuses while an array looks into the block
    finally:
        memory.close()
