"""``Bcast``: the memory of an array goes straight into the memory of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_parallel_lab import implementation
from reference.broadcast import Message, message

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def buffer_bcast(comm: MPI.Intracomm, doubles: int) -> Message:
    """Broadcast into an array that every rank has made beforehand: all must know its length and type."""
    made = message(doubles)  # on all ranks, so that all of them refuse a bad length
    values = made if comm.rank == 0 else np.full_like(made, np.nan)
    comm.Bcast(values)
    return values
