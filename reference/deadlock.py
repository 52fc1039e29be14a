"""What the programs would give if they came to their end: the serial reference of the deadlocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

OPENING_BALANCE = 100


def check_count(count: int) -> None:
    """Refuse a number of items that means nothing.

    Raises:
        ValueError: it is negative.
    """
    if count < 0:
        raise ValueError(f"count is {count}: the number of items must be 0 or more")


def squares(count: int) -> list[int]:
    """Square 0, 1, ..., ``count - 1``."""
    check_count(count)
    return [number * number for number in range(count)]


def squares_but_one(count: int, fatal: int) -> list[int | None]:
    """Square the same numbers but for the one that no worker survives, which has no result."""
    return [None if number == fatal else square for number, square in enumerate(squares(count))]


def transfers_both_ways(there: int, back: int) -> tuple[int, int]:
    """Transfer one amount from the first account to the second, and another one back.

    Returns:
        Both balances.
    """
    return OPENING_BALANCE - there + back, OPENING_BALANCE + there - back


def exchanged(count: int) -> npt.NDArray[np.float64]:
    """What rank 0 has received when two ranks have exchanged ``count`` doubles: rank 1's number, repeated."""
    check_count(count)
    return np.full(count, 1.0)
