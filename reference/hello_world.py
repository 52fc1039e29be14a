"""What a parallel hello world says, serial."""

from __future__ import annotations


def greeting(rank: int, size: int, processor: str) -> str:
    """Write the line of one worker, without its newline.

    Args:
        rank: which worker it is, from 0.
        size: how many there are.
        processor: the name of the machine it runs on.

    Raises:
        ValueError: there is no such rank in a world of that size.
    """
    if not 0 <= rank < size:
        raise ValueError(f"no rank {rank} in a world of {size}: ranks are 0 to size - 1")
    return f"Hello from rank {rank} of {size} on {processor}"


def greetings(size: int, processor: str) -> list[str]:
    """Write the lines of all workers of one machine, in the order of their ranks."""
    return [greeting(rank, size, processor) for rank in range(size)]
