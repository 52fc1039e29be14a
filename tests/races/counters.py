"""Numbers in the shared memory of multiprocessing, changed by two processes."""

from __future__ import annotations

from typing import Any

from tests.races.corpus import FORK, buggy, fixes, together


def add(total: Any, times: int) -> None:
    for _ in range(times):
        total.value += 1


def add_locked(total: Any, times: int) -> None:
    for _ in range(times):
        with total.get_lock():
            total.value += 1


def add_up(function: Any, times: int) -> int:
    total: Any = FORK.Value("i", 0)
    together(FORK.Process, function, (total, times), (total, times))
    return int(total.value)


@buggy("Race")
def value_added_to_20_times() -> int:
    """The lock of a Value guards the read and the write, not both together."""
    return add_up(add, 20)


@fixes(value_added_to_20_times)
def value_added_to_20_times_fixed() -> int:
    """The read and the write are one critical section."""
    return add_up(add_locked, 20)


@buggy("Race")
def value_added_to_once() -> int:
    """One increment by each of two processes."""
    return add_up(add, 1)


@fixes(value_added_to_once)
def value_added_to_once_fixed() -> int:
    """One increment by each of two processes, with the lock held."""
    return add_up(add_locked, 1)


@buggy("Race")
def value_added_to_10000_times() -> int:
    """Ten thousand increments by each of two processes."""
    return add_up(add, 10_000)


@fixes(value_added_to_10000_times)
def value_added_to_10000_times_fixed() -> int:
    """Each process counts for itself and adds its count once, with the lock held."""
    total: Any = FORK.Value("i", 0)
    together(FORK.Process, add_count, (total, 10_000), (total, 10_000))
    return int(total.value)


def add_count(total: Any, times: int) -> None:
    count = 0
    for _ in range(times):
        count += 1
    with total.get_lock():
        total.value += count


def add_with(lock: Any, total: Any, times: int) -> None:
    for _ in range(times):
        with lock:
            total.value += 1


@buggy("Race")
def value_without_lock() -> int:
    """A Value made with lock=False has no lock at all."""
    total: Any = FORK.Value("i", 0, lock=False)
    together(FORK.Process, add, (total, 5), (total, 5))
    return int(total.value)


@fixes(value_without_lock)
def value_without_lock_fixed() -> int:
    """The bare value has a lock beside it."""
    total: Any = FORK.Value("i", 0, lock=False)
    lock = FORK.Lock()
    together(FORK.Process, add_with, (lock, total, 5), (lock, total, 5))
    return int(total.value)


@buggy("Race")
def a_lock_for_each() -> int:
    """Each of the processes holds a lock of its own."""
    total: Any = FORK.RawValue("i", 0)
    together(FORK.Process, add_with, (FORK.RLock(), total, 3), (FORK.RLock(), total, 3))
    return int(total.value)


@fixes(a_lock_for_each)
def a_lock_for_each_fixed() -> int:
    """Both hold the same lock."""
    total: Any = FORK.RawValue("i", 0)
    lock = FORK.RLock()
    together(FORK.Process, add_with, (lock, total, 3), (lock, total, 3))
    return int(total.value)


@buggy("Race")
def semaphore_for_two() -> int:
    """A semaphore of two lets both processes in."""
    total: Any = FORK.Value("i", 0)
    gate = FORK.Semaphore(2)
    together(FORK.Process, add_with, (gate, total, 3), (gate, total, 3))
    return int(total.value)


@fixes(semaphore_for_two)
def semaphore_for_two_fixed() -> int:
    """A semaphore of one lets one process in."""
    total: Any = FORK.Value("i", 0)
    gate = FORK.Semaphore(1)
    together(FORK.Process, add_with, (gate, total, 3), (gate, total, 3))
    return int(total.value)


def vote(votes: Any, ballots: list[int]) -> None:
    for candidate in ballots:
        votes[candidate] += 1


def vote_locked(votes: Any, ballots: list[int]) -> None:
    for candidate in ballots:
        with votes.get_lock():
            votes[candidate] += 1


