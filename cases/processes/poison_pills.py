"""Poison pills: workers take tasks from a queue until they get one that tells them to end."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Process, Queue

from cases.processes.fork_join import join_all
from reference.processes import shares, square

Task = tuple[int, int] | None  # a place and a number; None is the pill


def poison_pills(numbers: Sequence[int], workers: int) -> list[int]:
    """Put a pill for each worker behind the tasks: a worker takes one and ends, so everyone gets one."""
    return _farm(numbers, workers, pills=workers)


def one_pill_too_few(numbers: Sequence[int], workers: int) -> list[int]:
    """Put a pill less. Wrong: somebody waits for a task that never comes, and the parent for them."""
    return _farm(numbers, workers, pills=workers - 1)


def _farm(numbers: Sequence[int], workers: int, *, pills: int) -> list[int]:
    shares(numbers, workers)  # refuses what makes no sense
    tasks: Queue[Task] = Queue()
    results: Queue[tuple[int, int]] = Queue()
    processes = [Process(target=_work, args=(tasks, results)) for _ in range(workers)]
    for process in processes:
        process.start()
    for task in enumerate(numbers):
        tasks.put(task)
    for _ in range(pills):
        tasks.put(None)
    found = dict(results.get() for _ in numbers)
    join_all(processes)
    return [found[place] for place in range(len(numbers))]


def _work(tasks: Queue[Task], results: Queue[tuple[int, int]]) -> None:
    while (task := tasks.get()) is not None:
        place, number = task
        results.put((place, square(number)))
