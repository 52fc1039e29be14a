"""``Pool.imap_unordered``: the pool has the queue, the workers and the poison pills inside.

``Pool.close`` puts a None for every worker into its queue of tasks, and a worker that gets one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task, check_tasks, run_task


def run_numbered(numbered: tuple[int, Task], program: Path) -> tuple[int, Ended]:
    """Run a task and keep its number with its end: they come back in the order in which they end."""
    number, task = numbered
    return number, run_task(task, program)


@implementation("processes")
def pool_imap(pool: Pool, tasks: Sequence[Task], program: Path) -> list[Ended]:
    """Run every task on the next worker that is free."""
    check_tasks(tasks, program)
    ends = dict(pool.imap_unordered(partial(run_numbered, program=program), enumerate(tasks)))
    return [ends[number] for number in range(len(tasks))]
