"""The serial reference of the survival cases: a slow function of every item, in order."""

from __future__ import annotations

from collections.abc import Sequence


def slow_square(x: int) -> int:
    """Take some milliseconds of computing to square a number."""
    for _ in range(500_000):
        pass
    return x * x


def slow_squares(items: Sequence[int]) -> list[int]:
    """Square every item."""
    return [slow_square(x) for x in items]
