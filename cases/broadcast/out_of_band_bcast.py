"""``bcast`` by pickle protocol 5: the pickle says what it is, the buffers travel beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.broadcast import Message, message

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def out_of_band_bcast(comm: MPI.Intracomm, doubles: int) -> Message:
    """Broadcast any object, its large buffers without a copy: four messages, but the array is sent as it is."""
    from mpi4py.util import pkl5

    made = message(doubles)
    values: Message = pkl5.Intracomm(comm).bcast(made if comm.rank == 0 else None)
    return values
