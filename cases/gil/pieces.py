"""Who counts where: more pieces than workers, as higher numbers take longer."""

from __future__ import annotations

from pytest_parallel_lab import blocks
from reference.gil import candidates

PIECES_PER_WORKER = 4


def pieces(start: int, stop: int, workers: int) -> list[tuple[int, int]]:
    """Cut a range into pieces (start, stop), to be taken by whoever is free.

    Raises:
        ValueError: ``start`` below 0.
    """
    numbers = candidates(start, stop)
    cut = blocks(len(numbers), PIECES_PER_WORKER * workers)
    return [(start + piece.start, start + piece.stop) for piece in cut]
