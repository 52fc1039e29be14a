"""Programs that resemble those which may hang in another run, and never do."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from multiprocessing.pool import Pool
from typing import Any

from tests.deadlocks.potential import FORK, both, put


def one_order() -> None:
    """Both threads take the locks in the same order."""
    a, b = threading.Lock(), threading.Lock()
    threads = [threading.Thread(target=both, args=(a, b)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def gated(gate: Any, first: Any, second: Any) -> None:
    with gate:
        both(first, second)


def gate_lock() -> None:
    """Different orders, but under a lock that lets one in at a time."""
    gate, a, b = FORK.Lock(), FORK.Lock(), FORK.Lock()
    processes = [FORK.Process(target=gated, args=(gate, a, b)), FORK.Process(target=gated, args=(gate, b, a))]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def one_after_the_other() -> None:
    """The second thread starts when the first has been joined."""
    a, b = threading.Lock(), threading.Lock()
    for first, second in ((a, b), (b, a)):
        thread = threading.Thread(target=both, args=(first, second))
        thread.start()
        thread.join()


def one_process_after_the_other() -> None:
    """The same with processes."""
    a, b = FORK.Lock(), FORK.Lock()
    for first, second in ((a, b), (b, a)):
        process = FORK.Process(target=both, args=(first, second))
        process.start()
        process.join()


def same_thread() -> None:
    """One thread takes them in both orders."""
    a, b = threading.Lock(), threading.Lock()
    both(a, b)
    both(b, a)


def _when(told: Any, first: Any, second: Any) -> None:
    told.wait()
    both(first, second)


def _then_tell(told: Any, first: Any, second: Any) -> None:
    both(first, second)
    told.set()


def _ordered_by_event(make: Any, worker: Any) -> None:
    a, b, told = make.Lock(), make.Lock(), make.Event()
    workers = [worker(target=_when, args=(told, b, a)), worker(target=_then_tell, args=(told, a, b))]
    for one in workers:
        one.start()
    for one in workers:
        one.join()


def ordered_by_an_event() -> None:
    """The second waits for an event that the first sets when it is done."""
    _ordered_by_event(threading, threading.Thread)


def processes_ordered_by_an_event() -> None:
    """The same between processes."""
    _ordered_by_event(FORK, FORK.Process)


def _get_then(turns: Any, first: Any, second: Any) -> None:
    turns.get()
    both(first, second)


def _then_put(turns: Any, first: Any, second: Any) -> None:
    both(first, second)
    turns.put(1)


def ordered_by_a_queue() -> None:
    """The second gets from a queue what the first puts there when it is done."""
    a, b = threading.Lock(), threading.Lock()
    turns: queue.Queue[int] = queue.Queue()
    threads = [
        threading.Thread(target=_get_then, args=(turns, b, a)),
        threading.Thread(target=_then_put, args=(turns, a, b)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def processes_ordered_by_a_queue() -> None:
    """The same between processes."""
    a, b = FORK.Lock(), FORK.Lock()
    turns: Any = FORK.Queue()
    processes = [
        FORK.Process(target=_get_then, args=(turns, b, a)),
        FORK.Process(target=_then_put, args=(turns, a, b)),
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def ordered_by_a_barrier() -> None:
    """Between the first's and the second's turn both meet at a barrier."""
    a, b, met = threading.Lock(), threading.Lock(), threading.Barrier(2)

    def first() -> None:
        both(a, b)
        met.wait()

    def second() -> None:
        met.wait()
        both(b, a)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ordered_by_a_semaphore() -> None:
    """A semaphore that begins at zero hands the turn over."""
    a, b, turn = threading.Lock(), threading.Lock(), threading.Semaphore(0)

    def first() -> None:
        both(a, b)
        turn.release()

    def second() -> None:
        turn.acquire()
        both(b, a)

    threads = [threading.Thread(target=second), threading.Thread(target=first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ordered_by_a_pipe() -> None:
    """One process sends the other its turn."""
    a, b = FORK.Lock(), FORK.Lock()
    here, there = FORK.Pipe()

    def first() -> None:
        both(a, b)
        here.send(1)

    def second() -> None:
        there.recv()
        both(b, a)

    processes = [FORK.Process(target=second), FORK.Process(target=first)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _tries(first: Any, second: Any) -> None:
    with first:
        if second.acquire(timeout=0.05):
            second.release()


def one_gives_up() -> None:
    """One side takes its second lock with a time limit, so it cannot wait for ever."""
    a, b = threading.Lock(), threading.Lock()
    threads = [threading.Thread(target=both, args=(a, b)), threading.Thread(target=_tries, args=(b, a))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def again(lock: Any, other: Any) -> None:
    with lock, other, lock:
        pass


def reentrant() -> None:
    """A re-entrant lock taken again under another one is no inversion."""
    a, b = threading.RLock(), threading.Lock()
    threads = [threading.Thread(target=again, args=(a, b)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def drained_before_the_join() -> object:
    """The queue is drained before the process is joined."""
    results: Any = FORK.Queue()
    process = FORK.Process(target=put, args=(results, 7))
    process.start()
    value = results.get()
    process.join()
    return value


def drain(results: Any, count: int) -> None:
    for _ in range(count):
        results.get()


def drained_by_another() -> None:
    """A third process drains the queue while the producer is joined."""
    results: Any = FORK.Queue()
    producer = FORK.Process(target=put, args=(results, 7))
    consumer = FORK.Process(target=drain, args=(results, 1))
    producer.start()
    producer.join()
    consumer.start()
    consumer.join()


def square(x: int) -> int:
    return x * x


def pool_in_order() -> list[int]:
    """A Pool whose workers all live."""
    pool: Pool
    with FORK.Pool(2) as pool:
        return pool.map(square, range(10))


INNOCENT: list[Callable[[], Any]] = [
    one_order,
    gate_lock,
    one_after_the_other,
    one_process_after_the_other,
    same_thread,
    ordered_by_an_event,
    processes_ordered_by_an_event,
    ordered_by_a_queue,
    processes_ordered_by_a_queue,
    ordered_by_a_barrier,
    ordered_by_a_semaphore,
    ordered_by_a_pipe,
    one_gives_up,
    reentrant,
    drained_before_the_join,
    drained_by_another,
    pool_in_order,
]
