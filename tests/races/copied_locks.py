"""Locks that do not reach the other process: it has one of its own."""

from __future__ import annotations

from threading import Lock as ThreadLock
from typing import Any

from tests.races.corpus import FORK, SPAWN, Context, buggy, fixes, together

LOCK = SPAWN.Lock()
THREAD_LOCK = ThreadLock()


def add_with(lock: Any, total: Any) -> None:
    for _ in range(2):
        with lock:
            total.value += 1


def add_with_lock_of_the_module(total: Any) -> None:
    add_with(LOCK, total)


def add_with_lock_of_threads(total: Any) -> None:
    add_with(THREAD_LOCK, total)


def total_of_two(context: Context, function: Any) -> int:
    total: Any = context.Value("i", 0)
    together(context.Process, function, (total,), (total,))
    return int(total.value)


@buggy("Race")
def lock_made_by_each_import() -> int:
    """Every spawned process imports the module and so makes a lock of its own."""
    return total_of_two(SPAWN, add_with_lock_of_the_module)


@fixes(lock_made_by_each_import)
def lock_made_by_each_import_fixed() -> int:
    """The lock is passed to the processes."""
    total: Any = SPAWN.Value("i", 0)
    lock = SPAWN.Lock()
    together(SPAWN.Process, add_with, (lock, total), (lock, total))
    return int(total.value)


@buggy("Race")
def lock_of_threads_copied_by_fork() -> int:
    """A fork copies the lock of threads: each process has its own."""
    return total_of_two(FORK, add_with_lock_of_threads)


@fixes(lock_of_threads_copied_by_fork)
def lock_of_threads_copied_by_fork_fixed() -> int:
    """A lock of multiprocessing is shared by forked processes."""
    total, lock = FORK.Value("i", 0), FORK.Lock()
    together(FORK.Process, add_with, (lock, total), (lock, total))
    return int(total.value)


class Tally:
    """A number that makes itself a lock wherever it arrives."""

    def __init__(self, total: Any) -> None:
        self.total = total
        self.lock = ThreadLock()

    def __getstate__(self) -> Any:
        return self.total

    def __setstate__(self, total: Any) -> None:
        self.__init__(total)  # type: ignore[misc]

    def add(self) -> None:
        """Add one with the lock held."""
        with self.lock:
            self.total.value += 1


@buggy("Race")
def lock_left_behind_by_pickle() -> int:
    """The object is pickled without its lock and makes a new one in each process."""
    tally = Tally(SPAWN.Value("i", 0))
    together(SPAWN.Process, tally.add, (), ())
    return int(tally.total.value)


@fixes(lock_left_behind_by_pickle)
def lock_left_behind_by_pickle_fixed() -> int:
    """The lock of the Value travels with it."""
    tally = Tally(SPAWN.Value("i", 0))
    together(SPAWN.Process, add_once, (tally,), (tally,))
    return int(tally.total.value)


def add_once(tally: Tally) -> None:
    with tally.total.get_lock():
        tally.add()
