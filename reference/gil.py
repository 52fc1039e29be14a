"""How many primes there are in a range, serial: pure Python, and NumPy. Work for a processor, and nothing else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


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
    """Count the same primes: each divisor is tried on all numbers that are left at once."""
    numbers = np.array(candidates(start, stop), np.int64)
    left: npt.NDArray[np.int64] = numbers[numbers > 1]
    divisor = 2
    while left.size and divisor * divisor <= left[-1]:
        left = left[(left % divisor != 0) | (left == divisor)]
        divisor += 1
    return int(left.size)


def candidates(start: int, stop: int) -> range:
    """Check a range to be searched for primes.

    Raises:
        ValueError: ``start`` below 0.
    """
    if start < 0:
        raise ValueError(f"start is {start}: primes are counted from 0 on")
    return range(start, max(start, stop))
