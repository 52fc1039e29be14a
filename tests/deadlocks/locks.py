"""Locks of processes."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from multiprocessing.synchronize import Event as ProcessEvent
from multiprocessing.synchronize import Lock as ProcessLock
from threading import Barrier

from tests.deadlocks.corpus import FORK, FORKSERVER, SPAWN, Context, buggy, fixes, run_all

AnyLock = AbstractContextManager[object]


def meet_between(first: AnyLock, second: AnyLock, met: Barrier) -> None:
    with first:
        met.wait()
        with second:
            pass


def meet_before(first: AnyLock, second: AnyLock, met: Barrier) -> None:
    met.wait()
    with first, second:
        pass


def opposite_orders(context: Context) -> str:
    a, b, met = context.Lock(), context.Lock(), context.Barrier(2)
    one = context.Process(target=meet_between, args=(a, b, met))
    other = context.Process(target=meet_between, args=(b, a, met))
    return run_all(one, other)


def same_order(context: Context) -> str:
    a, b, met = context.Lock(), context.Lock(), context.Barrier(2)
    return run_all(*(context.Process(target=meet_before, args=(a, b, met)) for _ in range(2)))


@buggy(says=("Lock.acquire",), cycle=2)
def two_processes() -> str:
    """Two processes take the same two locks in opposite orders."""
    return opposite_orders(FORK)


@fixes(two_processes)
def two_processes_fixed() -> str:
    """Both processes take the locks in the same order."""
    return same_order(FORK)


@buggy(says=("Lock.acquire",), cycle=2)
def two_spawned_processes() -> str:
    """Two spawned processes take the same two locks in opposite orders."""
    return opposite_orders(SPAWN)


@fixes(two_spawned_processes)
def two_spawned_processes_fixed() -> str:
    """Both spawned processes take the locks in the same order."""
    return same_order(SPAWN)


@buggy(says=("Lock.acquire",), cycle=2)
def two_processes_of_a_forkserver() -> str:
    """Two processes of a forkserver take the same two locks in opposite orders."""
    return opposite_orders(FORKSERVER)


@fixes(two_processes_of_a_forkserver)
def two_processes_of_a_forkserver_fixed() -> str:
    """Both processes of the forkserver take the locks in the same order."""
    return same_order(FORKSERVER)


@buggy(says=("Lock.acquire",), cycle=3)
def three_philosophers() -> str:
    """Each of three philosophers holds the left fork and waits for the right one."""
    forks, met = [FORK.Lock() for _ in range(3)], FORK.Barrier(3)
    return run_all(
        *(FORK.Process(target=meet_between, args=(forks[i], forks[(i + 1) % 3], met)) for i in range(3)),
    )


@fixes(three_philosophers)
def three_philosophers_fixed() -> str:
    """Every philosopher takes the fork of the lower number first."""
    forks, met = [FORK.Lock() for _ in range(3)], FORK.Barrier(3)
    pairs = [sorted((i, (i + 1) % 3)) for i in range(3)]
    return run_all(*(FORK.Process(target=meet_before, args=(forks[i], forks[j], met)) for i, j in pairs))


@buggy(says=("Lock.acquire",), cycle=2)
def parent_and_child() -> str:
    """The main process and its child take the same two locks in opposite orders."""
    a, b, met = FORK.Lock(), FORK.Lock(), FORK.Barrier(2)
    child = FORK.Process(target=meet_between, args=(b, a, met))
    child.start()
    meet_between(a, b, met)
    child.join()
    return "done"


@fixes(parent_and_child)
def parent_and_child_fixed() -> str:
    """The main process and its child take the locks in the same order."""
    a, b, met = FORK.Lock(), FORK.Lock(), FORK.Barrier(2)
    child = FORK.Process(target=meet_before, args=(a, b, met))
    child.start()
    meet_before(a, b, met)
    child.join()
    return "done"


@buggy(says=("Lock.acquire",), cycle=1)
def process_lock_taken_twice() -> str:
    """A process takes again the lock of multiprocessing which it already holds."""
    lock = FORK.Lock()
    with lock, lock:
        return "done"


@fixes(process_lock_taken_twice)
def process_lock_taken_twice_fixed() -> str:
    """The lock may be taken again by its holder."""
    lock = FORK.RLock()
    with lock, lock:
        return "done"


def take_and_exit(lock: ProcessLock) -> None:
    lock.acquire()
    os._exit(3)


def take_release_and_exit(lock: ProcessLock) -> None:
    with lock:
        pass
    os._exit(3)


@buggy(says=("Lock.acquire", "exited with code 3"))
def lock_of_an_exited_process() -> str:
    """A child ended without releasing the lock which its parent wants next."""
    lock = FORK.Lock()
    run_all(FORK.Process(target=take_and_exit, args=(lock,)))
    with lock:
        return "done"


@fixes(lock_of_an_exited_process)
def lock_of_an_exited_process_fixed() -> str:
    """The child releases the lock before it ends."""
    lock = FORK.Lock()
    run_all(FORK.Process(target=take_release_and_exit, args=(lock,)))
    with lock:
        return "done"


def take_and_wait(lock: ProcessLock, taken: ProcessEvent) -> None:
    with lock:
        taken.set()
        signal.pause()


def touch_and_wait(lock: ProcessLock, taken: ProcessEvent) -> None:
    with lock:
        pass
    taken.set()
    signal.pause()


@buggy(says=("Lock.acquire", "SIGKILL"))
def lock_of_a_killed_process() -> str:
    """A child was killed while it held the lock which its parent wants next."""
    lock, taken = FORK.Lock(), FORK.Event()
    child = FORK.Process(target=take_and_wait, args=(lock, taken))
    child.start()
    taken.wait()
    child.kill()
    child.join()
    with lock:
        return "done"


@fixes(lock_of_a_killed_process)
def lock_of_a_killed_process_fixed() -> str:
    """The child is killed after it released the lock."""
    lock, taken = FORK.Lock(), FORK.Event()
    child = FORK.Process(target=touch_and_wait, args=(lock, taken))
    child.start()
    taken.wait()
    child.kill()
    child.join()
    with lock:
        return "done"


def take(lock: AnyLock) -> None:
    with lock:
        pass


@buggy(says=("Process.join", "Lock.acquire"))
def join_a_process_with_the_lock_held() -> str:
    """The main process joins, with the lock held, a child that needs the lock."""
    lock = FORK.Lock()
    with lock:
        run_all(FORK.Process(target=take, args=(lock,)))
    return "done"


@fixes(join_a_process_with_the_lock_held)
def join_a_process_with_the_lock_held_fixed() -> str:
    """The main process releases the lock before it joins."""
    lock = FORK.Lock()
    with lock:
        child = FORK.Process(target=take, args=(lock,))
        child.start()
    child.join()
    return "done"
