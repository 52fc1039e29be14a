"""Processes that take tasks from a queue until they get a poison pill: a pool made by hand.

All workers read the same queue, so each takes its next task when it has done its last one, and a task that takes long
does not hold up the others. A worker ends at its first pill: there must be one for each, behind all tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing import Process, Queue
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task, check_tasks, run_task

if TYPE_CHECKING:
    from multiprocessing.queues import Queue as QueueType

    Tasks = QueueType[tuple[int, Task] | None]
    Ends = QueueType[tuple[int, Ended]]

PILL = None


def work(tasks: Tasks, ends: Ends, program: Path) -> None:
    """Run tasks until the pill comes."""
    while (numbered := tasks.get()) is not PILL:
        number, task = numbered
        ends.put((number, run_task(task, program)))


@implementation("processes")
def process_pills(pool: Pool, tasks: Sequence[Task], program: Path, *, workers: int) -> list[Ended]:
    """Run every task on the next worker that is free; these workers are our own, the pool given stays idle."""
    check_tasks(tasks, program)
    todo: Tasks = Queue()
    done: Ends = Queue()
    processes = [Process(target=work, args=(todo, done, program)) for _ in range(workers)]
    for process in processes:
        process.start()  # before the first put, which starts a thread that a fork would not copy
    for numbered in enumerate(tasks):
        todo.put(numbered)
    for _ in processes:
        todo.put(PILL)
    ends = dict(done.get() for _ in tasks)  # before the joins: a worker ends only when its results are taken
    for process in processes:
        process.join()
    return [ends[number] for number in range(len(tasks))]
