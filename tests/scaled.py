"""Implementations whose times are known: they sleep, which needs no core."""

from __future__ import annotations

import functools
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from multiprocessing.pool import ThreadPool
from typing import Any

from pytest_parallel_lab import blocks, implementation

TASK_S = 0.01


def nap(number: int) -> int:
    time.sleep(TASK_S)
    return number * number


def squares(numbers: Sequence[int]) -> list[int]:
    return [nap(number) for number in numbers]


def slow_squares(numbers: Sequence[int]) -> list[int]:
    time.sleep(TASK_S)
    return squares(numbers)


@implementation("processes")
def pool_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    result: list[int] = pool.map(nap, numbers, chunksize=1)
    return result


@implementation("executor")
def executor_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    return list(pool.map(nap, numbers))


@implementation("threads")
def thread_map(pool: Any, numbers: Sequence[int]) -> list[int]:
    return list(pool.map(nap, numbers))


@implementation("ipyparallel")
def view_map(view: Any, numbers: Sequence[int]) -> list[int]:
    result: list[int] = view.map_sync(nap, numbers)
    return result


@implementation("mpi")
def mpi_blocks(comm: Any, numbers: Sequence[int]) -> list[int]:
    mine = squares(numbers[blocks(len(numbers), comm.size)[comm.rank]])
    return [value for part in comm.allgather(mine) for value in part]


@implementation("processes")
def uneven(pool: Any, numbers: Sequence[int]) -> list[int]:
    """Hand one task three times the work of the others."""
    parts = pool.map(squares, [numbers[:3], *([n] for n in numbers[3:])], chunksize=1)
    return [value for part in parts for value in part]


@implementation("processes")
def too_early(pool: Any, numbers: Sequence[int]) -> list[int]:
    pool.map_async(nap, numbers, chunksize=1)
    return [number * number for number in numbers]


@implementation("threads")
def too_early_too(pool: Any, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        pool.submit(nap, number)
    return [number * number for number in numbers]


@implementation("executor")
def too_early_as_well(pool: Any, numbers: Sequence[int]) -> list[int]:
    for number in numbers:
        pool.submit(nap, number)
    return [number * number for number in numbers]


@implementation("threads")
def wrong(pool: Any, numbers: Sequence[int]) -> list[int]:
    return [*numbers]


@implementation("threads")
def asks_for_more_later(pool: Any, numbers: Sequence[int]) -> list[int]:
    """One task at a time at first, so that the pool needs a second thread in a later run only."""
    runs = os.environ["RUNS"] = str(int(os.environ.get("RUNS", "0")) + 1)  # of this process
    return list(pool.map(nap, numbers)) if int(runs) > 2 else [pool.submit(nap, one).result() for one in numbers]


@implementation("threads")
def leaves_a_thread(pool: Any, numbers: Sequence[int]) -> list[int]:
    threading.Thread(target=time.sleep, args=(2,), daemon=True).start()
    return [number * number for number in numbers]


@implementation("threads")
def leaves_a_process(pool: Any, numbers: Sequence[int]) -> list[int]:
    subprocess.Popen(["sleep", "2"])
    return [number * number for number in numbers]


@implementation("threads")
def as_many_as_workers(pool: Any, numbers: Sequence[int], *, workers: int) -> int:
    return workers


_calls: list[int] = []


@implementation("threads")
def wrong_after_a_while(pool: Any, numbers: Sequence[int]) -> list[int]:
    _calls.append(1)
    return [number * number + (len(_calls) > 4) for number in numbers]


def squares_on_threads(numbers: Sequence[int]) -> list[int]:
    with ThreadPool(2) as threads:
        return threads.map(nap, numbers)


@implementation("processes")
def with_a_pool_of_threads(pool: Any, numbers: Sequence[int]) -> list[int]:
    return squares_on_threads(numbers)


@implementation("processes")
def in_tasks_a_pool_of_threads(pool: Any, numbers: Sequence[int]) -> list[int]:
    (result,) = pool.map(squares_on_threads, [numbers])
    return list(result)


class Refusing:
    """A callable that tells nothing of itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "func"):
            raise AttributeError(name)
        raise ValueError(f"nobody may know {name}")

    def __call__(self, *args: Any) -> int:
        return 0


def strange_tasks(pool: Any) -> list[int]:
    submit = getattr(pool, "submit", None)
    tasks = [functools.partial(len, "abc"), Refusing()]
    if submit is not None:
        return [submit(task).result() for task in tasks]
    return [pool.apply(task) for task in tasks]


@implementation("processes")
def closes_and_raises(pool: Any, numbers: Sequence[int]) -> list[int]:
    pool.close()
    raise ValueError("boom")
