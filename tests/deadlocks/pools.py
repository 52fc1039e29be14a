"""Pools and executors, of processes and of threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from threading import Barrier
from typing import Any

from tests.deadlocks.corpus import FORK, FORKSERVER, SPAWN, Context, buggy, fixes

SHARED: list[Any] = []
"""What the initializer left in this worker."""


def share(*objects: Any) -> None:
    SHARED[:] = objects


# Pool


def exit_at_two(number: int) -> int:
    if number == 2:
        os._exit(3)
    return number


def sys_exit_at_two(number: int) -> int:
    if number == 2:
        sys.exit("number 2 is not allowed")
    return number


def die_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def skip_two(number: int) -> int:
    return 0 if number == 2 else number


def map_in_a_pool(context: Context, function: Any) -> int:
    with context.Pool(2) as pool:
        total: int = sum(pool.map(function, range(4), chunksize=1))
        pool.close()
        pool.join()
        return total


@buggy(says=("Pool.map",))
def worker_exits() -> int:
    """A worker of the pool exits in the middle of its task, whose result never comes."""
    return map_in_a_pool(FORK, exit_at_two)


@fixes(worker_exits)
def worker_exits_fixed() -> int:
    """The task returns."""
    return map_in_a_pool(FORK, skip_two)


@buggy(says=("Pool.map",))
def task_calls_sys_exit() -> int:
    """A task in a pool of spawned workers calls sys.exit, and the pool loses it."""
    return map_in_a_pool(SPAWN, sys_exit_at_two)


@fixes(task_calls_sys_exit)
def task_calls_sys_exit_fixed() -> int:
    """The task returns."""
    return map_in_a_pool(SPAWN, skip_two)


@buggy(says=("Pool.map",))
def worker_killed() -> int:
    """A worker of the pool is killed in the middle of its task, as if memory had run out."""
    return map_in_a_pool(FORK, die_at_two)


@fixes(worker_killed)
def worker_killed_fixed() -> int:
    """The worker lives."""
    return map_in_a_pool(FORK, skip_two)


def wait_at_the_barrier(number: int) -> int:
    SHARED[0].wait()
    return number


def meet_in_a_pool(parties: int) -> int:
    barrier = FORKSERVER.Barrier(parties)
    with FORKSERVER.Pool(2, share, (barrier,)) as pool:
        total = sum(pool.map(wait_at_the_barrier, range(parties), chunksize=1))
        pool.close()
        pool.join()
        return total


@buggy(says=("Pool.map", "Barrier.wait"))
def more_tasks_than_workers_at_a_barrier() -> int:
    """Three tasks meet at a barrier in a pool of two workers."""
    return meet_in_a_pool(3)


@fixes(more_tasks_than_workers_at_a_barrier)
def more_tasks_than_workers_at_a_barrier_fixed() -> int:
    """Two tasks meet in a pool of two workers."""
    return meet_in_a_pool(2)


def nested_apply(pool: ThreadPool) -> int:
    return pool.apply(pow, (2, 3))


def apply_in_a_thread_pool(workers: int) -> int:
    with ThreadPool(workers) as pool:
        answer = pool.apply(nested_apply, (pool,))
        pool.close()
        pool.join()
        return answer


@buggy(says=("Pool.apply",))
def nested_task_in_a_thread_pool() -> int:
    """The only thread of a pool waits for a task of the same pool."""
    return apply_in_a_thread_pool(1)


@fixes(nested_task_in_a_thread_pool)
def nested_task_in_a_thread_pool_fixed() -> int:
    """The pool has a second thread."""
    return apply_in_a_thread_pool(2)


# Executors


def nested_submit(executor: Executor) -> int:
    return executor.submit(pow, 2, 3).result()


@buggy(says=("Future.result",))
def nested_task() -> int:
    """The only thread of an executor waits for a task of the same executor."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(nested_submit, executor).result()


@fixes(nested_task)
def nested_task_fixed() -> int:
    """The executor has a second thread."""
    with ThreadPoolExecutor(2) as executor:
        return executor.submit(nested_submit, executor).result()


