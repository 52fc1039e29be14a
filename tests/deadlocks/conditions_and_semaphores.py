"""Conditions and semaphores, of threads and of processes."""

from __future__ import annotations

import threading
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Condition as ProcessCondition
from multiprocessing.synchronize import Semaphore as ProcessSemaphore
from threading import Barrier, Thread

from tests.deadlocks.corpus import FORK, SPAWN, Context, buggy, fixes, run_all

# Condition


def notify(condition: threading.Condition) -> None:
    with condition:
        condition.notify()


def notify_of(condition: threading.Condition, items: list[str]) -> None:
    with condition:
        items.append("item")
        condition.notify()


@buggy(says=("Condition.wait",))
def lost_notify() -> str:
    """The only notify came before the wait, and nothing remembers it."""
    condition = threading.Condition()
    run_all(Thread(target=notify, args=(condition,)))
    with condition:
        condition.wait()
    return "done"


@fixes(lost_notify)
def lost_notify_fixed() -> str:
    """The notifier leaves an item; who finds it does not wait."""
    condition, items = threading.Condition(), list[str]()
    run_all(Thread(target=notify_of, args=(condition, items)))
    with condition:
        condition.wait_for(lambda: items)
    return items.pop()


def notify_process(condition: ProcessCondition) -> None:
    with condition:
        condition.notify()


def notify_process_of(condition: ProcessCondition, number: Synchronized[int]) -> None:
    with condition:
        number.value = 7
        condition.notify()


@buggy(says=("Condition.wait",))
def lost_notify_of_a_process() -> str:
    """The child's only notify came before the parent's wait."""
    condition = FORK.Condition()
    run_all(FORK.Process(target=notify_process, args=(condition,)))
    with condition:
        condition.wait()
    return "done"


@fixes(lost_notify_of_a_process)
def lost_notify_of_a_process_fixed() -> int:
    """The child leaves a number; the parent who finds it does not wait."""
    condition, number = FORK.Condition(), FORK.Value("i", 0)
    run_all(FORK.Process(target=notify_process_of, args=(condition, number)))
    with condition:
        condition.wait_for(lambda: number.value)
    return int(number.value)


def await_notify(condition: threading.Condition, ready: threading.Semaphore) -> None:
    with condition:
        ready.release()
        condition.wait()


@buggy(says=("Condition.wait", "Thread.join"))
def one_notify_for_two_waiters() -> str:
    """Two threads wait for the condition, but only one is notified."""
    condition, ready = threading.Condition(), threading.Semaphore(0)
    waiters = [Thread(target=await_notify, args=(condition, ready)) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
        ready.acquire()
    with condition:
        condition.notify()
    for waiter in waiters:
        waiter.join()
    return "done"


@fixes(one_notify_for_two_waiters)
def one_notify_for_two_waiters_fixed() -> str:
    """Both threads that wait are notified."""
    condition, ready = threading.Condition(), threading.Semaphore(0)
    waiters = [Thread(target=await_notify, args=(condition, ready)) for _ in range(2)]
    for waiter in waiters:
        waiter.start()
        ready.acquire()
    with condition:
        condition.notify_all()
    for waiter in waiters:
        waiter.join()
    return "done"


# Semaphore


def borrow(permits: threading.Semaphore) -> None:
    with permits:
        pass


@buggy(says=("Semaphore.acquire",))
def permit_never_returned() -> str:
    """A thread took the only permit of the semaphore and never returned it."""
    permits = threading.Semaphore(1)
    run_all(Thread(target=permits.acquire))
    permits.acquire()
    return "done"


@fixes(permit_never_returned)
def permit_never_returned_fixed() -> str:
    """The thread returns its permit."""
    permits = threading.Semaphore(1)
    run_all(Thread(target=borrow, args=(permits,)))
    permits.acquire()
    return "done"


def take_two_permits(permits: ProcessSemaphore, met: Barrier) -> None:
    with permits:
        met.wait()
        with permits:
            pass


@buggy(says=("Semaphore.acquire",))
def too_few_permits() -> str:
    """Two processes need two permits each, but there are only two in all."""
    permits, met = FORK.Semaphore(2), FORK.Barrier(2)
    return run_all(*(FORK.Process(target=take_two_permits, args=(permits, met)) for _ in range(2)))


@fixes(too_few_permits)
def too_few_permits_fixed() -> str:
    """There are permits enough: four."""
    permits, met = FORK.Semaphore(4), FORK.Barrier(2)
    return run_all(*(FORK.Process(target=take_two_permits, args=(permits, met)) for _ in range(2)))


def await_turn(mine: ProcessSemaphore, next_one: ProcessSemaphore) -> None:
    mine.acquire()
    next_one.release()


def turns(context: Context, first: int) -> str:
    a, b = context.Semaphore(first), context.Semaphore(0)
    one = context.Process(target=await_turn, args=(a, b))
    other = context.Process(target=await_turn, args=(b, a))
    return run_all(one, other)


@buggy(says=("Semaphore.acquire",))
def nobody_has_the_first_turn() -> str:
    """Two spawned processes pass a turn to each other which neither of them ever had."""
    return turns(SPAWN, first=0)


@fixes(nobody_has_the_first_turn)
def nobody_has_the_first_turn_fixed() -> str:
    """The first process has the first turn."""
    return turns(SPAWN, first=1)
