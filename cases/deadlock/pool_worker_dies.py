"""A worker of a pool is killed in the middle of a task, as the kernel does to a process that takes too much memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import Pool

from reference.deadlock import check_count

WORKERS = 2


def square(number: int, fatal: int) -> int:
    """Square a number; of the fatal one the process dies."""
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def pool_map(count: int, fatal: int) -> list[int]:
    """Square with ``Pool.map``. BUGGY: the pool replaces the worker, but nobody does the task that died with it."""
    check_count(count)
    with Pool(WORKERS) as pool:
        return pool.map(partial(square, fatal=fatal), range(count), chunksize=1)


def executor_map(count: int, fatal: int) -> list[int]:
    """Square with ``ProcessPoolExecutor.map``. Repaired: the executor watches its workers.

    Raises:
        BrokenProcessPool: a worker died; all that was not finished is lost.
    """
    check_count(count)
    with ProcessPoolExecutor(WORKERS) as executor:
        return list(executor.map(partial(square, fatal=fatal), range(count)))


def executor_retry(count: int, fatal: int) -> list[int | None]:
    """Square what can be squared. Repaired: what the broken executor lost is tried again, alone.

    An executor that breaks fails all tasks that are out, and cannot tell whose worker died. One that has a single
    task can.

    Returns:
        The squares in order, None for a number that its worker did not survive.
    """
    check_count(count)
    together = attempt(range(count), fatal, WORKERS)
    return [
        result if result is not None else attempt([number], fatal, workers=1)[0]
        for number, result in enumerate(together)
    ]


def attempt(numbers: Iterable[int], fatal: int, workers: int) -> list[int | None]:
    """Square numbers with one executor; None for those that it has lost."""
    with ProcessPoolExecutor(workers) as executor:
        futures = [submit(executor, number, fatal) for number in numbers]
        return [result_of(future) for future in futures]


def submit(executor: ProcessPoolExecutor, number: int, fatal: int) -> Future[int] | None:
    """Submit a task; None where the executor is broken already."""
    try:
        return executor.submit(square, number, fatal)
    except BrokenProcessPool:
        return None


def result_of(future: Future[int] | None) -> int | None:
    """The result of a task; None where it was lost."""
    try:
        return None if future is None else future.result()
    except BrokenProcessPool:
        return None
