"""Floating-point sums whose terms come in any order."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock, Thread
from typing import Any

import numpy as np

from tests.races.corpus import FORK, buggy, fixes, together

TERMS = (0.1, 0.2, 0.3, 0.4)
"""Their sum depends on their order, in its last bit."""
LARGE = (1e16, 1.0, -1e16)
"""Their sum depends on their order: it is 0 or 1."""


def term(number: int) -> float:
    return TERMS[number]


@buggy("Nondeterminism")
def sum_of_imap_unordered() -> float:
    """The terms are added as the pool gets them."""
    with FORK.Pool(2) as pool:
        total = 0.0
        for part in pool.imap_unordered(term, range(3)):
            total += part
        return total


@fixes(sum_of_imap_unordered)
def sum_of_imap_unordered_fixed() -> float:
    """The terms are sorted before they are added."""
    with FORK.Pool(2) as pool:
        total = 0.0
        for part in sorted(pool.imap_unordered(term, range(3))):
            total += part
        return total


@buggy("Nondeterminism")
def sum_of_threads_as_completed() -> float:
    """The terms are added as their threads end."""
    with ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(term, number) for number in range(3)]
        total = 0.0
        for future in as_completed(futures):
            total += future.result()
        return total


@fixes(sum_of_threads_as_completed)
def sum_of_threads_as_completed_fixed() -> float:
    """The sum is exact before it is rounded."""
    with ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(term, number) for number in range(3)]
        return math.fsum(future.result() for future in as_completed(futures))


def add(total: Any, amount: float) -> None:
    with total.get_lock():
        total.value += amount


def store(parts: Any, rank: int, amount: float) -> None:
    parts[rank] = amount


@buggy("Nondeterminism")
def sum_with_the_lock_held() -> float:
    """The lock makes the sum complete, not its order."""
    total: Any = FORK.Value("d", 0.0)
    together(FORK.Process, add, *((total, amount) for amount in TERMS[:3]))
    return float(total.value)


@fixes(sum_with_the_lock_held)
def sum_with_the_lock_held_fixed() -> float:
    """Each process stores its term; the parent adds them in their order."""
    parts: Any = FORK.Array("d", 3)
    together(FORK.Process, store, *((parts, rank, amount) for rank, amount in enumerate(TERMS[:3])))
    total = 0.0
    for part in parts[:]:
        total += part
    return total


@buggy("Nondeterminism")
def mean_of_arrays() -> list[float]:
    """Arrays are added up by threads as they come."""
    total, lock = np.zeros(2), Lock()

    def add_array(amount: float) -> None:
        nonlocal total
        with lock:
            total = total + np.array([amount, 1.0])

    together(Thread, add_array, *((amount,) for amount in TERMS[:3]))
    return [float(number) for number in total / 3]


@fixes(mean_of_arrays)
def mean_of_arrays_fixed() -> list[float]:
    """Each thread leaves its array in its slot."""
    slots = [np.zeros(2)] * 3

    def leave_array(rank: int, amount: float) -> None:
        slots[rank] = np.array([amount, 1.0])

    together(Thread, leave_array, *enumerate(TERMS[:3]))
    total = slots[0] + slots[1] + slots[2]
    return [float(number) for number in total / 3]


@buggy("Race")
def large_terms_cancel() -> float:
    """The small term is lost where it meets a large one first."""
    total: Any = FORK.Value("d", 0.0)
    together(FORK.Process, add, *((total, amount) for amount in LARGE))
    return float(total.value)


@fixes(large_terms_cancel)
def large_terms_cancel_fixed() -> float:
    """The terms are summed exactly."""
    parts: Any = FORK.Array("d", 3)
    together(FORK.Process, store, *((parts, rank, amount) for rank, amount in enumerate(LARGE)))
    return math.fsum(parts)


def large_term(number: int) -> float:
    return LARGE[number]


@buggy("Race")
def large_terms_as_completed() -> float:
    """The small term is lost where its thread ends second."""
    with ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(large_term, number) for number in range(3)]
        total = 0.0
        for future in as_completed(futures):
            total += future.result()
        return total


@fixes(large_terms_as_completed)
def large_terms_as_completed_fixed() -> float:
    """The terms are summed exactly, in any order."""
    with ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(large_term, number) for number in range(3)]
        return math.fsum(future.result() for future in as_completed(futures))
