"""Two processes add to one double in shared memory, in four ways: two lose additions, two do not."""

from __future__ import annotations

from ctypes import c_double
from multiprocessing import Lock, Process, Value
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Lock as LockType

from cases.race.both import run_both
from reference.race import check_times


def add(total: c_double | Synchronized[float], times: int) -> None:
    """Add 1 to the double: a read, an addition and a write, with nothing that holds them together."""
    for _ in range(times):
        total.value += 1.0


def double_without_lock(times: int) -> float:
    """Add to a double that has no lock. BUGGY: an addition made between the other's read and write is lost."""
    check_times(times)
    total: c_double = Value("d", 0.0, lock=False)
    run_both(Process(target=add, args=(total, times)), Process(target=add, args=(total, times)))
    return total.value


def double_in_a_value_alone(times: int) -> float:
    """Add to a ``Value``. BUGGY: its lock is held during the read and again during the write, not in between."""
    check_times(times)
    total: Synchronized[float] = Value("d", 0.0)
    run_both(Process(target=add, args=(total, times)), Process(target=add, args=(total, times)))
    return total.value


def add_with(lock: LockType, total: c_double, times: int) -> None:
    """Add 1 to the double with the lock held from before the read until after the write."""
    for _ in range(times):
        with lock:
            total.value += 1.0


def double_with_a_lock(times: int) -> float:
    """Add to a double that has no lock of its own, with a ``Lock`` beside it. Repaired."""
    check_times(times)
    lock, total = Lock(), Value("d", 0.0, lock=False)
    run_both(Process(target=add_with, args=(lock, total, times)), Process(target=add_with, args=(lock, total, times)))
    return float(total.value)


def add_with_its_own_lock(total: Synchronized[float], times: int) -> None:
    """Add 1 to the double with the lock that its ``Value`` brings along.

    That lock is an ``RLock``: the read and the write inside take it once more, which its holder may.
    """
    for _ in range(times):
        with total.get_lock():
            total.value += 1.0


def double_with_its_own_lock(times: int) -> float:
    """Add to a ``Value`` with ``get_lock()`` held. Repaired."""
    check_times(times)
    total: Synchronized[float] = Value("d", 0.0)
    run_both(
        Process(target=add_with_its_own_lock, args=(total, times)),
        Process(target=add_with_its_own_lock, args=(total, times)),
    )
    return total.value
