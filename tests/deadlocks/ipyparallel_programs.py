"""ipyparallel programs that hang on an engine, each with a mended twin, and innocent ones that only look stuck."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EngineProgram:
    function: Callable[[Any], Any]  # takes a DirectView over all engines
    engines: int
    says: tuple[str, ...]  # what a good report contains
    fixed: Callable[[Any], Any]
    mpi_engines: bool = False  # whether the engines are ranks of one MPI program


def lock_twice(view: Any) -> None:
    """A task acquires a lock that it holds already."""

    def task() -> None:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()

    view.apply_sync(task)


def rlock_twice(view: Any) -> None:
    def task() -> None:
        lock = threading.RLock()
        lock.acquire()
        lock.acquire()

    view.apply_sync(task)


def locks_crossed(view: Any) -> None:
    """Two threads of a task take two locks in opposite orders, each after the other has its first one."""

    def task() -> None:
        both_hold_one = threading.Barrier(2)

        def take(first: threading.Lock, second: threading.Lock) -> None:
            with first:
                both_hold_one.wait()
                second.acquire()
                second.release()

        left, right = threading.Lock(), threading.Lock()
        thread = threading.Thread(target=take, args=(left, right), daemon=True)
        thread.start()
        take(right, left)
        thread.join()

    view.client[1].apply_sync(task)


def locks_in_order(view: Any) -> None:
    def task() -> None:
        def take(first: threading.Lock, second: threading.Lock) -> None:
            with first, second:
                pass

        left, right = threading.Lock(), threading.Lock()
        thread = threading.Thread(target=take, args=(left, right))
        thread.start()
        take(left, right)
        thread.join()

    view.client[1].apply_sync(task)


def event_never_set(view: Any) -> None:
    """A task waits for an event that nobody sets."""

    def task() -> None:
        threading.Event().wait()

    view.apply_async(task).get()


def event_set(view: Any) -> None:
    def task() -> None:
        event = threading.Event()
        event.set()
        event.wait()

    view.apply_async(task).get()


def one_item_too_many(view: Any) -> None:
    """A task takes one item more from its queue than it has put there."""

    def task(count: int) -> int:
        box: queue.Queue[int] = queue.Queue()
        for item in range(count):
            box.put(item)
        return sum(box.get() for _ in range(count + 1))

    view.map_sync(task, [3, 4])


def every_item(view: Any) -> None:
    def task(count: int) -> int:
        box: queue.Queue[int] = queue.Queue()
        for item in range(count):
            box.put(item)
        return sum(box.get() for _ in range(count))

    view.map_sync(task, [3, 4])


def engine_exits(view: Any) -> None:
    """Engine 0 exits in the middle of its task, whose result never comes."""

    def task(engine: int) -> None:
        if engine == 0:
            os._exit(3)

    view.map_sync(task, range(len(view)))


def engine_returns(view: Any) -> None:
    def task(engine: int) -> int:
        return 3 if engine == 0 else 0

    view.map_sync(task, range(len(view)))


def ranks_receive_first(view: Any) -> None:
    """Two engines, ranks of one MPI program: both wait for the other's message before they send."""

    def task() -> None:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
        comm.Recv(bytearray(8), source=1 - comm.rank)
        comm.Send(bytearray(8), dest=1 - comm.rank)

    view.apply_sync(task)


def ranks_exchange(view: Any) -> None:
    def task() -> None:
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
        comm.Sendrecv(bytearray(8), dest=1 - comm.rank, recvbuf=bytearray(8), source=1 - comm.rank)

    view.apply_sync(task)


def barrier_on_one_engine(view: Any) -> None:
    """Only engine 0 gets the task with the barrier; engine 1 has nothing to do."""

    def task() -> None:
        from mpi4py import MPI

        MPI.COMM_WORLD.Barrier()

    view.client[0].apply_sync(task)


def barrier_on_every_engine(view: Any) -> None:
    def task() -> None:
        from mpi4py import MPI

        MPI.COMM_WORLD.Barrier()

    view.apply_sync(task)


def sleeping(view: Any) -> None:
    """Engine 0 sleeps, and the client waits."""
    view.client[0].apply_sync(time.sleep, 1.5)


def computing(view: Any) -> None:
    """Every engine counts in Python."""

    def task() -> int:
        count, end = 0, time.monotonic() + 1.5
        while time.monotonic() < end:
            count += 1
        return count

    view.apply_sync(task)


def waiting_with_timeouts(view: Any) -> None:
    """A task waits for an event that nobody sets, but gives up after many short waits."""

    def task() -> None:
        event = threading.Event()
        for _ in range(15):
            event.wait(timeout=0.1)

    view.apply_async(task).get()


def waiting_for_a_timer(view: Any) -> None:
    """A task waits for an event that a timer sets late."""

    def task() -> None:
        event = threading.Event()
        threading.Timer(1.5, event.set).start()
        event.wait()

    view.apply_sync(task)


def waiting_for_a_thread(view: Any) -> None:
    """A task takes items that its own slow thread puts into a queue."""

    def task(count: int) -> int:
        box: queue.Queue[int] = queue.Queue()

        def produce() -> None:
            for item in range(count):
                time.sleep(1.5 / count)
                box.put(item)

        threading.Thread(target=produce).start()
        return sum(box.get() for _ in range(count))

    view.map_sync(task, [3, 5])


def waiting_for_a_subprocess(view: Any) -> None:
    """A task waits for a child process."""

    def task() -> None:
        subprocess.run(["sleep", "1.5"], check=True)

    view.apply_sync(task)


def lock_held_by_a_thread(view: Any) -> None:
    """A task waits for a lock that one of its threads holds for a while."""

    def task() -> None:
        lock, taken = threading.Lock(), threading.Event()

        def hold() -> None:
            with lock:
                taken.set()
                time.sleep(1.5)

        threading.Thread(target=hold).start()
        taken.wait()
        with lock:
            pass

    view.apply_sync(task)


def queued_behind(view: Any) -> None:
    """A task waits its turn on an engine that is busy, while the other engine is idle."""
    results = [view.client[0].apply_async(time.sleep, 0.5) for _ in range(3)]
    for result in results:
        result.get()


BUGGY = [
    EngineProgram(lock_twice, 2, ("engine 0", "engine 1", "acquire"), rlock_twice),
    EngineProgram(locks_crossed, 2, ("engine 1", "acquire"), locks_in_order),
    EngineProgram(event_never_set, 2, ("engine 0", "engine 1", "wait"), event_set),
    EngineProgram(one_item_too_many, 2, ("engine 0", "engine 1", "get"), every_item),
    EngineProgram(engine_exits, 2, ("engine 0", "code 3"), engine_returns),
    EngineProgram(ranks_receive_first, 2, ("engine 0", "engine 1", "Recv"), ranks_exchange, mpi_engines=True),
    EngineProgram(barrier_on_one_engine, 2, ("engine 0", "Barrier"), barrier_on_every_engine, mpi_engines=True),
]
LIKE_ANOTHER = {  # the same mechanism as one of the others, by another name
    locks_crossed,
    one_item_too_many,
    barrier_on_one_engine,
    waiting_with_timeouts,
    waiting_for_a_thread,
    lock_held_by_a_thread,
}
INNOCENT: list[tuple[Callable[[Any], Any], int]] = [
    (sleeping, 2),
    (computing, 2),
    (waiting_with_timeouts, 2),
    (waiting_for_a_timer, 2),
    (waiting_for_a_thread, 2),
    (waiting_for_a_subprocess, 2),
    (lock_held_by_a_thread, 2),
    (queued_behind, 2),
]
