"""The same farm of processes, but a worker whose task fails raises. BUGGY: its result is awaited for ever.

The exception ends the worker's process and is printed there. The master knows nothing of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from multiprocessing import Process, Queue
from multiprocessing.pool import Pool
from pathlib import Path
from typing import TYPE_CHECKING

from cases.task_farm.process_pills import PILL
from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task, check_tasks

if TYPE_CHECKING:
    from cases.task_farm.process_pills import Ends, Tasks


def work(tasks: Tasks, ends: Ends, program: Path) -> None:
    """Run tasks until the pill comes, or one fails."""
    while (numbered := tasks.get()) is not PILL:
        number, (source, target) = numbered
        with open(source, "rb") as standard_in, open(target, "wb") as standard_out:
            done = subprocess.run(
                [program], stdin=standard_in, stdout=standard_out, stderr=subprocess.PIPE, text=True, check=True
            )
        ends.put((number, Ended(done.returncode, done.stderr)))


@implementation("processes")
def process_pills_lost(pool: Pool, tasks: Sequence[Task], program: Path, *, workers: int) -> list[Ended]:
    """Wait for as many results as there are tasks, although a worker may have ended without giving one."""
    check_tasks(tasks, program)
    todo: Tasks = Queue()
    done: Ends = Queue()
    processes = [Process(target=work, args=(todo, done, program)) for _ in range(workers)]
    for process in processes:
        process.start()
    for numbered in enumerate(tasks):
        todo.put(numbered)
    for _ in processes:
        todo.put(PILL)
    ends = dict(done.get() for _ in tasks)
    for process in processes:
        process.join()
    return [ends[number] for number in range(len(tasks))]
