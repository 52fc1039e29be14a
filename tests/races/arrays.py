"""Arrays of numpy in shared memory."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from tests.races.corpus import FORK, buggy, fixes, together


def in_shared_memory(start: Any, work: Callable[[Any], None]) -> Any:
    """Put the array into shared memory, let the workers work on it and copy it back."""
    initial = np.array(start)
    block = SharedMemory(create=True, size=initial.nbytes)
    try:
        shared: Any = np.ndarray(initial.shape, initial.dtype, block.buf)
        shared[:] = initial
        work(shared)
        final = shared.copy()
        del shared
        return final
    finally:
        block.close()
        block.unlink()


def add_one(name: str) -> None:
    block = SharedMemory(name=name)
    array: Any = np.ndarray(3, np.int64, block.buf)
    for i in range(3):
        array[i] += 1
    del array
    block.close()


def add_one_locked(lock: Any, name: str) -> None:
    with lock:
        add_one(name)


def count_in_block(function: Any, *arguments: Any) -> list[int]:
    block = SharedMemory(create=True, size=24)
    array: Any = np.ndarray(3, np.int64, block.buf)
    array[:] = 0
    together(FORK.Process, function, (*arguments, block.name), (*arguments, block.name))
    final: list[int] = array.tolist()
    del array
    block.close()
    block.unlink()
    return final


@buggy("Race")
def elements_added_to() -> list[int]:
    """Two processes add one to each element of the same array."""
    return count_in_block(add_one)


@fixes(elements_added_to)
def elements_added_to_fixed() -> list[int]:
    """The processes add with a lock held."""
    return count_in_block(add_one_locked, FORK.Lock())


def append(array: Any, items: list[int]) -> None:
    for item in items:
        array[1 + array[0]] = item
        array[0] += 1


def append_locked(lock: Any, array: Any, items: list[int]) -> None:
    for item in items:
        with lock:
            array[1 + array[0]] = item
            array[0] += 1


@buggy("Race")
def list_in_an_array() -> list[int]:
    """Both processes append to a list whose length is in its first element."""
    array = in_shared_memory([0] * 5, lambda shared: together(FORK.Process, append, (shared, [5, 6]), (shared, [7, 8])))
    return sorted(array.tolist())


@fixes(list_in_an_array)
def list_in_an_array_fixed() -> list[int]:
    """An item and the length are written with a lock held."""
    lock = FORK.Lock()

    def work(shared: Any) -> None:
        together(FORK.Process, append_locked, (lock, shared, [5, 6]), (lock, shared, [7, 8]))

    return sorted(in_shared_memory([0] * 5, work).tolist())


def count_into(bins: Any, numbers: list[int]) -> None:
    for number in numbers:
        bins[number // 10] += 1


def count_then_add(lock: Any, bins: Any, numbers: list[int]) -> None:
    own = np.bincount([number // 10 for number in numbers], minlength=len(bins))
    with lock:
        bins += own


@buggy("Race")
def histogram() -> list[int]:
    """Two processes count into the same bins."""
    bins = in_shared_memory(
        [0, 0, 0],
        lambda shared: together(FORK.Process, count_into, (shared, [5, 13, 17, 21]), (shared, [11, 2, 28, 19])),
    )
    return list(bins.tolist())


@fixes(histogram)
def histogram_fixed() -> list[int]:
    """Each process counts into bins of its own and adds them with a lock held."""
    lock = FORK.Lock()
    bins = in_shared_memory(
        [0, 0, 0],
        lambda shared: together(
            FORK.Process, count_then_add, (lock, shared, [5, 13, 17, 21]), (lock, shared, [11, 2, 28, 19])
        ),
    )
    return list(bins.tolist())


def fill_rows(array: Any, rank: int, low: int, high: int) -> None:
    for row in range(low, min(high, len(array))):
        array[row] = rank


def filled_by(last: int) -> list[list[int]]:
    """The rows filled by two processes; `last` is how many rows too many each takes."""
    array = in_shared_memory(
        np.zeros((4, 2), dtype=np.int64),
        lambda shared: together(FORK.Process, fill_rows, (shared, 1, 0, 2 + last), (shared, 2, 2, 4 + last)),
    )
    return list(array.tolist())


@buggy("Race", reference=[[1, 1], [1, 1], [2, 2], [2, 2]])
def one_row_too_many() -> list[list[int]]:
    """The first process writes one row of the second."""
    return filled_by(last=1)


@fixes(one_row_too_many)
def one_row_too_many_fixed() -> list[list[int]]:
    """Each process writes its own rows."""
    return filled_by(last=0)


def smooth(grid: Any, low: int, high: int, steps: int) -> None:
    for _ in range(steps):
        new = [int(grid[i - 1] + grid[i + 1]) for i in range(low, high)]
        grid[low:high] = new


def smooth_in_phases(barrier: Any, grid: Any, low: int, high: int, steps: int) -> None:
    for _ in range(steps):
        new = [int(grid[i - 1] + grid[i + 1]) for i in range(low, high)]
        barrier.wait()
        grid[low:high] = new
        barrier.wait()


def smooth_in_one_phase(barrier: Any, grid: Any, low: int, high: int, steps: int) -> None:
    for _ in range(steps):
        new = [int(grid[i - 1] + grid[i + 1]) for i in range(low, high)]
        grid[low:high] = new
        barrier.wait()


GRID = [1, 0, 2, 0, 3, 1]


@buggy("Race")
def stencil_without_barrier() -> list[int]:
    """The halves of a grid are updated step by step, in no common rhythm."""
    grid = in_shared_memory(
        GRID,
        lambda shared: together(FORK.Process, smooth, (shared, 1, 3, 2), (shared, 3, 5, 2)),
    )
    return list(grid.tolist())


@fixes(stencil_without_barrier)
def stencil_without_barrier_fixed() -> list[int]:
    """A barrier after the reads, another one after the writes."""
    barrier = FORK.Barrier(2)
    grid = in_shared_memory(
        GRID,
        lambda shared: together(FORK.Process, smooth_in_phases, (barrier, shared, 1, 3, 2), (barrier, shared, 3, 5, 2)),
    )
    return list(grid.tolist())


@buggy("Race")
def stencil_with_one_barrier() -> list[int]:
    """The barrier after the writes does not keep a neighbour from reading what is already new."""
    barrier = FORK.Barrier(2)
    grid = in_shared_memory(
        GRID,
        lambda shared: together(
            FORK.Process, smooth_in_one_phase, (barrier, shared, 1, 3, 1), (barrier, shared, 3, 5, 1)
        ),
    )
    return list(grid.tolist())


@fixes(stencil_with_one_barrier)
def stencil_with_one_barrier_fixed() -> list[int]:
    """There is a barrier between the reads and the writes as well."""
    barrier = FORK.Barrier(2)
    grid = in_shared_memory(
        GRID,
        lambda shared: together(FORK.Process, smooth_in_phases, (barrier, shared, 1, 3, 1), (barrier, shared, 3, 5, 1)),
    )
    return list(grid.tolist())


def normalise(array: Any, low: int, high: int) -> None:
    array[low:high] -= array.min()


def normalise_by(least: int, array: Any, low: int, high: int) -> None:
    array[low:high] -= least


@buggy("Race")
def minimum_of_a_changing_array() -> list[int]:
    """Each half is lowered by the least element of an array which the other process is changing."""
    array = in_shared_memory(
        [5, 3, 9, 8],
        lambda shared: together(FORK.Process, normalise, (shared, 0, 2), (shared, 2, 4)),
    )
    return list(array.tolist())


@fixes(minimum_of_a_changing_array)
def minimum_of_a_changing_array_fixed() -> list[int]:
    """The least element is found before the processes start."""
    array = in_shared_memory(
        [5, 3, 9, 8],
        lambda shared: together(FORK.Process, normalise_by, (shared.min(), shared, 0, 2), (shared.min(), shared, 2, 4)),
    )
    return list(array.tolist())
