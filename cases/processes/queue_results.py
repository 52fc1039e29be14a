"""``Queue``: any number of workers put their results into it, in whatever order they have them."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Process, Queue

from cases.processes.fork_join import join_all
from reference.processes import shares, square


def queue_results(numbers: Sequence[int], workers: int) -> list[int]:
    """Take from the queue one result per number, then join: a worker that has filled a queue waits for its reader."""
    queue: Queue[tuple[int, int]] = Queue()
    places = shares(range(len(numbers)), workers)
    processes = [Process(target=_put_squares, args=(queue, numbers, mine)) for mine in places]
    for process in processes:
        process.start()
    found = dict(queue.get() for _ in numbers)
    join_all(processes)
    return [found[place] for place in range(len(numbers))]


def _put_squares(queue: Queue[tuple[int, int]], numbers: Sequence[int], places: Sequence[int]) -> None:
    for place in places:
        queue.put((place, square(numbers[place])))  # with its place: the queue keeps no order among workers
