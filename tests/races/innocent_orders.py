"""Correct programs without locks: ordered by joins, events, queues, pipes and barriers, or in need of no order."""

from __future__ import annotations

import queue
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from threading import Event, Thread
from typing import Any

from tests.races.corpus import FORK, FORKSERVER, innocent, run_all, together


def add_one(total: Any) -> None:
    total.value += 1


@innocent
def one_after_the_other() -> int:
    """Each process is joined before the next one starts."""
    total: Any = FORK.Value("i", 0, lock=False)
    for _ in range(3):
        run_all(FORK.Process(target=add_one, args=(total,)))
    total.value += 1
    return int(total.value)


def add_and_set(total: Any, done: Any) -> None:
    total.value += 1
    done.set()


def wait_and_double(total: Any, done: Any) -> None:
    done.wait()
    total.value *= 2


@innocent
def ordered_by_an_event() -> int:
    """The second process waits for the event of the first one."""
    total, done = FORK.Value("i", 3), FORK.Event()
    second = FORK.Process(target=wait_and_double, args=(total, done))
    run_all(second, FORK.Process(target=add_and_set, args=(total, done)))
    return int(total.value)


@innocent
def threads_ordered_by_an_event() -> list[str]:
    """The second thread waits for the event of the first one."""
    first_done, lines = Event(), list[str]()

    def first() -> None:
        lines.append("first")
        first_done.set()

    def second() -> None:
        first_done.wait()
        lines.append("second")

    run_all(Thread(target=second), Thread(target=first))
    return lines


def add_and_pass_on(total: Any, inbox: Any, outbox: Any) -> None:
    for _ in range(3):
        inbox.get()
        total.value += 1
        outbox.put("token")


@innocent
def token_in_queues() -> int:
    """Who has the token may change the number."""
    total: Any = FORK.RawValue("i", 0)
    here, there = FORK.SimpleQueue(), FORK.SimpleQueue()
    here.put("token")
    together(FORK.Process, add_and_pass_on, (total, here, there), (total, there, here))
    here.close()
    there.close()
    return int(total.value)


def consume(tasks: Any, results: Any) -> None:
    for task in iter(tasks.get, None):
        results.put((task, task * task))


@innocent
def queue_with_sentinels() -> dict[int, int]:
    """Two consumers take tasks until each is told to stop."""
    tasks, results = FORK.Queue(), FORK.Queue()
    workers = [FORK.Process(target=consume, args=(tasks, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for task in (1, 2, 3, None, None):
        tasks.put(task)
    squares = dict(sorted(results.get() for _ in range(3)))
    for worker in workers:
        worker.join()
    return squares


@innocent
def threads_with_sentinels() -> list[int]:
    """Two threads append to one list what they take from one queue; the list is sorted."""
    tasks: queue.Queue[int | None] = queue.Queue()
    done: list[int] = []

    def work() -> None:
        while (task := tasks.get()) is not None:
            done.append(task)

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for task in (1, 2, 3, None, None):
        tasks.put(task)
    for worker in workers:
        worker.join()
    return sorted(done)


def read_neighbour(barrier: Any, array: Any, rank: int) -> None:
    array[rank] = rank + 1
    barrier.wait()
    neighbour = array[1 - rank]
    barrier.wait()
    array[rank] += neighbour


@innocent
def ordered_by_a_barrier() -> list[int]:
    """All write, all read, all write."""
    barrier, array = FORK.Barrier(2), FORK.RawArray("i", 2)
    together(FORK.Process, read_neighbour, (barrier, array, 0), (barrier, array, 1))
    return list(array)


def answer(connection: Any, total: Any) -> None:
    for _ in range(2):
        connection.recv()
        total.value += 1
        connection.send("done")


@innocent
def ordered_by_a_pipe() -> int:
    """Parent and child change the number in turns."""
    here, there = FORK.Pipe()
    total: Any = FORK.RawValue("i", 0)
    child = FORK.Process(target=answer, args=(there, total))
    child.start()
    for _ in range(2):
        total.value *= 10
        here.send("go on")
        here.recv()
    child.join()
    here.close()
    there.close()
    return int(total.value)


def square(number: int) -> int:
    return number * number


@innocent
def map_of_a_pool() -> list[int]:
    """The results of a map are in the order of the tasks."""
    with FORK.Pool(2) as pool:
        return pool.map(square, range(5), chunksize=1)


@innocent
def unordered_and_sorted() -> list[int]:
    """The results come in any order and are sorted."""
    with FORK.Pool(2) as pool:
        return sorted(pool.imap_unordered(square, range(5)))


@innocent
def as_completed_by_key() -> dict[int, int]:
    """The results are stored by their tasks as they come, and the dict is compared as a dict."""
    with ThreadPoolExecutor(2) as threads:
        futures = {threads.submit(square, number): number for number in range(4)}
        return {futures[future]: future.result() for future in as_completed(futures)}


@innocent
def map_of_threads() -> list[int]:
    """The results of an executor's map are in the order of the tasks."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(square, range(5)))


@innocent
def map_of_processes() -> list[int]:
    """The results of a process pool's map are in the order of the tasks."""
    with ProcessPoolExecutor(2, mp_context=FORK) as processes:
        return list(processes.map(square, range(5)))


@innocent
def map_of_a_forkserver() -> list[int]:
    """The results of a pool of a fork server are in the order of the tasks."""
    with FORKSERVER.Pool(2) as pool:
        return pool.map(square, range(3), chunksize=1)


@innocent
def whole_numbers_as_they_come() -> int:
    """A sum of whole numbers does not depend on their order."""
    with FORK.Pool(2) as pool:
        total = 0
        for part in pool.imap_unordered(square, range(5)):
            total += part
        return total


@innocent
def dict_filled_in_any_order() -> dict[str, int]:
    """Two threads store under different keys; the order of the insertions does not matter."""
    lengths: dict[str, int] = {}
    together(Thread, lambda word: lengths.update({word: len(word)}), ("tea",), ("coffee",))
    return lengths


@innocent
def set_for_membership() -> list[str]:
    """The order of the set is never looked at."""
    words = ["alpha", "beta", "gamma", "beta", "alpha"]
    with ThreadPoolExecutor(2) as threads:
        longer = set(words) - {word for word in words if len(word) < 5}
        return list(threads.map(str.upper, [word for word in words if word in longer]))


def put_result(results: Any, rank: int) -> None:
    results.put((rank, rank * 10))


@innocent
def results_by_rank() -> list[int]:
    """Each result comes with the rank of its process."""
    results: Any = FORK.Queue()
    workers = [FORK.Process(target=put_result, args=(results, rank)) for rank in range(3)]
    for worker in workers:
        worker.start()
    by_rank = dict(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return [by_rank[rank] for rank in range(3)]
