"""A communicator that is used after it has been freed: MPI_ERR_COMM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def freed_too_early(comm: MPI.Intracomm) -> int:
    """Sum over the ranks that are even or odd like this one. Wrong: their communicator is gone by then."""
    alike = comm.Split(comm.rank % 2)
    alike.Free()
    return int(alike.allreduce(comm.rank))


@implementation("mpi")
def freed_at_the_end(comm: MPI.Intracomm) -> int:
    """Sum over the ranks that are even or odd like this one, then free their communicator."""
    alike = comm.Split(comm.rank % 2)
    try:
        return int(alike.allreduce(comm.rank))
    finally:
        alike.Free()
