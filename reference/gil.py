"""How many primes there are in a range, serial: pure Python, and NumPy. Work for a processor, and nothing else."""

from __future__ import annotations

import math

import numpy as np

BLOCK = 1 << 15  # numbers that NumPy works on at once: its time goes into them, and they stay in the cache


def count_primes(start: int, stop: int) -> int:
    """Count the primes p with start <= p < stop, by trial division in pure Python.

    Args:
        start: 0 or more.
        stop: at or below ``start`` there are none.

    Raises:
        ValueError: ``start`` below 0.
    """
    return sum(_is_prime(number) for number in candidates(start, stop))


def _is_prime(number: int) -> bool:
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return number > 1


def count_primes_with_numpy(start: int, stop: int) -> int:
    """Count the same primes with NumPy: each divisor is tried on a block of numbers at once."""
    numbers = candidates(start, stop)
    return sum(_primes_in_block(numbers[first : first + BLOCK]) for first in range(0, len(numbers), BLOCK))


def _primes_in_block(block: range) -> int:
    numbers = np.arange(block.start, block.stop)
    composite = numbers < 2
    for divisor in range(2, math.isqrt(block.stop - 1) + 1):
        composite |= (numbers % divisor == 0) & (numbers != divisor)
    return int(np.count_nonzero(~composite))


def candidates(start: int, stop: int) -> range:
    """Check a range to be searched for primes.

    Raises:
        ValueError: ``start`` below 0.
    """
    if start < 0:
        raise ValueError(f"start is {start}: primes are counted from 0 on")
    return range(start, max(start, stop))
