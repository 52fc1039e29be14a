"""A collective from a rank that does not exist: MPI_ERR_ROOT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def root_counted_from_one(comm: MPI.Intracomm) -> int:
    """Broadcast from the last rank. Wrong: ranks are counted from 0."""
    return int(comm.bcast(comm.rank, root=comm.size))


@implementation("mpi")
def root_counted_from_zero(comm: MPI.Intracomm) -> int:
    """Broadcast from the last rank."""
    return int(comm.bcast(comm.rank, root=comm.size - 1))
