"""Queues of threads and of processes."""

from __future__ import annotations

import queue
from multiprocessing.synchronize import Lock as ProcessLock
from threading import Thread
from typing import Any, Protocol

from tests.deadlocks.corpus import FORK, SPAWN, Context, buggy, fixes, run_all

BIG = bytes(10_000_000)


class AnyQueue(Protocol):
    """A queue, of threads or of processes."""

    def get(self) -> Any:
        """Take an item."""

    def put(self, item: Any, /) -> None:
        """Leave an item."""


def consume(tasks: AnyQueue) -> None:
    while tasks.get() is not None:
        pass


def get_then_put(inbox: AnyQueue, outbox: AnyQueue) -> None:
    outbox.put(inbox.get())


@buggy(says=("Queue.get", "Thread.join"))
def consumer_never_told_to_stop() -> str:
    """The main thread joins a consumer which waits for one more task."""
    tasks: queue.Queue[int | None] = queue.Queue()
    tasks.put(1)
    return run_all(Thread(target=consume, args=(tasks,)))


@fixes(consumer_never_told_to_stop)
def consumer_never_told_to_stop_fixed() -> str:
    """The consumer is told to stop."""
    tasks: queue.Queue[int | None] = queue.Queue()
    tasks.put(1)
    tasks.put(None)
    return run_all(Thread(target=consume, args=(tasks,)))


@buggy(says=("SimpleQueue.get",))
def simple_queue_of_threads_never_fed() -> str:
    """Two threads wait for a message of each other before they send theirs."""
    a, b = queue.SimpleQueue[str](), queue.SimpleQueue[str]()
    return run_all(Thread(target=get_then_put, args=(a, b)), Thread(target=get_then_put, args=(b, a)))


@fixes(simple_queue_of_threads_never_fed)
def simple_queue_of_threads_never_fed_fixed() -> str:
    """The main thread sends the first message."""
    a, b = queue.SimpleQueue[str](), queue.SimpleQueue[str]()
    a.put("first")
    return run_all(Thread(target=get_then_put, args=(a, b)), Thread(target=get_then_put, args=(b, a)))


def get_one(tasks: queue.Queue[int], done: bool) -> None:
    tasks.get()
    if done:
        tasks.task_done()


@buggy(says=("Queue.join",))
def task_never_done() -> str:
    """The consumer takes the task but does not call task_done."""
    tasks: queue.Queue[int] = queue.Queue()
    tasks.put(1)
    run_all(Thread(target=get_one, args=(tasks, False)))
    tasks.join()
    return "done"


@fixes(task_never_done)
def task_never_done_fixed() -> str:
    """The consumer calls task_done."""
    tasks: queue.Queue[int] = queue.Queue()
    tasks.put(1)
    run_all(Thread(target=get_one, args=(tasks, True)))
    tasks.join()
    return "done"


@buggy(says=("Queue.put",))
def full_queue() -> str:
    """The main thread fills a bounded queue before it starts the consumer."""
    tasks: queue.Queue[int | None] = queue.Queue(maxsize=2)
    for task in (1, 2, None):
        tasks.put(task)
    return run_all(Thread(target=consume, args=(tasks,)))


@fixes(full_queue)
def full_queue_fixed() -> str:
    """The queue has room for all tasks."""
    tasks: queue.Queue[int | None] = queue.Queue(maxsize=3)
    for task in (1, 2, None):
        tasks.put(task)
    return run_all(Thread(target=consume, args=(tasks,)))


@buggy(says=("Process.join",))
def join_before_get() -> int:
    """The parent joins a child whose large item is still on its way into the queue."""
    results: Any = FORK.Queue()
    run_all(FORK.Process(target=results.put, args=(BIG,)))
    return len(results.get())


@fixes(join_before_get)
def join_before_get_fixed() -> int:
    """The parent takes the item before it joins the child."""
    results: Any = FORK.Queue()
    child = FORK.Process(target=results.put, args=(BIG,))
    child.start()
    size = len(results.get())
    child.join()
    return size


@buggy(says=("Queue.get", "Process.join"))
def one_stop_for_two_consumers() -> str:
    """Two processes wait for the end of the tasks, but only one is told."""
    tasks: Any = FORK.SimpleQueue()
    tasks.put(None)
    return run_all(*(FORK.Process(target=consume, args=(tasks,)) for _ in range(2)))


@fixes(one_stop_for_two_consumers)
def one_stop_for_two_consumers_fixed() -> str:
    """Both processes are told."""
    tasks: Any = FORK.SimpleQueue()
    tasks.put(None)
    tasks.put(None)
    return run_all(*(FORK.Process(target=consume, args=(tasks,)) for _ in range(2)))


def ring(context: Context, first: bool) -> str:
    queues: list[Any] = [context.Queue() for _ in range(3)]
    if first:
        queues[0].put("token")
    pairs = zip(queues, queues[1:] + queues[:1])
    return run_all(*(context.Process(target=get_then_put, args=pair) for pair in pairs))


@buggy(says=("Queue.get", "Process.join"))
def ring_without_a_token() -> str:
    """Three spawned processes pass round a token that nobody has."""
    return ring(SPAWN, first=False)


@fixes(ring_without_a_token)
def ring_without_a_token_fixed() -> str:
    """The main process sends the token."""
    return ring(SPAWN, first=True)


@buggy(says=("Queue.join",))
def task_of_a_process_never_done() -> str:
    """The child takes the task from the joinable queue but does not call task_done."""
    tasks: Any = FORK.JoinableQueue()
    tasks.put(1)
    run_all(FORK.Process(target=get_one, args=(tasks, False)))
    tasks.join()
    return "done"


@fixes(task_of_a_process_never_done)
def task_of_a_process_never_done_fixed() -> str:
    """The child calls task_done."""
    tasks: Any = FORK.JoinableQueue()
    tasks.put(1)
    run_all(FORK.Process(target=get_one, args=(tasks, True)))
    tasks.join()
    return "done"


@buggy(says=("SimpleQueue.put",))
def large_item_before_its_reader() -> str:
    """The parent puts more than the pipe holds before it starts the reader."""
    items: Any = FORK.SimpleQueue()
    items.put(BIG)
    return run_all(FORK.Process(target=items.get))


@fixes(large_item_before_its_reader)
def large_item_before_its_reader_fixed() -> str:
    """The parent starts the reader, then puts."""
    items: Any = FORK.SimpleQueue()
    reader = FORK.Process(target=items.get)
    reader.start()
    items.put(BIG)
    reader.join()
    return "done"


def put_with(lock: ProcessLock, results: AnyQueue) -> None:
    with lock:
        results.put(42)


@buggy(says=("Queue.get", "Lock.acquire"))
def get_with_the_lock_held() -> int:
    """The parent waits, with the lock held, for an item whose maker needs the lock."""
    lock, results = FORK.Lock(), FORK.Queue()
    child = FORK.Process(target=put_with, args=(lock, results))
    with lock:
        child.start()
        answer: int = results.get()
    child.join()
    return answer


@fixes(get_with_the_lock_held)
def get_with_the_lock_held_fixed() -> int:
    """The parent takes the item first, then the lock."""
    lock, results = FORK.Lock(), FORK.Queue()
    child = FORK.Process(target=put_with, args=(lock, results))
    child.start()
    answer: int = results.get()
    with lock:
        child.join()
    return answer
