"""Pools and executors: what their tasks share, and when they have finished."""

from __future__ import annotations

import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from threading import Event, Lock
from typing import Any

from tests.races.corpus import FORK, buggy, fixes

SHARED: list[Any] = []
"""What the initializer left in this worker."""


def share(*objects: Any) -> None:
    SHARED[:] = objects


def add(number: int) -> None:
    SHARED[0].value += number


def add_locked(number: int) -> None:
    with SHARED[0].get_lock():
        SHARED[0].value += number


def total_of_a_pool(function: Any) -> int:
    total: Any = FORK.Value("i", 0)
    with FORK.Pool(2, share, (total,)) as pool:
        pool.map(function, range(1, 5), chunksize=1)
        pool.close()
        pool.join()
    return int(total.value)


@buggy("Race")
def value_shared_by_a_pool() -> int:
    """The tasks of a pool add to a Value without its lock."""
    return total_of_a_pool(add)


@fixes(value_shared_by_a_pool)
def value_shared_by_a_pool_fixed() -> int:
    """The tasks of a pool add to a Value with its lock held."""
    return total_of_a_pool(add_locked)


def total_of_an_executor(function: Any) -> int:
    total: Any = FORK.Value("i", 0)
    with ProcessPoolExecutor(2, mp_context=FORK, initializer=share, initargs=(total,)) as processes:
        list(processes.map(function, range(1, 5)))
    return int(total.value)


@buggy("Race")
def value_shared_by_an_executor() -> int:
    """The tasks of an executor add to a Value without its lock."""
    return total_of_an_executor(add)


@fixes(value_shared_by_an_executor)
def value_shared_by_an_executor_fixed() -> int:
    """The tasks of an executor add to a Value with its lock held."""
    return total_of_an_executor(add_locked)


def square(number: int) -> int:
    return number * number


@buggy("Race")
def results_of_those_done() -> list[int]:
    """Tasks that are not done yet are passed over."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in range(3)]
        return [future.result() for future in futures if future.done()]


@fixes(results_of_those_done)
def results_of_those_done_fixed() -> list[int]:
    """The result of a task is waited for."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in range(3)]
        return [future.result() for future in futures]


@buggy("Race")
def terminated_before_done() -> list[int]:
    """Leaving the block of a pool terminates what it has not done."""
    squares: list[int] = []
    with FORK.Pool(2) as pool:
        pool.map_async(square, range(4), chunksize=1, callback=squares.extend)
    return squares


@fixes(terminated_before_done)
def terminated_before_done_fixed() -> list[int]:
    """The pool is closed and joined first."""
    squares: list[int] = []
    with FORK.Pool(2) as pool:
        pool.map_async(square, range(4), chunksize=1, callback=squares.extend)
        pool.close()
        pool.join()
    return squares


def tasks_so_far(_: int) -> int:
    SHARED.append(None)
    return len(SHARED)


def number_of_the_task(number: int) -> int:
    return number + 1


@buggy("Race")
def state_of_the_worker() -> list[int]:
    """Each worker counts its own tasks, and which those are is a matter of timing."""
    with FORK.Pool(2, share) as pool:
        return pool.map(tasks_so_far, range(3), chunksize=1)


@fixes(state_of_the_worker)
def state_of_the_worker_fixed() -> list[int]:
    """The result depends on nothing but the task."""
    with FORK.Pool(2, share) as pool:
        return pool.map(number_of_the_task, range(3), chunksize=1)


def grouped(words: list[str], locked: bool) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {}
    lock = Lock()

    def group(word: str) -> None:
        if len(word) not in groups:
            groups[len(word)] = []
        groups[len(word)].append(word)

    def group_locked(word: str) -> None:
        with lock:
            group(word)

    with ThreadPool(2) as pool:
        pool.map(group_locked if locked else group, words, chunksize=1)
    return {size: sorted(group) for size, group in sorted(groups.items())}


@buggy("Race")
def group_made_twice() -> dict[int, list[str]]:
    """Both threads of a pool find that there is no group for their word."""
    return grouped(["one", "two"], locked=False)


@fixes(group_made_twice)
def group_made_twice_fixed() -> dict[int, list[str]]:
    """The group is looked for and made with a lock held."""
    return grouped(["one", "two"], locked=True)


def callbacks(sort: bool) -> list[int]:
    squares: list[int] = []

    def keep(future: Future[int]) -> None:
        squares.append(future.result())

    with ThreadPoolExecutor(2) as threads:
        for number in range(3):
            threads.submit(square, number).add_done_callback(keep)
    return sorted(squares) if sort else squares


@buggy("Race")
def callbacks_as_ordered() -> list[int]:
    """The callbacks of futures come in the order of completion."""
    return callbacks(sort=False)


@fixes(callbacks_as_ordered)
def callbacks_as_ordered_fixed() -> list[int]:
    """What the callbacks kept is sorted."""
    return callbacks(sort=True)


def count_until(stop: Event) -> str:
    while not stop.is_set():
        time.sleep(0.001)
    return "stopped"


@buggy("Race")
def cancelled_perhaps() -> str:
    """A task can be cancelled only until it begins."""
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        task = threads.submit(count_until, stop)
        cancelled = task.cancel()
        stop.set()
        return "cancelled" if cancelled else task.result()


@fixes(cancelled_perhaps)
def cancelled_perhaps_fixed() -> str:
    """The task is asked to stop."""
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        task = threads.submit(count_until, stop)
        stop.set()
        return task.result()
