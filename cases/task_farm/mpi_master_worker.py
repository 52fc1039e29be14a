"""MPI: rank 0 hands out a task at a time, and in place of a task a poison pill when there is none left."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task, check_tasks, farm, run_task

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

MASTER = 0
PILL = None


@implementation("mpi")
def mpi_master_worker(comm: Intracomm, tasks: Sequence[Task], program: Path) -> list[Ended] | None:
    """Run every task on the next rank that is free; rank 0 only hands out, unless it is alone."""
    check_tasks(tasks, program)
    if comm.size == 1:
        return farm(tasks, program)
    if comm.rank == MASTER:
        return hand_out(comm, tasks)
    work(comm, program)
    return None


def hand_out(comm: Intracomm, tasks: Sequence[Task]) -> list[Ended]:
    """Send every worker a task, and another one, or the pill, for each that it has ended."""
    from mpi4py import MPI

    waiting = iter(enumerate(tasks))
    for rank in range(comm.size):
        if rank != MASTER:
            comm.send(next(waiting, PILL), dest=rank)
    ends: dict[int, Ended] = {}
    status = MPI.Status()
    while len(ends) < len(tasks):
        number, ended = comm.recv(source=MPI.ANY_SOURCE, status=status)
        ends[number] = ended
        comm.send(next(waiting, PILL), dest=status.Get_source())
    return [ends[number] for number in range(len(tasks))]


def work(comm: Intracomm, program: Path) -> None:
    """Run tasks until the pill comes."""
    while (numbered := comm.recv(source=MASTER)) is not PILL:
        number, task = numbered
        comm.send((number, run_task(task, program)), dest=MASTER)
