"""A lock that counts how often it is taken: how many critical sections is ``v.value += 1``?"""

from __future__ import annotations

from multiprocessing import RLock, Value
from multiprocessing.sharedctypes import Synchronized


class CountedLock:
    """An ``RLock`` that counts the times that somebody takes it who does not yet hold it."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._depth = 0
        self.holds = 0

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Take the lock, and count that if it was not held."""
        taken = self._lock.acquire(block, timeout)
        if taken:
            self.holds += self._depth == 0
            self._depth += 1
        return taken

    def release(self) -> None:
        """Give the lock back."""
        self._depth -= 1
        self._lock.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exception: object) -> None:
        self.release()


def counted(lock: CountedLock) -> Synchronized[int]:
    """Make a ``Value`` with this lock: any object that can be acquired and released will do."""
    number: Synchronized[int] = Value("i", 0, lock=lock)  # type: ignore[call-overload]
    return number


def holds_of_an_increment() -> int:
    """How often the lock of a ``Value`` is taken in ``value += 1``."""
    lock = CountedLock()
    number = counted(lock)
    number.value += 1
    return lock.holds


def holds_of_a_guarded_increment() -> int:
    """How often it is taken where ``get_lock()`` is held around it."""
    lock = CountedLock()
    number = counted(lock)
    with number.get_lock():
        number.value += 1
    return lock.holds
