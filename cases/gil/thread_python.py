"""Threads that run Python: the interpreter lock lets one of them run at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cases.gil.pieces import pieces
from pytest_parallel_lab import implementation
from reference.gil import count_primes


@implementation("threads")
def thread_python(pool: ThreadPoolExecutor, start: int, stop: int, *, workers: int) -> int:
    """Count primes in threads."""
    return sum(pool.map(count_primes, *zip(*pieces(start, stop, workers))))
