"""Time the farms against one program after the other.

Command: ``python -m cases.task_farm.observe --tasks 16 --size 300``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cases.task_farm.compiling import compile_mmul, find_compiler
from cases.task_farm.mpi_master_worker import mpi_master_worker
from cases.task_farm.pool_imap import pool_imap
from cases.task_farm.process_pills import process_pills
from cases.task_farm.serial_loop import serial_loop
from cases.task_farm.thread_map import thread_map
from pytest_parallel_lab import Lab
from reference.task_farm import Task, write_problem

FARMS: tuple[tuple[Callable[..., Any], str, int], ...] = (
    (serial_loop, "serial", 1),
    (pool_imap, "processes", 2),
    (process_pills, "processes", 2),
    (thread_map, "threads", 2),
    (mpi_master_worker, "mpi", 2),
    (mpi_master_worker, "mpi", 3),
)


def seconds(lab: Lab, farm: Callable[..., Any], backend: str, workers: int, tasks: list[Task], program: Path) -> float:
    """The time of a farm's parallel section."""
    lease = lab.lease(backend, workers)  # warm after the first time
    try:
        outcome = lease.run(farm, tasks, program, timed=True)
        outcome.result()  # raises what went wrong
    finally:
        lease.end()
    return outcome.elapsed_s


def main() -> None:
    """Show a line for each farm."""
    parser = argparse.ArgumentParser(description="Time the farms of cases/task_farm.")
    parser.add_argument("--tasks", type=int, default=16, help="how many programs run")
    parser.add_argument("--size", type=int, default=300, help="rows and columns of their matrices")
    parser.add_argument("--rounds", type=int, default=10, help="how often each farm runs; the shortest time is shown")
    chosen = parser.parse_args()
    compiler = find_compiler()
    if compiler is None:
        sys.exit("no C compiler on the PATH")
    with tempfile.TemporaryDirectory() as name, Lab() as lab:
        folder = Path(name)
        program = compile_mmul(compiler, folder)
        random = np.random.default_rng(1)
        tasks = [(folder / f"{number}.in", folder / f"{number}.out") for number in range(chosen.tasks)]
        for source, _ in tasks:
            write_problem(source, *random.standard_normal((2, chosen.size, chosen.size)))
        farms = [farm for farm in FARMS if lab.missing(farm[1]) is None]
        # In turns, so that what else the machine does meets them all.
        rounds = [[seconds(lab, *farm, tasks, program) for farm in farms] for _ in range(chosen.rounds)]
        for (farm, backend, workers), taken_s in zip(farms, zip(*rounds)):
            print(f"{farm.__name__:<20} {backend:<10} {workers} workers {min(taken_s) * 1e3:8.0f} ms")


if __name__ == "__main__":
    main()
