"""The order in which things are completed, taken for the order in which they were begun."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from multiprocessing.connection import wait as wait_for_any
from threading import Lock, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all, together


def square(number: int) -> int:
    return number * number


def squares_in_a_pool(method: str) -> list[int]:
    with FORK.Pool(2) as pool:
        squares = list(getattr(pool, method)(square, range(4)))
        pool.close()
        pool.join()
        return squares


@buggy("Race")
def imap_unordered_as_ordered() -> list[int]:
    """The results come in the order in which the pool gets them."""
    return squares_in_a_pool("imap_unordered")


@fixes(imap_unordered_as_ordered)
def imap_unordered_as_ordered_fixed() -> list[int]:
    """The results come in the order of the tasks."""
    return squares_in_a_pool("imap")


@buggy("Race")
def threads_as_completed() -> list[int]:
    """The results of threads in the order of their completion."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in range(4)]
        return [future.result() for future in as_completed(futures)]


@fixes(threads_as_completed)
def threads_as_completed_fixed() -> list[int]:
    """The results of threads in the order of their tasks."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in range(4)]
        return [future.result() for future in futures]


@buggy("Race")
def processes_as_completed() -> list[int]:
    """The results of processes in the order of their completion."""
    with ProcessPoolExecutor(2, mp_context=FORK) as processes:
        futures = [processes.submit(square, number) for number in range(4)]
        return [future.result() for future in as_completed(futures)]


@fixes(processes_as_completed)
def processes_as_completed_fixed() -> list[int]:
    """The results of processes in the order of their tasks."""
    with ProcessPoolExecutor(2, mp_context=FORK) as processes:
        return list(processes.map(square, range(4)))


@buggy("Race")
def callbacks_of_apply_async() -> list[int]:
    """The callback of each task appends its result."""
    squares: list[int] = []
    with FORK.Pool(2) as pool:
        for number in range(4):
            pool.apply_async(square, (number,), callback=squares.append)
        pool.close()
        pool.join()
    return squares


@fixes(callbacks_of_apply_async)
def callbacks_of_apply_async_fixed() -> list[int]:
    """The results are asked for one after the other."""
    with FORK.Pool(2) as pool:
        tasks = [pool.apply_async(square, (number,)) for number in range(4)]
        pool.close()
        pool.join()
    return [task.get() for task in tasks]


def append_square(squares: list[int], number: int) -> None:
    squares.append(square(number))


def store_square(squares: list[int], number: int) -> None:
    squares[number] = square(number)


@buggy("Race")
def appended_by_threads() -> list[int]:
    """Each thread appends its result to a list."""
    squares: list[int] = []
    together(Thread, append_square, *((squares, number) for number in range(3)))
    return squares


@fixes(appended_by_threads)
def appended_by_threads_fixed() -> list[int]:
    """Each thread has a slot for its result."""
    squares = [0] * 3
    together(Thread, store_square, *((squares, number) for number in range(3)))
    return squares


def put_square(squares: Any, number: int) -> None:
    squares.put((number, square(number)))


def squares_from_a_queue() -> list[tuple[int, int]]:
    results: Any = FORK.Queue()
    workers = [FORK.Process(target=put_square, args=(results, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    squares = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return squares


@buggy("Race")
def results_from_a_queue() -> list[int]:
    """The results come out of the queue in the order in which they went in."""
    return [result for _, result in squares_from_a_queue()]


@fixes(results_from_a_queue)
def results_from_a_queue_fixed() -> list[int]:
    """The results are sorted by their task."""
    return [result for _, result in sorted(squares_from_a_queue())]


def look_up(prices: dict[str, int], name: str) -> None:
    prices[name] = len(name)


def price_list(names: tuple[str, ...], by_name: bool) -> list[int]:
    prices: dict[str, int] = {}
    together(Thread, look_up, *((prices, name) for name in names))
    return [prices[name] for name in names] if by_name else list(prices.values())


@buggy("Race")
def values_of_a_dict() -> list[int]:
    """The values of a dict come in the order in which the threads stored them."""
    return price_list(("tea", "coffee"), by_name=False)


@fixes(values_of_a_dict)
def values_of_a_dict_fixed() -> list[int]:
    """The values are taken by their names."""
    return price_list(("tea", "coffee"), by_name=True)


@buggy("Race")
def first_to_complete() -> int:
    """Whichever task ends first gives the answer."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in (3, 4)]
        done, _ = wait(futures, return_when=FIRST_COMPLETED)
        return min(future.result() for future in done)


@fixes(first_to_complete)
def first_to_complete_fixed() -> int:
    """The answer is the least of all results."""
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(square, number) for number in (3, 4)]
        done, _ = wait(futures)
        return min(future.result() for future in done)


def send_square(connection: Any, number: int) -> None:
    connection.send(square(number))


def squares_from_pipes(as_ready: bool) -> list[int]:
    pipes = [FORK.Pipe(duplex=False) for _ in range(2)]
    workers = [FORK.Process(target=send_square, args=(pipe[1], number)) for number, pipe in enumerate(pipes)]
    for worker in workers:
        worker.start()
    waiting: list[Any] = [receiver for receiver, _ in pipes]
    squares = []
    while waiting:
        ready: list[Any] = wait_for_any(waiting) if as_ready else waiting[:1]
        for receiver in ready:
            squares.append(receiver.recv())
            waiting.remove(receiver)
    for worker in workers:
        worker.join()
    for receiver, sender in pipes:
        receiver.close()
        sender.close()
    return squares


@buggy("Race")
def pipes_as_they_are_ready() -> list[int]:
    """The pipes are read in the order in which they are filled."""
    return squares_from_pipes(as_ready=True)


@fixes(pipes_as_they_are_ready)
def pipes_as_they_are_ready_fixed() -> list[int]:
    """The pipes are read in the order of the tasks."""
    return squares_from_pipes(as_ready=False)


def write_line(lock: Lock, lines: list[str], rank: int) -> None:
    with lock:
        lines.append(f"worker {rank}")


@buggy("Race")
def lock_taken_for_an_order() -> str:
    """A lock lets one thread write at a time, in any order."""
    lock, lines = Lock(), list[str]()
    together(Thread, write_line, (lock, lines, 0), (lock, lines, 1))
    return "\n".join(lines)


@fixes(lock_taken_for_an_order)
def lock_taken_for_an_order_fixed() -> str:
    """The lines are sorted."""
    lock, lines = Lock(), list[str]()
    together(Thread, write_line, (lock, lines, 0), (lock, lines, 1))
    return "\n".join(sorted(lines))


def assign(array: Any, number: int) -> None:
    array[0] = number


@buggy("Race")
def last_writer() -> int:
    """The process started last need not be the last to write."""
    array: Any = FORK.Array("i", 1)
    together(FORK.Process, assign, (array, 1), (array, 2))
    return int(array[0])


@fixes(last_writer)
def last_writer_fixed() -> int:
    """The second process is started when the first one has ended."""
    array: Any = FORK.Array("i", 1)
    for number in (1, 2):
        run_all(FORK.Process(target=assign, args=(array, number)))
    return int(array[0])
