"""Fork and join: what the system has, and what ``multiprocessing`` makes of it.

All that a process leaves behind by itself is its exit status, one byte.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from multiprocessing import Process

from reference.processes import square


def fork_and_wait(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Fork a child for each number with the system's own calls; its pid, and its square as its exit status."""
    children = []
    for number in numbers:
        pid = os.fork()
        if pid == 0:  # the child goes on here, with a copy of everything
            os._exit(square(number) & 0xFF)
        children.append(pid)
    return [(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) for pid in children]


def start_and_join(numbers: Sequence[int]) -> list[tuple[int | None, int | None]]:
    """The same with ``Process``, which also works where there is no fork."""
    children = [Process(target=_leave_with_square, args=(number,)) for number in numbers]
    for child in children:  # all are started before the first one is waited for, or they would run one by one
        child.start()
    for child in children:
        child.join()
    return [(child.pid, child.exitcode) for child in children]


def _leave_with_square(number: int) -> None:
    sys.exit(square(number) & 0xFF)


def run_all(processes: Sequence[Process]) -> None:
    """Start processes and wait for all.

    Raises:
        RuntimeError: one did not end well: its results are missing.
    """
    for process in processes:
        process.start()
    join_all(processes)


def join_all(processes: Sequence[Process]) -> None:
    """Wait for started processes.

    Raises:
        RuntimeError: one did not end well: its results are missing.
    """
    for process in processes:
        process.join()
    failed = [f"{process.name} ended with exit code {process.exitcode}" for process in processes if process.exitcode]
    if failed:
        raise RuntimeError("; ".join(failed))
