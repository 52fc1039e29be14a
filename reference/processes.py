"""Squares of numbers, serial, and the ways to share the numbers out."""

from __future__ import annotations

from collections.abc import Sequence


def square(number: int) -> int:
    """Multiply a number by itself."""
    return number * number


def squares(numbers: Sequence[int], chunksize: int = 1) -> list[int]:
    """Square every number.

    Args:
        numbers: may be empty.
        chunksize: how many numbers make a task where tasks are sent; the result does not depend on it.

    Raises:
        ValueError: ``chunksize`` below 1.
    """
    return [square(number) for chunk in chunks(numbers, chunksize) for number in chunk]


def chunks(numbers: Sequence[int], chunksize: int) -> list[Sequence[int]]:
    """Cut numbers into consecutive pieces of ``chunksize``, the last one perhaps shorter.

    Raises:
        ValueError: ``chunksize`` below 1.
    """
    if chunksize < 1:
        raise ValueError(f"chunksize is {chunksize}: a task needs at least 1 number")
    return [numbers[start : start + chunksize] for start in range(0, len(numbers), chunksize)]


def shares(numbers: Sequence[int], workers: int) -> list[Sequence[int]]:
    """Deal numbers out like cards: worker i gets ``numbers[i::workers]``, which may be none.

    Raises:
        ValueError: ``workers`` below 1.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}: at least 1 has to do the work")
    return [numbers[worker::workers] for worker in range(workers)]
