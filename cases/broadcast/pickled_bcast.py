"""``bcast``: any Python object, as a string of bytes that is written, sent and read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.broadcast import Message, message

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def pickled_bcast(comm: MPI.Intracomm, doubles: int) -> Message:
    """Broadcast by pickle: a copy into the pickle, the message itself, and a copy out of it."""
    made = message(doubles)
    values: Message = comm.bcast(made if comm.rank == 0 else None)
    return values
