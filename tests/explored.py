"""Programs of few steps, to be explored: each with its bug, and mended."""

from __future__ import annotations

import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import current_process, get_context
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from pytest_parallel_lab import implementation

FORK = get_context("fork")
SPAWN = get_context("spawn")


class Account:
    """Where threads deposit; a sum in doubles depends on the order of its terms in the last bits."""

    def __init__(self, balance: float = 0) -> None:
        self.balance = balance
        self.lock = threading.Lock()


def together(make: Callable[..., Any], function: Callable[..., Any], *calls: tuple[Any, ...]) -> None:
    workers = [make(target=function, args=args) for args in calls]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def deposit(account: Account) -> None:
    account.balance += 1


def deposit_safely(account: Account, amount: float = 1) -> None:
    with account.lock:
        account.balance += amount


def threads() -> float:
    account = Account()
    together(threading.Thread, deposit, (account,), (account,))
    return account.balance


def threads_fixed() -> float:
    account = Account()
    together(threading.Thread, deposit_safely, (account,), (account,))
    return account.balance


def add(total: Any) -> None:
    total.value += 1


def add_safely(total: Any) -> None:
    with total.get_lock():
        add(total)


def processes() -> int:
    total: Any = FORK.Value("i", 0)
    together(FORK.Process, add, (total,), (total,))
    return int(total.value)


def processes_fixed() -> int:
    total: Any = FORK.Value("i", 0)
    together(FORK.Process, add_safely, (total,), (total,))
    return int(total.value)


def with_a_spawned(function: Callable[..., Any]) -> int:
    total: Any = SPAWN.Value("i", 0)
    child = SPAWN.Process(target=function, args=(total,))
    child.start()
    function(total)
    child.join()
    return int(total.value)


def spawned() -> int:
    return with_a_spawned(add)


def spawned_fixed() -> int:
    return with_a_spawned(add_safely)


def take(first: Any, second: Any) -> None:
    with first, second:
        pass


def threads_that_cross() -> None:
    a, b = threading.Lock(), threading.Lock()
    together(threading.Thread, take, (a, b), (b, a))


def processes_that_cross() -> None:
    a, b = FORK.Lock(), FORK.Lock()
    together(FORK.Process, take, (a, b), (b, a))


def never_ends() -> None:
    queue.Queue[int]().get()


def doubled(number: int = 2) -> int:
    return 2 * number


def squared(number: int = 3) -> int:
    return number * number


class Gone(LookupError):
    """An exception of the user's own."""


def always_raises() -> None:
    raise Gone("nobody there")


def raises_sometimes() -> Any:
    arrived: list[int] = [1]
    thread = threading.Thread(target=arrived.clear)
    thread.start()
    first = arrived[0]
    thread.join()
    return first


def leaves_sometimes() -> None:
    """Ends its process in the middle, if the thread was quick."""
    arrived: list[int] = [0]
    thread = threading.Thread(target=arrived.insert, args=(0, 1))
    thread.start()
    if arrived[0]:
        os._exit(3)
    thread.join()


def looks_once() -> bool:
    arrived: list[int] = []
    thread = threading.Thread(target=arrived.append, args=(1,))
    thread.start()
    seen = not arrived
    thread.join()
    return seen


def sum_of(*amounts: float) -> float:
    account = Account(amounts[0])
    together(threading.Thread, deposit_safely, *((account, amount) for amount in amounts[1:]))
    return account.balance


def draw(drawn: Any, place: int, seed: Any = None) -> None:
    drawn[place] = np.random.random() if seed is None else np.random.default_rng(seed).random()


def inherited_stream() -> list[float]:
    np.random.seed(1)
    drawn: Any = FORK.Array("d", 2)
    together(FORK.Process, draw, (drawn, 0), (drawn, 1))
    return list(drawn)


def spawned_streams() -> list[float]:
    drawn: Any = FORK.Array("d", 2)
    one, two = np.random.SeedSequence(1).spawn(2)
    together(FORK.Process, draw, (drawn, 0, one), (drawn, 1, two))
    return list(drawn)


def plain_draw() -> float:
    return random.random()


def order_of_a_set() -> list[str]:
    return list({"ab", "cd", "ef", "gh"})


def from_outside() -> bytes:
    return os.urandom(8)


def returns_a_lock() -> Any:
    return threading.Lock()


def prints() -> int:
    print("to stdout")
    print("to stderr", file=sys.stderr)
    os.write(1, b"to the descriptor\n")
    return 1


def leaks(notes: str) -> int:
    """Leaves a child, its child, and memory behind, and notes their pids."""
    child = FORK.Process(target=leave_a_child, args=(notes,))
    child.start()
    SharedMemory(create=True, size=8)
    SPAWN.Semaphore()
    with open(notes, "a") as file:
        file.write(f"{child.pid}\n")
    return 1


def leave_a_child(notes: str) -> None:
    child = FORK.Process(target=time.sleep, args=(600,))
    child.start()
    with open(notes, "a") as file:
        file.write(f"{child.pid}\n")


def who(_: int) -> str:
    return current_process().name


@implementation("threads")
def by_threads(pool: Any) -> float:
    account = Account()
    list(pool.map(deposit, [account, account]))
    return account.balance


@implementation("processes")
def by_pool(pool: Any) -> int:
    return len(set(pool.map(who, range(2), chunksize=1)))


@implementation("executor")
def by_executor(pool: Any) -> int:
    return len(set(pool.map(who, range(2))))


@implementation("mpi")
def from_anybody(comm: Any) -> Any:
    from mpi4py import MPI

    if comm.rank:
        return comm.send(comm.rank, 0, tag=7)
    return [comm.recv(source=MPI.ANY_SOURCE) for _ in range(comm.size - 1)]


@implementation("mpi")
def from_each(comm: Any) -> Any:
    if comm.rank:
        return comm.send(comm.rank, 0, tag=7)
    return [comm.recv(source=source) for source in range(1, comm.size)]


@implementation("ipyparallel")
def by_engines(view: Any) -> list[int]:
    return list(view.map_sync(abs, [-1, 2]))


def note_after_work(done: list[str], name: str, steps: int) -> None:
    sum(range(steps))  # one step: nobody can be made to go in the middle of it
    done.append(name)


def by_length_of_work() -> list[str]:
    """By turns, the first to start is the first to end; left alone, the one with less to do is."""
    done: list[str] = []
    together(threading.Thread, note_after_work, (done, "long", 3_000_000), (done, "short", 1))
    return done


def by_length_of_work_fixed() -> list[str]:
    return sorted(by_length_of_work())


def hold_both(first: Any, second: Any, steps: int) -> None:
    with first:
        sum(range(steps))
        with second:
            pass


def locks_that_cross_in_time() -> None:
    """Hangs where both hold their first lock at a time, which they do if nobody makes them take turns."""
    a, b = FORK.Lock(), FORK.Lock()
    together(FORK.Process, hold_both, (a, b, 20_000_000), (b, a, 20_000_000))
