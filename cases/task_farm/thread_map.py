"""Threads that wait for programs: the work is done in the program's own process, not under the interpreter lock."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task, check_tasks, run_task


@implementation("threads")
def thread_map(pool: ThreadPoolExecutor, tasks: Sequence[Task], program: Path) -> list[Ended]:
    """Run every task on the next thread that is free."""
    check_tasks(tasks, program)
    return list(pool.map(partial(run_task, program=program), tasks))
