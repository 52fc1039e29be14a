"""Gates, barriers and permits of which a worker may wait for one that never comes."""

from __future__ import annotations

from threading import Condition, Lock, Semaphore, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all, together


class Gate:
    """A gate that is opened once."""

    def __init__(self) -> None:
        self.open = False
        self.opened = Condition()

    def pass_through(self) -> None:
        """Wait until the gate is open."""
        with self.opened:
            while not self.open:
                self.opened.wait()

    def unlock(self, everybody: bool) -> None:
        """Open the gate and say so, to one or to everybody."""
        with self.opened:
            self.open = True
            if everybody:
                self.opened.notify_all()
            else:
                self.opened.notify()


def pass_the_gate(everybody: bool) -> bool:
    gate = Gate()
    walkers = [Thread(target=gate.pass_through) for _ in range(2)]
    run_all(Thread(target=gate.unlock, args=(everybody,)), *walkers)
    return gate.open


@buggy("Deadlock")
def one_of_two_notified() -> bool:
    """Where both wait already, the second one waits for ever."""
    return pass_the_gate(everybody=False)


@fixes(one_of_two_notified)
def one_of_two_notified_fixed() -> bool:
    """All who wait are notified."""
    return pass_the_gate(everybody=True)


def meet(lock: Any, arrived: Any, complete: Any) -> None:
    arrived.value += 1
    if arrived.value == 2:
        complete.set()
    complete.wait()


def meet_locked(lock: Any, arrived: Any, complete: Any) -> None:
    with lock:
        arrived.value += 1
        if arrived.value == 2:
            complete.set()
    complete.wait()


def met(function: Any) -> int:
    lock, arrived, complete = FORK.Lock(), FORK.Value("i", 0), FORK.Event()
    together(FORK.Process, function, (lock, arrived, complete), (lock, arrived, complete))
    return 2


@buggy("Deadlock")
def barrier_of_a_counter() -> int:
    """The last to arrive may not know that it is the last."""
    return met(meet)


@fixes(barrier_of_a_counter)
def barrier_of_a_counter_fixed() -> int:
    """The arrivals are counted with a lock held."""
    return met(meet_locked)


def take_both(permits: Any) -> None:
    permits.acquire()
    permits.acquire()
    permits.release()
    permits.release()


def take_both_locked(lock: Any, permits: Any) -> None:
    with lock:
        permits.acquire()
        permits.acquire()
    permits.release()
    permits.release()


@buggy("Deadlock")
def each_with_one_of_two_permits() -> str:
    """Each process needs both permits and may get hold of one."""
    permits = FORK.Semaphore(2)
    together(FORK.Process, take_both, (permits,), (permits,))
    return "done"


@fixes(each_with_one_of_two_permits)
def each_with_one_of_two_permits_fixed() -> str:
    """The permits are taken with a lock held."""
    lock, permits = FORK.Lock(), FORK.Semaphore(2)
    together(FORK.Process, take_both_locked, (lock, permits), (lock, permits))
    return "done"


@buggy("Deadlock")
def threads_with_one_of_two_permits() -> str:
    """Each thread needs both permits and may get hold of one."""
    permits = Semaphore(2)
    together(Thread, take_both, (permits,), (permits,))
    return "done"


@fixes(threads_with_one_of_two_permits)
def threads_with_one_of_two_permits_fixed() -> str:
    """The permits are taken with a lock held."""
    lock, permits = Lock(), Semaphore(2)
    together(Thread, take_both_locked, (lock, permits), (lock, permits))
    return "done"
