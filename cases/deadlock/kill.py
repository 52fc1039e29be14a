"""What a program can do itself about a child that hangs: wait with a limit, then end it.

The limit is a guess: a child that only takes long looks the same. And ending the wrong one does not help,
because the lock of a process that is killed stays locked.
"""

from __future__ import annotations

from multiprocessing import Event, Lock, Process
from multiprocessing.synchronize import Event as EventType
from multiprocessing.synchronize import Lock as LockType

LIMIT_S = 0.1


def take(lock: LockType) -> None:
    """Take the lock."""
    lock.acquire()


def hold(lock: LockType, held: EventType, never: EventType) -> None:
    """Take the lock, say so, and wait for what never comes."""
    with lock:
        held.set()
        never.wait()


def kill_the_waiter() -> tuple[bool, int | None]:
    """Terminate a child that waits for a lock which its parent never releases.

    Returns:
        Whether the child was still there at the limit, and its exit code: minus the signal that ended it.
    """
    lock = Lock()
    lock.acquire()
    child = Process(target=take, args=(lock,))
    child.start()
    child.join(LIMIT_S)
    hangs = child.is_alive()
    child.terminate()
    child.join()  # without it the child would stay behind as a zombie
    return hangs, child.exitcode


def kill_the_holder() -> tuple[int | None, bool]:
    """Terminate a child that holds a lock, and try to take the lock.

    Returns:
        The child's exit code, and whether the lock could be taken.
    """
    lock, held, never = Lock(), Event(), Event()
    child = Process(target=hold, args=(lock, held, never))
    child.start()
    held.wait()
    child.terminate()
    child.join()
    return child.exitcode, lock.acquire(timeout=LIMIT_S)
