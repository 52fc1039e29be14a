"""Objects of a manager: the waits are in threads of its server."""

from __future__ import annotations

import os
from typing import Any

from tests.deadlocks.corpus import FORK, SPAWN, buggy, fixes, run_all


def meet_between(first: Any, second: Any, met: Any) -> None:
    with first:
        met.wait()
        with second:
            pass


def meet_before(first: Any, second: Any, met: Any) -> None:
    met.wait()
    with first, second:
        pass


@buggy(says=("acquire",))
def two_locks() -> str:
    """Two processes take two locks of the manager in opposite orders."""
    with FORK.Manager() as manager:
        a, b, met = manager.Lock(), manager.Lock(), manager.Barrier(2)
        one = FORK.Process(target=meet_between, args=(a, b, met))
        return run_all(one, FORK.Process(target=meet_between, args=(b, a, met)))


@fixes(two_locks)
def two_locks_fixed() -> str:
    """Both processes take the locks of the manager in the same order."""
    with FORK.Manager() as manager:
        a, b, met = manager.Lock(), manager.Lock(), manager.Barrier(2)
        return run_all(*(FORK.Process(target=meet_before, args=(a, b, met)) for _ in range(2)))


def get_first(queue: Any) -> None:
    queue.put(queue.get() + 1)


@buggy(says=("get", "Process.join"))
def queue_never_fed() -> int:
    """The child waits for an item of the manager's queue which the parent puts after the join."""
    with FORK.Manager() as manager:
        queue = manager.Queue()
        run_all(FORK.Process(target=get_first, args=(queue,)))
        queue.put(1)
        return int(queue.get())


@fixes(queue_never_fed)
def queue_never_fed_fixed() -> int:
    """The parent puts the item before it joins the child."""
    with FORK.Manager() as manager:
        queue = manager.Queue()
        queue.put(1)
        run_all(FORK.Process(target=get_first, args=(queue,)))
        return int(queue.get())


def report(ready: Any, fail: bool) -> None:
    if fail:
        raise SystemExit(3)
    ready.set()


@buggy(says=("wait",))
def event_never_set() -> str:
    """The child fails before it sets the manager's event its parent waits for."""
    with SPAWN.Manager() as manager:
        ready = manager.Event()
        child = SPAWN.Process(target=report, args=(ready, True))
        child.start()
        ready.wait()
        child.join()
        return "done"


@fixes(event_never_set)
def event_never_set_fixed() -> str:
    """The child sets the event."""
    with SPAWN.Manager() as manager:
        ready = manager.Event()
        child = SPAWN.Process(target=report, args=(ready, False))
        child.start()
        ready.wait()
        child.join()
        return "done"


def take_and_exit(lock: Any, release: bool) -> None:
    lock.acquire()
    if release:
        lock.release()
    os._exit(3)


@buggy(says=("acquire",))
def lock_of_an_exited_process() -> str:
    """A child ended without releasing the manager's lock, which outlives it."""
    with FORK.Manager() as manager:
        lock = manager.Lock()
        run_all(FORK.Process(target=take_and_exit, args=(lock, False)))
        with lock:
            return "done"


@fixes(lock_of_an_exited_process)
def lock_of_an_exited_process_fixed() -> str:
    """The child releases the lock before it ends."""
    with FORK.Manager() as manager:
        lock = manager.Lock()
        run_all(FORK.Process(target=take_and_exit, args=(lock, True)))
        with lock:
            return "done"
