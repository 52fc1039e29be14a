"""The same transfers by two threads: a lock is no less a lock for being in one process."""

from __future__ import annotations

from threading import Barrier, Lock, Thread

from reference.deadlock import OPENING_BALANCE


class Account:
    """An account with a number, by which accounts are put in order, and a lock."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.balance = OPENING_BALANCE
        self.lock = Lock()


def transfer(source: Account, target: Account, amount: int, met: Barrier | None) -> None:
    """Move an amount with both locks held, the source's taken first."""
    with source.lock:
        if met is not None:
            met.wait()
        with target.lock:
            source.balance -= amount
            target.balance += amount


def both_ways(there: int, back: int, met: Barrier | None) -> tuple[int, int]:
    """Start both transfers, wait for them and tell the balances."""
    a, b = Account(1), Account(2)
    transfers = [Thread(target=transfer, args=(a, b, there, met)), Thread(target=transfer, args=(b, a, back, met))]
    for one in transfers:
        one.start()
    for one in transfers:
        one.join()
    return a.balance, b.balance


def opposite_order_of_threads(there: int, back: int) -> tuple[int, int]:
    """Transfer both ways. BUGGY: hangs if each has its first lock before either asks for its second."""
    return both_ways(there, back, met=None)


def opposite_order_met_by_threads(there: int, back: int) -> tuple[int, int]:
    """Transfer both ways. BUGGY, and always unlucky: each waits for the other between its two locks."""
    return both_ways(there, back, met=Barrier(2))


def transfer_by_number(source: Account, target: Account, amount: int) -> None:
    """Move an amount with both locks held, that of the lower number taken first."""
    first, second = sorted((source, target), key=lambda account: account.number)
    with first.lock, second.lock:
        source.balance -= amount
        target.balance += amount


def same_order_of_threads(there: int, back: int) -> tuple[int, int]:
    """Transfer both ways, with the locks taken in the order of the accounts' numbers. Repaired."""
    a, b = Account(1), Account(2)
    transfers = [
        Thread(target=transfer_by_number, args=(a, b, there)),
        Thread(target=transfer_by_number, args=(b, a, back)),
    ]
    for one in transfers:
        one.start()
    for one in transfers:
        one.join()
    return a.balance, b.balance
