"""``Array``: numbers in shared memory. Every worker writes elements of its own, so no lock is needed."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from multiprocessing import Array, Process

from cases.processes.fork_join import run_all
from reference.processes import shares, square


def shared_array(numbers: Sequence[int], workers: int) -> list[int]:
    """Write the squares into shared memory, dealt out to the workers in turn."""
    found = Array(ctypes.c_int64, len(numbers), lock=False)
    run_all(
        [Process(target=_fill, args=(found, share, i, workers)) for i, share in enumerate(shares(numbers, workers))]
    )
    return list(found)


def _fill(found: ctypes.Array[ctypes.c_int64], numbers: Sequence[int], first: int, step: int) -> None:
    found[first::step] = [square(number) for number in numbers]  # type: ignore[call-overload]
