"""One thread: what the others are measured against."""

from __future__ import annotations

from pytest_parallel_lab import implementation
from reference.gil import count_primes, count_primes_with_numpy


@implementation("serial")
def serial_python(start: int, stop: int) -> int:
    """Count primes in pure Python."""
    return count_primes(start, stop)


@implementation("serial")
def serial_numpy(start: int, stop: int) -> int:
    """Count primes with NumPy."""
    return count_primes_with_numpy(start, stop)
