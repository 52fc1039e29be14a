"""Processes that start from nothing: spawned ones and those of a fork server."""

from __future__ import annotations

from typing import Any

from tests.races.corpus import FORK, FORKSERVER, SPAWN, Context, buggy, fixes, run_all, together


def add(total: Any) -> None:
    for _ in range(2):
        total.value += 1


def add_with(lock: Any, total: Any) -> None:
    for _ in range(2):
        with lock:
            total.value += 1


def add_with_own_value_lock(total: Any) -> None:
    add_with(total.get_lock(), total)


def total_of_two(context: Context, function: Any) -> int:
    total: Any = context.Value("i", 0)
    together(context.Process, function, (total,), (total,))
    return int(total.value)


@buggy("Race")
def spawned_processes() -> int:
    """Two spawned processes add to a Value without its lock."""
    return total_of_two(SPAWN, add)


@fixes(spawned_processes)
def spawned_processes_fixed() -> int:
    """Two spawned processes add to a Value with its lock held."""
    return total_of_two(SPAWN, add_with_own_value_lock)


@buggy("Race")
def processes_of_a_forkserver() -> int:
    """Two processes of a fork server add to a Value without its lock."""
    return total_of_two(FORKSERVER, add)


@fixes(processes_of_a_forkserver)
def processes_of_a_forkserver_fixed() -> int:
    """Two processes of a fork server add to a Value with its lock held."""
    return total_of_two(FORKSERVER, add_with_own_value_lock)


counted = 0


def count(times: int) -> None:
    global counted
    counted += times


def count_for_parent(total: Any, times: int) -> None:
    with total.get_lock():
        total.value += times


@buggy("Race", reference=5)
def global_of_the_parent() -> int:
    """The children count in their own copies of the global variable."""
    global counted
    counted = 0
    together(FORK.Process, count, (2,), (3,))
    return counted


@fixes(global_of_the_parent)
def global_of_the_parent_fixed() -> int:
    """The children count in shared memory."""
    total: Any = FORK.Value("i", 0)
    together(FORK.Process, count_for_parent, (total, 2), (total, 3))
    return int(total.value)


def lend(a: Any, b: Any, total: Any) -> None:
    with a, b:
        total.value += 1


@buggy("Deadlock")
def spawned_processes_in_opposite_orders() -> int:
    """Two spawned processes take the same two locks in opposite orders."""
    a, b, total = SPAWN.Lock(), SPAWN.Lock(), SPAWN.Value("i", 0)
    together(SPAWN.Process, lend, (a, b, total), (b, a, total))
    return int(total.value)


@fixes(spawned_processes_in_opposite_orders)
def spawned_processes_in_opposite_orders_fixed() -> int:
    """Two spawned processes take the same two locks in the same order."""
    a, b, total = SPAWN.Lock(), SPAWN.Lock(), SPAWN.Value("i", 0)
    together(SPAWN.Process, lend, (a, b, total), (a, b, total))
    return int(total.value)


def name(number: int) -> str:
    return f"task {number}"


def names(method: str) -> list[str]:
    with SPAWN.Pool(2) as pool:
        return list(getattr(pool, method)(name, range(3)))


@buggy("Race")
def spawned_pool_unordered() -> list[str]:
    """The results of a spawned pool come in any order."""
    return names("imap_unordered")


@fixes(spawned_pool_unordered)
def spawned_pool_unordered_fixed() -> list[str]:
    """The results of a spawned pool come in the order of the tasks."""
    return names("map")


@buggy("Race")
def child_of_a_forkserver_not_joined() -> int:
    """The total is read while the child may not even have begun."""
    total: Any = FORKSERVER.Value("i", 0)
    child = FORKSERVER.Process(target=add, args=(total,))
    child.start()
    seen = int(total.value)
    child.join()
    return seen


@fixes(child_of_a_forkserver_not_joined)
def child_of_a_forkserver_not_joined_fixed() -> int:
    """The total is read when the child has ended."""
    total: Any = FORKSERVER.Value("i", 0)
    run_all(FORKSERVER.Process(target=add, args=(total,)))
    return int(total.value)
