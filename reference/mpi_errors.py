"""What the repaired programs of the problem ``mpi_errors`` give, serial."""

from __future__ import annotations


def left_neighbours(ranks: int) -> list[int]:
    """Tell each rank's left neighbour in a ring.

    Raises:
        ValueError: fewer than 1 rank.
    """
    if ranks < 1:
        raise ValueError(f"ranks is {ranks}: a ring has at least 1")
    return [(rank - 1) % ranks for rank in range(ranks)]


def sums_by_parity(ranks: int) -> list[int]:
    """Sum, for each rank, the ranks that are even or odd like it.

    Raises:
        ValueError: fewer than 1 rank.
    """
    if ranks < 1:
        raise ValueError(f"ranks is {ranks}: there is nobody to sum over")
    return [sum(range(rank % 2, ranks, 2)) for rank in range(ranks)]
