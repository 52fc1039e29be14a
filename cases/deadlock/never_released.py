"""A lock that is never given back, or not in time: whoever wants it next waits for ever."""

from __future__ import annotations

from multiprocessing import Lock, Process
from multiprocessing.synchronize import Lock as LockType


def take(lock: LockType) -> None:
    """Take the lock and end with it: nobody else can release it for us."""
    lock.acquire()


def take_and_release(lock: LockType) -> None:
    """Take the lock and release it, whatever happens in between."""
    with lock:
        pass


def lock_never_released() -> str:
    """One process takes the lock and ends, the next one wants it. BUGGY: a lock outlives its holder."""
    lock = Lock()
    first, second = Process(target=take, args=(lock,)), Process(target=take_and_release, args=(lock,))
    first.start()
    first.join()
    second.start()
    second.join()
    return "done"


def lock_released() -> str:
    """Both processes hold the lock in a ``with`` block. Repaired."""
    lock = Lock()
    first, second = Process(target=take_and_release, args=(lock,)), Process(target=take_and_release, args=(lock,))
    first.start()
    first.join()
    second.start()
    second.join()
    return "done"


def join_with_the_lock_held() -> str:
    """The parent holds the lock while it waits for a child that needs it. BUGGY."""
    lock = Lock()
    child = Process(target=take_and_release, args=(lock,))
    with lock:
        child.start()
        child.join()
    return "done"


def join_after_the_release() -> str:
    """The parent gives the lock back, then waits. Repaired."""
    lock = Lock()
    child = Process(target=take_and_release, args=(lock,))
    with lock:
        child.start()
    child.join()
    return "done"