def result_of(future: Future[int]) -> int:
    return future.result()


@buggy(says=("Future.result",))
def futures_of_each_other() -> int:
    """Each of two tasks waits for the result of the other."""
    first: Future[Future[int]] = Future()
    with ThreadPoolExecutor(2) as executor:
        one = executor.submit(lambda: first.result().result() + 1)
        other = executor.submit(result_of, one)
        first.set_result(other)
        return other.result()


@fixes(futures_of_each_other)
def futures_of_each_other_fixed() -> int:
    """The first task waits for a third, which waits for nobody."""
    first: Future[Future[int]] = Future()
    with ThreadPoolExecutor(3) as executor:
        one = executor.submit(lambda: first.result().result() + 1)
        other = executor.submit(result_of, one)
        first.set_result(executor.submit(pow, 2, 3))
        return other.result()


def use(lock: threading.Lock) -> int:
    with lock:
        return 8


@buggy(says=("Future.result", "Lock.acquire"))
def result_with_the_lock_held() -> int:
    """The main thread waits, with the lock held, for a task that needs the lock."""
    lock = threading.Lock()
    with ThreadPoolExecutor() as executor, lock:
        return executor.submit(use, lock).result()


@fixes(result_with_the_lock_held)
def result_with_the_lock_held_fixed() -> int:
    """The main thread releases the lock before it waits."""
    lock = threading.Lock()
    with ThreadPoolExecutor() as executor:
        with lock:
            task = executor.submit(use, lock)
        return task.result()


@buggy(says=("Event.wait",))
def event_set_after_the_executor() -> str:
    """The end of the with block waits for a task that waits for what comes after the block."""
    go = threading.Event()
    with ThreadPoolExecutor() as executor:
        executor.submit(go.wait)
    go.set()
    return "done"


@fixes(event_set_after_the_executor)
def event_set_after_the_executor_fixed() -> str:
    """The event is set inside the with block."""
    go = threading.Event()
    with ThreadPoolExecutor() as executor:
        executor.submit(go.wait)
        go.set()
    return "done"


def meet_between_locks(number: int) -> int:
    first, second, met = SHARED if number == 0 else (SHARED[1], SHARED[0], SHARED[2])
    with first:
        met.wait()
        with second:
            return number


def meet_before_locks(number: int) -> int:
    met: Barrier = SHARED[2]
    met.wait()
    with SHARED[0], SHARED[1]:
        return number


def lock_in_an_executor(function: Any) -> int:
    shared = (FORK.Lock(), FORK.Lock(), FORK.Barrier(2))
    with ProcessPoolExecutor(2, mp_context=FORK, initializer=share, initargs=shared) as executor:
        return sum(executor.map(function, range(2)))


@buggy(says=("Lock.acquire",), cycle=2)
def two_tasks_and_two_locks() -> int:
    """Two tasks of a process pool take the locks of its initializer in opposite orders."""
    return lock_in_an_executor(meet_between_locks)


@fixes(two_tasks_and_two_locks)
def two_tasks_and_two_locks_fixed() -> int:
    """Both tasks take the locks in the same order."""
    return lock_in_an_executor(meet_before_locks)


def await_event() -> bool:
    return bool(SHARED[0].wait())


def set_event() -> None:
    SHARED[0].set()


def event_in_an_executor(workers: int) -> bool:
    shared = (FORK.Event(),)
    with ProcessPoolExecutor(workers, mp_context=FORK, initializer=share, initargs=shared) as executor:
        answer = executor.submit(await_event)
        executor.submit(set_event)
        return answer.result()


@buggy(says=("Future.result", "Event.wait"))
def setter_behind_the_waiter() -> bool:
    """The only worker waits for an event which the next task in the line would set."""
    return event_in_an_executor(1)


@fixes(setter_behind_the_waiter)
def setter_behind_the_waiter_fixed() -> bool:
    """A second worker sets the event."""
    return event_in_an_executor(2)
