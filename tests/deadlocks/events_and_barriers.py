"""Events and barriers, of threads and of processes."""

from __future__ import annotations

import sys
import threading
from threading import Barrier, Thread
from typing import Protocol

from tests.deadlocks.corpus import FORK, FORKSERVER, SPAWN, buggy, fixes, run_all


class Flag(Protocol):
    """An event, of threads or of processes."""

    def set(self) -> None:
        """Set it."""

    def wait(self) -> bool:
        """Wait until it is set."""


# Event


def wait_then_set(awaited: Flag, promised: Flag) -> None:
    awaited.wait()
    promised.set()


def set_then_wait(awaited: Flag, promised: Flag) -> None:
    promised.set()
    awaited.wait()


@buggy(says=("Event.wait",))
def event_never_set() -> str:
    """The worker ended without setting the event that says it is ready."""
    ready = threading.Event()
    run_all(Thread(target=ready.is_set))
    ready.wait()
    return "done"


@fixes(event_never_set)
def event_never_set_fixed() -> str:
    """The worker sets the event."""
    ready = threading.Event()
    run_all(Thread(target=ready.set))
    ready.wait()
    return "done"


def await_go(go: Flag) -> None:
    go.wait()


@buggy(says=("Event.wait", "Process.join"))
def event_set_after_the_join() -> str:
    """The parent joins the child before it sets the event the child waits for."""
    go = FORK.Event()
    child = FORK.Process(target=await_go, args=(go,))
    child.start()
    child.join()
    go.set()
    return "done"


@fixes(event_set_after_the_join)
def event_set_after_the_join_fixed() -> str:
    """The parent sets the event, then joins the child."""
    go = FORK.Event()
    child = FORK.Process(target=await_go, args=(go,))
    child.start()
    go.set()
    child.join()
    return "done"


@buggy(says=("Event.wait",))
def two_threads_wait_for_each_other() -> str:
    """Each of two threads waits for the event which the other would set afterwards."""
    a, b = threading.Event(), threading.Event()
    return run_all(Thread(target=wait_then_set, args=(a, b)), Thread(target=wait_then_set, args=(b, a)))


@fixes(two_threads_wait_for_each_other)
def two_threads_wait_for_each_other_fixed() -> str:
    """Each of two threads sets its event before it waits."""
    a, b = threading.Event(), threading.Event()
    return run_all(Thread(target=set_then_wait, args=(a, b)), Thread(target=set_then_wait, args=(b, a)))


@buggy(says=("Event.wait",))
def two_processes_wait_for_each_other() -> str:
    """Each of two processes waits for the event which the other would set afterwards."""
    a, b = FORKSERVER.Event(), FORKSERVER.Event()
    one = FORKSERVER.Process(target=wait_then_set, args=(a, b))
    return run_all(one, FORKSERVER.Process(target=wait_then_set, args=(b, a)))


@fixes(two_processes_wait_for_each_other)
def two_processes_wait_for_each_other_fixed() -> str:
    """Each of two processes sets its event before it waits."""
    a, b = FORKSERVER.Event(), FORKSERVER.Event()
    one = FORKSERVER.Process(target=set_then_wait, args=(a, b))
    return run_all(one, FORKSERVER.Process(target=set_then_wait, args=(b, a)))


# Barrier


def wait_at(barrier: Barrier) -> None:
    barrier.wait()


@buggy(says=("Barrier.wait",))
def barrier_short_of_a_thread() -> str:
    """The barrier is for three, but only two threads come."""
    barrier = threading.Barrier(3)
    return run_all(Thread(target=barrier.wait), Thread(target=barrier.wait))


@fixes(barrier_short_of_a_thread)
def barrier_short_of_a_thread_fixed() -> str:
    """The barrier is for the two threads that come."""
    barrier = threading.Barrier(2)
    return run_all(Thread(target=barrier.wait), Thread(target=barrier.wait))


@buggy(says=("Barrier.wait",))
def barrier_short_of_a_process() -> str:
    """The barrier is for three, but only two spawned processes come."""
    barrier = SPAWN.Barrier(3)
    return run_all(*(SPAWN.Process(target=wait_at, args=(barrier,)) for _ in range(2)))


@fixes(barrier_short_of_a_process)
def barrier_short_of_a_process_fixed() -> str:
    """The barrier is for the two spawned processes that come."""
    barrier = SPAWN.Barrier(2)
    return run_all(*(SPAWN.Process(target=wait_at, args=(barrier,)) for _ in range(2)))


def come(barrier: Barrier) -> None:
    barrier.wait()
    sys.exit(3)


@buggy(says=("Barrier.wait", "exited with code 3"))
def barrier_of_an_exited_process() -> str:
    """The child exits with an error before it comes to the barrier where its parent waits."""
    barrier = FORK.Barrier(2)
    child = FORK.Process(target=sys.exit, args=(3,))
    child.start()
    barrier.wait()
    return "done"


@fixes(barrier_of_an_exited_process)
def barrier_of_an_exited_process_fixed() -> str:
    """The child comes to the barrier before it exits."""
    barrier = FORK.Barrier(2)
    child = FORK.Process(target=come, args=(barrier,))
    child.start()
    barrier.wait()
    child.join()
    return "done"
