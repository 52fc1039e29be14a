"""A ``Pool`` of the program's own: start, use, stop."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Pool

from reference.processes import shares, square


def own_pool(numbers: Sequence[int], workers: int) -> list[int]:
    """Map over a pool; leaving ``with`` ends its processes."""
    shares(numbers, workers)  # refuses what makes no sense
    with Pool(workers) as pool:
        return pool.map(square, numbers)
