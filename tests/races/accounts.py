"""Money, tickets and other things that must neither appear nor vanish."""

from __future__ import annotations

from threading import Lock, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, together


def deposit(balance: Any, amounts: list[int]) -> None:
    for amount in amounts:
        balance.value = balance.value + amount


def withdraw(balance: Any, amounts: list[int]) -> None:
    for amount in amounts:
        balance.value = balance.value - amount


def change_locked(balance: Any, amounts: list[int]) -> None:
    for amount in amounts:
        with balance.get_lock():
            balance.value = balance.value + amount


@buggy("Race")
def deposit_and_withdraw() -> int:
    """A process pays into the account from which another one draws."""
    balance: Any = FORK.Value("i", 100)
    payer = FORK.Process(target=deposit, args=(balance, [10, 20]))
    drawer = FORK.Process(target=withdraw, args=(balance, [5, 15]))
    payer.start()
    drawer.start()
    payer.join()
    drawer.join()
    return int(balance.value)


@fixes(deposit_and_withdraw)
def deposit_and_withdraw_fixed() -> int:
    """Both change the balance with its lock held."""
    balance: Any = FORK.Value("i", 100)
    together(FORK.Process, change_locked, (balance, [10, 20]), (balance, [-5, -15]))
    return int(balance.value)


class Account:
    """An account in the memory of one process."""

    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.lock = Lock()

    def withdraw(self, amount: int) -> bool:
        """Draw the amount if there is enough."""
        if self.balance >= amount:
            self.balance -= amount
            return True
        return False

    def withdraw_locked(self, amount: int) -> bool:
        """Draw the amount if there is enough, with the lock held."""
        with self.lock:
            return self.withdraw(amount)


@buggy("Race")
def overdrawn_by_threads() -> int:
    """Both threads find enough money for their withdrawal."""
    account = Account(100)
    together(Thread, account.withdraw, (80,), (80,))
    return account.balance


@fixes(overdrawn_by_threads)
def overdrawn_by_threads_fixed() -> int:
    """The check and the withdrawal are one critical section."""
    account = Account(100)
    together(Thread, account.withdraw_locked, (80,), (80,))
    return account.balance


def buy(left: Any, sold: Any) -> None:
    if left.value > 0:
        left.value -= 1
        with sold.get_lock():
            sold.value += 1


def buy_locked(left: Any, sold: Any) -> None:
    with left.get_lock():
        if left.value > 0:
            left.value -= 1
            sold.value += 1


def sell_the_last(function: Any) -> tuple[int, int]:
    left, sold = FORK.Value("i", 1), FORK.Value("i", 0)
    together(FORK.Process, function, *[(left, sold)] * 3)
    return int(left.value), int(sold.value)


@buggy("Race")
def last_ticket_sold_twice() -> tuple[int, int]:
    """Three buyers see that one ticket is left."""
    return sell_the_last(buy)


@fixes(last_ticket_sold_twice)
def last_ticket_sold_twice_fixed() -> tuple[int, int]:
    """A buyer looks and takes with the lock held."""
    return sell_the_last(buy_locked)


def transfer(lock: Any, source: Any, target: Any, amount: int) -> None:
    source.value -= amount
    target.value += amount


def transfer_locked(lock: Any, source: Any, target: Any, amount: int) -> None:
    with lock:
        source.value -= amount
        target.value += amount


def audit(lock: Any, source: Any, target: Any, seen: Any) -> None:
    seen.value = source.value + target.value


def audit_locked(lock: Any, source: Any, target: Any, seen: Any) -> None:
    with lock:
        seen.value = source.value + target.value


def transfer_and_audit(move: Any, check: Any) -> int:
    lock, source, target = FORK.Lock(), FORK.Value("i", 100), FORK.Value("i", 0)
    seen: Any = FORK.Value("i", 0)
    mover = FORK.Process(target=move, args=(lock, source, target, 40))
    auditor = FORK.Process(target=check, args=(lock, source, target, seen))
    mover.start()
    auditor.start()
    mover.join()
    auditor.join()
    return int(seen.value)


@buggy("Race")
def money_in_flight() -> int:
    """The auditor adds up two accounts in the middle of a transfer."""
    return transfer_and_audit(transfer, audit)


@fixes(money_in_flight)
def money_in_flight_fixed() -> int:
    """The transfer and the audit exclude each other."""
    return transfer_and_audit(transfer_locked, audit_locked)


@buggy("Race")
def only_one_side_locks() -> int:
    """The transfer holds the lock, the audit does not."""
    return transfer_and_audit(transfer_locked, audit)


@fixes(only_one_side_locks)
def only_one_side_locks_fixed() -> int:
    """The audit holds the lock as well."""
    return transfer_and_audit(transfer_locked, audit_locked)


def move_nested(first: Any, second: Any, source: Any, target: Any) -> None:
    with first, second:
        source.value -= 10
        target.value += 10


@buggy("Deadlock")
def transfers_both_ways() -> int:
    """Each process locks its own account first and then the other's."""
    a, b = FORK.Value("i", 50), FORK.Value("i", 50)
    together(
        FORK.Process,
        move_nested,
        (a.get_lock(), b.get_lock(), a, b),
        (b.get_lock(), a.get_lock(), b, a),
    )
    return int(a.value + b.value)


@fixes(transfers_both_ways)
def transfers_both_ways_fixed() -> int:
    """Both processes lock the accounts in the same order."""
    a, b = FORK.Value("i", 50), FORK.Value("i", 50)
    together(
        FORK.Process,
        move_nested,
        (a.get_lock(), b.get_lock(), a, b),
        (a.get_lock(), b.get_lock(), b, a),
    )
    return int(a.value + b.value)


def pay(payer: Account, payee: Account, amount: int) -> None:
    with payer.lock, payee.lock:
        payer.balance -= amount
        payee.balance += amount


def pay_in_order(payer: Account, payee: Account, amount: int) -> None:
    first, second = sorted((payer, payee), key=id)
    with first.lock, second.lock:
        payer.balance -= amount
        payee.balance += amount


@buggy("Deadlock")
def threads_pay_each_other() -> tuple[int, int]:
    """Each thread locks the payer first."""
    a, b = Account(50), Account(50)
    together(Thread, pay, (a, b, 10), (b, a, 20))
    return a.balance, b.balance


@fixes(threads_pay_each_other)
def threads_pay_each_other_fixed() -> tuple[int, int]:
    """The threads lock the accounts in the order of their addresses."""
    a, b = Account(50), Account(50)
    together(Thread, pay_in_order, (a, b, 10), (b, a, 20))
    return a.balance, b.balance


def drop(references: Any, freed: Any) -> None:
    with references.get_lock():
        references.value -= 1
    if references.value == 0:
        with freed.get_lock():
            freed.value += 1


def drop_locked(references: Any, freed: Any) -> None:
    with references.get_lock():
        references.value -= 1
        last = references.value == 0
    if last:
        with freed.get_lock():
            freed.value += 1


def freed_how_often(function: Any) -> int:
    references, freed = FORK.Value("i", 2), FORK.Value("i", 0)
    together(FORK.Process, function, (references, freed), (references, freed))
    return int(freed.value)


@buggy("Race")
def freed_twice() -> int:
    """Both holders find that nobody holds a reference any more."""
    return freed_how_often(drop)


@fixes(freed_twice)
def freed_twice_fixed() -> int:
    """Who is last is decided with the lock held."""
    return freed_how_often(drop_locked)
