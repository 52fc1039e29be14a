"""What one worker alone would leave behind: the serial reference of the races."""

from __future__ import annotations

OPENING_BALANCE = 100


def check_times(times: int) -> None:
    """Refuse a number of repetitions that means nothing.

    Raises:
        ValueError: it is negative.
    """
    if times < 0:
        raise ValueError(f"times is {times}: how often each worker changes the number must be 0 or more")


def sum_of_two(times: int) -> float:
    """Add 1 to a double for the first worker's ``times``, then for the second's."""
    check_times(times)
    total = 0.0
    for _ in range(2):
        for _ in range(times):
            total += 1.0
    return total


def balance(times: int) -> int:
    """Withdraw 1 from an account ``times``, then deposit 1 as often."""
    check_times(times)
    left = OPENING_BALANCE
    for _ in range(times):
        left -= 1
    for _ in range(times):
        left += 1
    return left
