"""A neighbour that does not exist: MPI_ERR_RANK."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def line_off_its_end(comm: MPI.Intracomm) -> int | None:
    """Send the own rank to the right. Wrong: the last rank has nobody there."""
    left = comm.recv(source=comm.rank - 1) if comm.rank else None
    comm.send(comm.rank, dest=comm.rank + 1)
    return left


@implementation("mpi")
def ring(comm: MPI.Intracomm) -> int:
    """Send the own rank to the right, from the last one to the first."""
    return int(comm.sendrecv(comm.rank, dest=(comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size))