@buggy("Race")
def array_of_votes() -> list[int]:
    """The lock of an Array guards each access, not the increment."""
    votes: Any = FORK.Array("i", 3)
    together(FORK.Process, vote, (votes, [0, 1, 1]), (votes, [2, 1, 0]))
    return list(votes)


@fixes(array_of_votes)
def array_of_votes_fixed() -> list[int]:
    """The lock of the Array is held for the whole increment."""
    votes: Any = FORK.Array("i", 3)
    together(FORK.Process, vote_locked, (votes, [0, 1, 1]), (votes, [2, 1, 0]))
    return list(votes)


def vote_with(lock: Any, votes: Any, ballots: list[int]) -> None:
    with lock:
        vote(votes, ballots)


@buggy("Race")
def raw_array_of_votes() -> list[int]:
    """A RawArray has no lock at all."""
    votes: Any = FORK.RawArray("i", 3)
    together(FORK.Process, vote, (votes, [0, 1, 1]), (votes, [2, 1, 0]))
    return list(votes)


@fixes(raw_array_of_votes)
def raw_array_of_votes_fixed() -> list[int]:
    """The ballots of a process are counted with a lock held."""
    votes: Any = FORK.RawArray("i", 3)
    lock = FORK.Lock()
    together(FORK.Process, vote_with, (lock, votes, [0, 1, 1]), (lock, votes, [2, 1, 0]))
    return list(votes)


def raise_to(highest: Any, numbers: list[int]) -> None:
    for number in numbers:
        if number > highest.value:
            highest.value = number


def raise_to_locked(highest: Any, numbers: list[int]) -> None:
    for number in numbers:
        with highest.get_lock():
            if number > highest.value:
                highest.value = number


@buggy("Race")
def highest_of_two_lists() -> int:
    """A lower maximum overwrites a higher one found between the comparison and the write."""
    highest: Any = FORK.Value("i", 0)
    together(FORK.Process, raise_to, (highest, [3, 7]), (highest, [9, 1]))
    return int(highest.value)


@fixes(highest_of_two_lists)
def highest_of_two_lists_fixed() -> int:
    """Comparison and write are one critical section."""
    highest: Any = FORK.Value("i", 0)
    together(FORK.Process, raise_to_locked, (highest, [3, 7]), (highest, [9, 1]))
    return int(highest.value)


def double_early(lock: Any, number: Any) -> None:
    with lock:
        old = number.value
    number.value = old * 2


def double_late(lock: Any, number: Any) -> None:
    with lock:
        old = number.value
        number.value = old * 2


def doubled_twice(function: Any) -> int:
    lock, number = FORK.Lock(), FORK.Value("i", 1)
    together(FORK.Process, function, (lock, number), (lock, number))
    return int(number.value)


@buggy("Race")
def lock_released_too_early() -> int:
    """The lock is released between the read and the write."""
    return doubled_twice(double_early)


@fixes(lock_released_too_early)
def lock_released_too_early_fixed() -> int:
    """The lock is released after the write."""
    return doubled_twice(double_late)


@buggy("Race")
def child_and_parent_add() -> int:
    """The parent counts along with its child."""
    total: Any = FORK.Value("i", 0)
    child = FORK.Process(target=add, args=(total, 3))
    child.start()
    add(total, 3)
    child.join()
    return int(total.value)


@fixes(child_and_parent_add)
def child_and_parent_add_fixed() -> int:
    """The parent counts along with its child, both with the lock held."""
    total: Any = FORK.Value("i", 0)
    child = FORK.Process(target=add_locked, args=(total, 3))
    child.start()
    add_locked(total, 3)
    child.join()
    return int(total.value)


@buggy("Race")
def read_before_join() -> int:
    """The total is read while the worker may still be at work."""
    total: Any = FORK.Value("i", 0)
    worker = FORK.Process(target=add, args=(total, 3))
    worker.start()
    seen = int(total.value)
    worker.join()
    return seen


@fixes(read_before_join)
def read_before_join_fixed() -> int:
    """The total is read after the join."""
    total: Any = FORK.Value("i", 0)
    worker = FORK.Process(target=add, args=(total, 3))
    worker.start()
    worker.join()
    return int(total.value)
