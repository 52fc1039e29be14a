"""Queues, and what they are asked between two calls."""

from __future__ import annotations

import queue
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, together

Tasks = queue.Queue[int]


def take_while_not_empty(tasks: Tasks) -> list[int]:
    done: list[int] = []
    while not tasks.empty():
        done.append(tasks.get())
    return done


def take_without_waiting(tasks: Tasks) -> list[int]:
    done: list[int] = []
    while not tasks.empty():
        done.append(tasks.get_nowait())
    return done


def take_until_empty(tasks: Tasks) -> list[int]:
    done: list[int] = []
    while True:
        try:
            done.append(tasks.get_nowait())
        except queue.Empty:
            return done


def shared_out(take: Any) -> list[int]:
    tasks: Tasks = queue.Queue()
    for task in range(3):
        tasks.put(task)
    with ThreadPoolExecutor(2) as threads:
        workers = [threads.submit(take, tasks) for _ in range(2)]
        return sorted(task for worker in workers for task in worker.result())


@buggy("Deadlock")
def get_after_empty() -> list[int]:
    """The queue may be empty by the time a task is taken, and remain so."""
    return shared_out(take_while_not_empty)


@fixes(get_after_empty)
def get_after_empty_fixed() -> list[int]:
    """Whether the queue is empty is found out by taking a task."""
    return shared_out(take_until_empty)


@buggy("Race")
def get_nowait_after_empty() -> list[int]:
    """The queue may be empty by the time a task is taken, which raises Empty."""
    return shared_out(take_without_waiting)


@fixes(get_nowait_after_empty)
def get_nowait_after_empty_fixed() -> list[int]:
    """The exception says that the queue is empty."""
    return shared_out(take_until_empty)


def sum_while_not_empty(tasks: Any, total: Any) -> None:
    while not tasks.empty():
        total.value += tasks.get()


def sum_until_none(tasks: Any, total: Any) -> None:
    for task in iter(tasks.get, None):
        total.value += task


def sum_in_a_process(function: Any, numbers: list[int | None]) -> int:
    tasks: Any = FORK.Queue()
    total: Any = FORK.Value("i", 0)
    worker = FORK.Process(target=function, args=(tasks, total))
    worker.start()
    for number in numbers:
        tasks.put(number)
    worker.join()
    tasks.close()
    tasks.join_thread()
    return int(total.value)


@buggy("Race")
def empty_for_the_moment() -> int:
    """The worker stops when the queue is empty, though more tasks are on their way."""
    return sum_in_a_process(sum_while_not_empty, [1, 2, 3])


@fixes(empty_for_the_moment)
def empty_for_the_moment_fixed() -> int:
    """The worker stops when it is told to."""
    return sum_in_a_process(sum_until_none, [1, 2, 3, None])


def put_and_tell(items: Any, ready: Any) -> None:
    items.put("item")
    ready.set()


def item_of_a_child(wait: bool) -> str:
    items, ready = FORK.Queue(), FORK.Event()
    child = FORK.Process(target=put_and_tell, args=(items, ready))
    child.start()
    ready.wait()
    try:
        item = items.get() if wait else items.get_nowait()
    except queue.Empty:
        item = "nothing"
    child.join()
    return str(item)


@buggy("Race")
def event_before_the_item() -> str:
    """The event may be set before the item has come through the pipe of the queue."""
    return item_of_a_child(wait=False)


@fixes(event_before_the_item)
def event_before_the_item_fixed() -> str:
    """The parent waits for the item."""
    return item_of_a_child(wait=True)


def put_if_small(items: queue.Queue[str], item: str) -> None:
    if items.qsize() < 1:
        items.put(item)


def put_if_room(items: queue.Queue[str], item: str) -> None:
    with suppress(queue.Full):
        items.put_nowait(item)


@buggy("Race")
def queue_limited_by_qsize() -> int:
    """Both threads find the queue short enough for one more item."""
    items: queue.Queue[str] = queue.Queue()
    together(Thread, put_if_small, (items, "a"), (items, "b"))
    return items.qsize()


@fixes(queue_limited_by_qsize)
def queue_limited_by_qsize_fixed() -> int:
    """The queue knows its own limit."""
    items: queue.Queue[str] = queue.Queue(maxsize=1)
    together(Thread, put_if_room, (items, "a"), (items, "b"))
    return items.qsize()


def work_and_steal(own: deque[int], other: deque[int], done: list[int]) -> None:
    while own or other:
        tasks = own if own else other
        done.append(tasks[-1])
        tasks.pop()


def work_and_steal_locked(lock: Lock, own: deque[int], other: deque[int], done: list[int]) -> None:
    while True:
        with lock:
            if own:
                task = own.pop()
            elif other:
                task = other.popleft()
            else:
                return
        done.append(task)


@buggy("Race")
def work_stolen_twice() -> list[int]:
    """A task is looked at and taken away in two steps, by its owner and by a thief."""
    one, two, done = deque([1, 2]), deque([3, 4]), list[int]()
    with ThreadPoolExecutor(2) as threads:
        workers = [threads.submit(work_and_steal, *tasks, done) for tasks in ((one, two), (two, one))]
    for worker in workers:
        worker.result()
    return sorted(done)


@fixes(work_stolen_twice)
def work_stolen_twice_fixed() -> list[int]:
    """A task is taken, by its owner or by a thief, with a lock held."""
    one, two, done, lock = deque([1, 2]), deque([3, 4]), list[int](), Lock()
    together(Thread, work_and_steal_locked, (lock, one, two, done), (lock, two, one, done))
    return sorted(done)


def produce_and_stop_early(items: Tasks, finished: Event) -> None:
    for item in (1, 2, 3):
        if item == 3:
            finished.set()
        items.put(item)


def produce_and_stop(items: Tasks, finished: Event) -> None:
    for item in (1, 2, 3):
        items.put(item)
    finished.set()


def consume(items: Tasks, finished: Event) -> list[int]:
    got: list[int] = []
    while True:
        last = finished.is_set()
        try:
            got.append(items.get_nowait())
        except queue.Empty:
            if last:
                return got
            time.sleep(0.001)


def produced(produce: Any) -> list[int]:
    items: Tasks = queue.Queue()
    finished = Event()
    producer = Thread(target=produce, args=(items, finished))
    producer.start()
    got = consume(items, finished)
    producer.join()
    return got


@buggy("Race")
def finished_before_the_last_item() -> list[int]:
    """The producer says that it has finished before it puts the last item."""
    return produced(produce_and_stop_early)


@fixes(finished_before_the_last_item)
def finished_before_the_last_item_fixed() -> list[int]:
    """The producer says that it has finished after the last item."""
    return produced(produce_and_stop)


def square_too_late(tasks: Tasks, squares: list[int]) -> None:
    for _ in range(2):
        task = tasks.get()
        tasks.task_done()
        squares.append(task**2)


def square(tasks: Tasks, squares: list[int]) -> None:
    for _ in range(2):
        task = tasks.get()
        squares.append(task**2)
        tasks.task_done()


def squared(function: Any) -> list[int]:
    tasks: Tasks = queue.Queue()
    squares: list[int] = []
    worker = Thread(target=function, args=(tasks, squares))
    worker.start()
    tasks.put(2)
    tasks.put(3)
    tasks.join()
    seen = list(squares)
    worker.join()
    return seen


@buggy("Race")
def task_done_before_the_work() -> list[int]:
    """The task is called done before its result is there."""
    return squared(square_too_late)


@fixes(task_done_before_the_work)
def task_done_before_the_work_fixed() -> list[int]:
    """The task is called done after its result is there."""
    return squared(square)
