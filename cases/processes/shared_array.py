"""``Array``: numbers in shared memory. Every worker writes elements of its own, so nobody is in another's way."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Array, Process
from multiprocessing.sharedctypes import SynchronizedArray

from cases.processes.fork_join import run_all
from reference.processes import shares, square


def shared_array(numbers: Sequence[int], workers: int) -> list[int]:
    """Write the squares into shared memory, dealt out to the workers in turn."""
    found: SynchronizedArray[int] = Array("q", len(numbers))
    places = enumerate(shares(numbers, workers))
    run_all([Process(target=_fill, args=(found, share, first, workers)) for first, share in places])
    return found[:]


def _fill(found: SynchronizedArray[int], numbers: Sequence[int], first: int, step: int) -> None:
    # Each access takes the array's lock: one slice costs one lock, element by element it would be one each.
    found[first::step] = [square(number) for number in numbers]
