"""Programs that pass, though another run of them may hang."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from typing import Any

FORK = multiprocessing.get_context("fork")
SPAWN = multiprocessing.get_context("spawn")


def both(first: Any, second: Any) -> None:
    with first, second:
        pass


def after(turn: Any, first: Any, second: Any) -> None:
    """In the other's way, but late: sleeping is no order."""
    time.sleep(turn)
    both(first, second)


def inversion_of_threads() -> None:
    """Two threads take two locks in different orders, luckily one after the other."""
    a, b = threading.Lock(), threading.Lock()
    threads = [threading.Thread(target=after, args=(0, a, b)), threading.Thread(target=after, args=(0.1, b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _two_processes(context: Any, a: Any, b: Any) -> None:
    processes = [context.Process(target=after, args=(0, a, b)), context.Process(target=after, args=(0.3, b, a))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def inversion_of_processes() -> None:
    """Two processes take two locks in different orders."""
    _two_processes(FORK, FORK.Lock(), FORK.Lock())


def inversion_of_spawned_processes() -> None:
    """The same with the spawn start method, where locks have other addresses."""
    _two_processes(SPAWN, SPAWN.Lock(), SPAWN.RLock())


def inversion_of_pool_workers() -> None:
    """Tasks of an executor take locks in the order of their accounts."""
    from concurrent.futures import ThreadPoolExecutor

    a, b = threading.Lock(), threading.RLock()
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(after, 0.1, a, b), pool.submit(after, 0.2, b, a)]:
            future.result()


def three_philosophers() -> None:
    """Three threads, each with its left and its right fork."""
    forks = [threading.Lock() for _ in range(3)]
    threads = [threading.Thread(target=after, args=(0.05 * i, forks[i], forks[(i + 1) % 3])) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def put(results: Any, value: Any) -> None:
    results.put(value)


def join_before_drain() -> object:
    """A process is joined before its queue is drained; what it has put is small."""
    results: Any = FORK.Queue()
    process = FORK.Process(target=put, args=(results, 7))
    process.start()
    process.join()
    return results.get()


def leave(seconds: float) -> None:
    time.sleep(seconds)
    os._exit(3)


def pool_worker_dies() -> None:
    """A Pool's worker ends in the middle of a task whose result nobody happens to wait for."""
    with FORK.Pool(1) as pool:
        pool.apply_async(leave, (0.0,))
        time.sleep(0.5)


BUGGY: dict[Callable[[], Any], tuple[str, ...]] = {
    inversion_of_threads: ("Lock a", "Lock b", "potential.py:17"),
    inversion_of_processes: ("different orders", "process 2", "process 3"),
    inversion_of_spawned_processes: ("different orders", "RLock"),
    inversion_of_pool_workers: ("RLock b", "Lock a"),
    three_philosophers: ("in forks",),
    join_before_drain: ("joins process 2", "1 item", "Drain the queue first"),
    pool_worker_dies: ("exit status 3", "ProcessPoolExecutor"),
}
