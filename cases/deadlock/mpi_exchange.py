"""Two ranks exchange ``count`` doubles: who sends first?

The standard lets ``Send`` return before the message is received, if the library keeps a copy, or wait until it is.
Libraries keep small messages (the *eager* protocol) and let large ones wait (*rendezvous*).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pytest_parallel_lab import implementation
from reference.deadlock import check_count

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm

Doubles = npt.NDArray[np.float64]


def prepare(comm: Intracomm, count: int) -> tuple[int, Doubles, Doubles]:
    """Say who the other rank is, fill what is sent with our own number, and make room for what is received.

    Raises:
        ValueError: there are not two ranks, or ``count`` is negative.
    """
    if comm.size != 2:
        raise ValueError(f"{comm.size} ranks: an exchange takes 2, run it with workers=2")
    check_count(count)
    return 1 - comm.rank, np.full(count, float(comm.rank)), np.empty(count)


@implementation("mpi")
def receive_first(comm: Intracomm, count: int) -> Doubles:
    """Receive, then send, on both ranks. BUGGY: nobody ever sends."""
    other, own, received = prepare(comm, count)
    comm.Recv(received, source=other)
    comm.Send(own, dest=other)
    return received


@implementation("mpi")
def send_first(comm: Intracomm, count: int) -> Doubles:
    """Send, then receive, on both ranks. BUGGY: goes well only as long as the library keeps the messages."""
    other, own, received = prepare(comm, count)
    comm.Send(own, dest=other)
    comm.Recv(received, source=other)
    return received


@implementation("mpi")
def sendrecv(comm: Intracomm, count: int) -> Doubles:
    """Send and receive in one call, whose halves may end in any order. Repaired."""
    other, own, received = prepare(comm, count)
    comm.Sendrecv(own, dest=other, recvbuf=received, source=other)
    return received


@implementation("mpi")
def isend_recv(comm: Intracomm, count: int) -> Doubles:
    """Begin to send, receive, then wait until our message is gone. Repaired."""
    other, own, received = prepare(comm, count)
    request = comm.Isend(own, dest=other)
    comm.Recv(received, source=other)
    request.Wait()  # before it returns, own must not be changed
    return received


@implementation("mpi")
def even_ranks_send_first(comm: Intracomm, count: int) -> Doubles:
    """Even ranks send and then receive, odd ranks receive and then send. Repaired."""
    other, own, received = prepare(comm, count)
    if comm.rank % 2 == 0:
        comm.Send(own, dest=other)
        comm.Recv(received, source=other)
    else:
        comm.Recv(received, source=other)
        comm.Send(own, dest=other)
    return received
