"""Processes that run Python: each has an interpreter, and a lock, of its own."""

from __future__ import annotations

from multiprocessing.pool import Pool

from cases.gil.pieces import pieces
from pytest_parallel_lab import implementation
from reference.gil import count_primes


@implementation("processes")
def process_python(pool: Pool, start: int, stop: int, *, workers: int) -> int:
    """Count primes in processes."""
    return sum(pool.starmap(count_primes, pieces(start, stop, workers), chunksize=1))
