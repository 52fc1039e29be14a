"""Two threads, one withdraws from an account and one deposits into it, in three ways.

The interpreter lock lets one thread at a time run bytecode. It does not make several instructions one.
"""

from __future__ import annotations

from threading import Lock, Thread

from cases.race.both import run_both
from reference.race import OPENING_BALANCE, check_times


class Account:
    """An account in the memory that all threads of a process share."""

    def __init__(self) -> None:
        self.balance = OPENING_BALANCE
        self.lock = Lock()

    def read(self) -> int:
        """Tell the balance."""
        return self.balance

    def write(self, balance: int) -> None:
        """Set the balance."""
        self.balance = balance


def change(account: Account, amount: int, times: int) -> None:
    """Change the balance in one statement, which is several instructions of the interpreter."""
    for _ in range(times):
        account.balance += amount


def thread_account_without_lock(times: int) -> int:
    """Withdraw and deposit with ``+=``. BUGGY, although CPython hardly ever changes threads within the statement."""
    check_times(times)
    account = Account()
    run_both(Thread(target=change, args=(account, -1, times)), Thread(target=change, args=(account, +1, times)))
    return account.balance


def read_and_write(account: Account, amount: int, times: int) -> None:
    """Change the balance through its methods: CPython may change threads at each call."""
    for _ in range(times):
        account.write(account.read() + amount)


def thread_account_by_methods(times: int) -> int:
    """Withdraw and deposit through methods. BUGGY: the balance read may be an old one when it is written."""
    check_times(times)
    account = Account()
    run_both(
        Thread(target=read_and_write, args=(account, -1, times)),
        Thread(target=read_and_write, args=(account, +1, times)),
    )
    return account.balance


def change_with_lock(account: Account, amount: int, times: int) -> None:
    """Change the balance with the account's lock held."""
    for _ in range(times):
        with account.lock:
            account.write(account.read() + amount)


def thread_account_with_a_lock(times: int) -> int:
    """Withdraw and deposit with the account's lock held. Repaired."""
    check_times(times)
    account = Account()
    run_both(
        Thread(target=change_with_lock, args=(account, -1, times)),
        Thread(target=change_with_lock, args=(account, +1, times)),
    )
    return account.balance
