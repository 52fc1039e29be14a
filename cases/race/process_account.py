"""Two processes, one withdraws from an account and one deposits into it, in four ways."""

from __future__ import annotations

from ctypes import c_int
from multiprocessing import Lock, Process, Value
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Lock as LockType

from cases.race.both import run_both
from reference.race import OPENING_BALANCE, check_times


def withdraw(balance: c_int | Synchronized[int], times: int) -> None:
    """Take 1 from the balance, again and again."""
    for _ in range(times):
        balance.value -= 1


def deposit(balance: c_int | Synchronized[int], times: int) -> None:
    """Add 1 to the balance, again and again."""
    for _ in range(times):
        balance.value += 1


def account_without_lock(times: int) -> int:
    """Withdraw and deposit with no lock at all. BUGGY: what one does can be undone by the other's write."""
    check_times(times)
    balance: c_int = Value("i", OPENING_BALANCE, lock=False)
    run_both(Process(target=withdraw, args=(balance, times)), Process(target=deposit, args=(balance, times)))
    return balance.value


def account_in_a_value_alone(times: int) -> int:
    """Withdraw and deposit with a ``Value`` that nobody locks. BUGGY: each access is guarded, the change is not."""
    check_times(times)
    balance: Synchronized[int] = Value("i", OPENING_BALANCE)
    run_both(Process(target=withdraw, args=(balance, times)), Process(target=deposit, args=(balance, times)))
    return balance.value


def withdraw_with(lock: LockType, balance: c_int, times: int) -> None:
    """Take 1 from the balance with the lock held."""
    for _ in range(times):
        with lock:
            balance.value -= 1


def deposit_with(lock: LockType, balance: c_int, times: int) -> None:
    """Add 1 to the balance with the lock held."""
    for _ in range(times):
        with lock:
            balance.value += 1


def account_with_a_lock(times: int) -> int:
    """Withdraw and deposit with one ``Lock``, which both must hold. Repaired."""
    check_times(times)
    lock, balance = Lock(), Value("i", OPENING_BALANCE, lock=False)
    run_both(
        Process(target=withdraw_with, args=(lock, balance, times)),
        Process(target=deposit_with, args=(lock, balance, times)),
    )
    return int(balance.value)


def withdraw_with_its_own_lock(balance: Synchronized[int], times: int) -> None:
    """Take 1 from the balance with its own lock held."""
    for _ in range(times):
        with balance.get_lock():
            balance.value -= 1


def deposit_with_its_own_lock(balance: Synchronized[int], times: int) -> None:
    """Add 1 to the balance with its own lock held."""
    for _ in range(times):
        with balance.get_lock():
            balance.value += 1


def account_with_its_own_lock(times: int) -> int:
    """Withdraw and deposit with the ``Value``'s own lock held. Repaired."""
    check_times(times)
    balance: Synchronized[int] = Value("i", OPENING_BALANCE)
    run_both(
        Process(target=withdraw_with_its_own_lock, args=(balance, times)),
        Process(target=deposit_with_its_own_lock, args=(balance, times)),
    )
    return balance.value
