"""Locks of threads."""

from __future__ import annotations

import threading
from threading import Thread

from tests.deadlocks.corpus import buggy, fixes, run_all
from tests.deadlocks.locks import meet_before, meet_between, take


@buggy(says=("Lock.acquire",), cycle=2)
def two_threads() -> str:
    """Two threads take the same two locks in opposite orders."""
    a, b, met = threading.Lock(), threading.Lock(), threading.Barrier(2)
    return run_all(Thread(target=meet_between, args=(a, b, met)), Thread(target=meet_between, args=(b, a, met)))


@fixes(two_threads)
def two_threads_fixed() -> str:
    """Both threads take the locks in the same order."""
    a, b, met = threading.Lock(), threading.Lock(), threading.Barrier(2)
    return run_all(*(Thread(target=meet_before, args=(a, b, met)) for _ in range(2)))


@buggy(says=("RLock.acquire",), cycle=2)
def two_threads_and_reentrant_locks() -> str:
    """Two threads take the same two reentrant locks in opposite orders."""
    a, b, met = threading.RLock(), threading.RLock(), threading.Barrier(2)
    return run_all(Thread(target=meet_between, args=(a, b, met)), Thread(target=meet_between, args=(b, a, met)))


@fixes(two_threads_and_reentrant_locks)
def two_threads_and_reentrant_locks_fixed() -> str:
    """Both threads take the reentrant locks in the same order."""
    a, b, met = threading.RLock(), threading.RLock(), threading.Barrier(2)
    return run_all(*(Thread(target=meet_before, args=(a, b, met)) for _ in range(2)))


@buggy(says=("Lock.acquire",), cycle=1)
def thread_lock_taken_twice() -> str:
    """A thread calls, with the lock held, a function that takes the lock."""
    lock = threading.Lock()
    with lock:
        take(lock)
    return "done"


@fixes(thread_lock_taken_twice)
def thread_lock_taken_twice_fixed() -> str:
    """The lock may be taken again by its holder."""
    lock = threading.RLock()
    with lock:
        take(lock)
    return "done"


@buggy(says=("Lock.acquire",))
def lock_of_a_finished_thread() -> str:
    """A thread ended without releasing the lock which the main thread wants next."""
    lock = threading.Lock()
    run_all(Thread(target=lock.acquire))
    with lock:
        return "done"


@fixes(lock_of_a_finished_thread)
def lock_of_a_finished_thread_fixed() -> str:
    """The thread releases the lock before it ends."""
    lock = threading.Lock()
    run_all(Thread(target=take, args=(lock,)))
    with lock:
        return "done"


@buggy(says=("Thread.join", "Lock.acquire"))
def join_with_the_lock_held() -> str:
    """The main thread joins, with the lock held, a thread that needs the lock."""
    lock = threading.Lock()
    with lock:
        run_all(Thread(target=take, args=(lock,)))
    return "done"


@fixes(join_with_the_lock_held)
def join_with_the_lock_held_fixed() -> str:
    """The main thread releases the lock before it joins."""
    lock = threading.Lock()
    with lock:
        worker = Thread(target=take, args=(lock,))
        worker.start()
    worker.join()
    return "done"
