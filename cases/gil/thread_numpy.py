"""Threads that run NumPy, which gives the interpreter lock away while it computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cases.gil.pieces import pieces
from pytest_parallel_lab import implementation
from reference.gil import count_primes_with_numpy


@implementation("threads")
def thread_numpy(pool: ThreadPoolExecutor, start: int, stop: int, *, workers: int) -> int:
    """Count primes with NumPy in threads."""
    return sum(pool.map(count_primes_with_numpy, *zip(*pieces(start, stop, workers))))
