"""MPI with pickled objects: lists of chunks scattered, lists of squares gathered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.processes import chunks, square

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_scatter(comm: MPI.Intracomm, numbers: Sequence[int], chunksize: int) -> list[int] | None:
    """Square every number; chunks are dealt to the ranks in turn."""
    tasks = chunks(numbers, chunksize)
    dealt = [tasks[rank :: comm.size] for rank in range(comm.size)] if comm.rank == 0 else None
    mine = comm.scatter(dealt)
    gathered = comm.gather([[square(number) for number in chunk] for chunk in mine])
    if gathered is None:
        return None
    done: list[list[int]] = [[] for _ in tasks]
    for rank, part in enumerate(gathered):
        done[rank :: comm.size] = part
    return [number for chunk in done for number in chunk]
