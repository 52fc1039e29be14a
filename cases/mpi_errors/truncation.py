"""A message longer than the buffer it is received into: MPI_ERR_TRUNCATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


def _send_from_first_to_last(comm: MPI.Intracomm, count: int) -> None:
    if comm.size < 2:
        raise ValueError("one rank has nobody to send to: run it on 2 or more")
    if comm.rank == 0:
        comm.Send(np.arange(count, dtype=float), dest=comm.size - 1)


@implementation("mpi")
def guessed_length(comm: MPI.Intracomm, count: int) -> float | None:
    """Receive into room for one number less. Wrong: the receiver has to have room for all."""
    _send_from_first_to_last(comm, count)
    if comm.rank < comm.size - 1:
        return None
    numbers = np.empty(count - 1)
    comm.Recv(numbers, source=0)
    return float(numbers.sum())


@implementation("mpi")
def probed_length(comm: MPI.Intracomm, count: int) -> float | None:
    """Ask how long the message is before making room for it."""
    from mpi4py import MPI

    _send_from_first_to_last(comm, count)
    if comm.rank < comm.size - 1:
        return None
    status = MPI.Status()
    comm.Probe(source=0, status=status)
    numbers = np.empty(status.Get_count(MPI.DOUBLE))
    comm.Recv(numbers, source=0)
    return float(numbers.sum())
