"""MPI programs that deadlock in sends, receives and probes, each with a mended twin."""

from __future__ import annotations

from typing import Any

BIG = 4 << 20  # bytes: past every eager limit, such a send waits for its receive


def receive_first(comm: Any) -> None:
    """Both ranks wait for the other's buffer before they send their own."""
    other = 1 - comm.rank
    comm.Recv(bytearray(8), source=other)
    comm.Send(bytearray(8), dest=other)


def receive_first_objects(comm: Any) -> None:
    """Both ranks wait for the other's object before they send their own."""
    other = 1 - comm.rank
    comm.recv(source=other)
    comm.send({"from": comm.rank}, dest=other)


def send_big_first(comm: Any) -> None:
    """Both ranks send a buffer too big for the library to keep, and nobody receives."""
    other = 1 - comm.rank
    comm.Send(bytearray(BIG), dest=other)
    comm.Recv(bytearray(BIG), source=other)


def send_big_objects_first(comm: Any) -> None:
    """Both ranks send an object too big for the library to keep, and nobody receives."""
    other = 1 - comm.rank
    comm.send(list(range(BIG // 4)), dest=other)
    comm.recv(source=other)


def send_small_first(comm: Any) -> None:
    """Both ranks send first: right only as long as the library keeps small buffers."""
    other = 1 - comm.rank
    comm.Send(bytearray(8), dest=other)
    comm.Recv(bytearray(8), source=other)


def send_small_objects_first(comm: Any) -> None:
    """Both ranks send first: right only as long as the library keeps small objects."""
    other = 1 - comm.rank
    comm.send("hello", dest=other)
    comm.recv(source=other)


def ssend_first(comm: Any) -> None:
    """Both ranks send synchronously first, and nobody receives."""
    other = 1 - comm.rank
    comm.Ssend(bytearray(8), dest=other)
    comm.Recv(bytearray(8), source=other)


def exchange(comm: Any) -> None:
    other = 1 - comm.rank
    comm.Sendrecv(bytearray(BIG), dest=other, recvbuf=bytearray(BIG), source=other)


def exchange_objects(comm: Any) -> None:
    other = 1 - comm.rank
    request = comm.isend(list(range(BIG // 4)), dest=other)
    comm.recv(source=other)
    request.wait()


def ring_receives(comm: Any) -> None:
    """A ring in which every rank waits for its left neighbour: nobody starts."""
    token = bytearray(8)
    comm.Recv(token, source=(comm.rank - 1) % comm.size)
    comm.Send(token, dest=(comm.rank + 1) % comm.size)


def ring_sends(comm: Any) -> None:
    """A ring in which every rank sends to its right first: right only if sends are buffered."""
    token = bytearray(8)
    comm.Send(token, dest=(comm.rank + 1) % comm.size)
    comm.Recv(token, source=(comm.rank - 1) % comm.size)


def ring_sendrecv_same_way(comm: Any) -> None:
    """A ring in which every rank sends to its right and expects something from its right as well."""
    right = (comm.rank + 1) % comm.size
    comm.Sendrecv(bytearray(8), dest=right, recvbuf=bytearray(8), source=right)


def ring(comm: Any) -> None:
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    token = bytearray(8)
    if comm.rank == 0:
        comm.Send(token, dest=right)
    comm.Recv(token, source=left)
    if comm.rank != 0:
        comm.Send(token, dest=right)


def ring_sendrecv(comm: Any) -> None:
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    comm.Sendrecv(bytearray(8), dest=right, recvbuf=bytearray(8), source=left)


def send_to_self(comm: Any) -> None:
    """A rank sends to itself, and only it could receive."""
    comm.Send(bytearray(BIG), dest=comm.rank)
    comm.Recv(bytearray(BIG), source=comm.rank)


def isend_to_self(comm: Any) -> None:
    request = comm.Isend(bytearray(BIG), dest=comm.rank)
    comm.Recv(bytearray(BIG), source=comm.rank)
    request.Wait()


def send_to_all_first(comm: Any) -> None:
    """Every rank sends to all the others before it receives: right only if the sends are buffered."""
    others = [rank for rank in range(comm.size) if rank != comm.rank]
    for rank in others:
        comm.send("hello", dest=rank)
    for rank in others:
        comm.recv(source=rank)


def isend_to_all(comm: Any) -> None:
    others = [rank for rank in range(comm.size) if rank != comm.rank]
    requests = [comm.isend("hello", dest=rank) for rank in others]
    for rank in others:
        comm.recv(source=rank)
    for request in requests:
        request.wait()


def wrong_tag(comm: Any) -> None:
    """The message is sent with tag 7 and awaited with tag 8."""
    if comm.rank == 0:
        comm.send("data", dest=1, tag=7)
    else:
        comm.recv(source=0, tag=8)


def same_tag(comm: Any) -> None:
    if comm.rank == 0:
        comm.send("data", dest=1, tag=7)
    else:
        comm.recv(source=0, tag=7)


def wrong_source(comm: Any) -> None:
    """Rank 1 awaits from rank 2 what rank 0 sends."""
    if comm.rank == 0:
        comm.Send(bytearray(8), dest=1)
    elif comm.rank == 1:
        comm.Recv(bytearray(8), source=2)


def right_source(comm: Any) -> None:
    if comm.rank == 0:
        comm.Send(bytearray(8), dest=1)
    elif comm.rank == 1:
        comm.Recv(bytearray(8), source=0)


def one_result_too_many(comm: Any) -> None:
    """Rank 0 awaits a result from every rank, itself included, but only the others send one."""
    from mpi4py import MPI

    if comm.rank == 0:
        for _ in range(comm.size):
            comm.recv(source=MPI.ANY_SOURCE)
    else:
        comm.send(comm.rank**2, dest=0)


def one_result_each(comm: Any) -> None:
    from mpi4py import MPI

    if comm.rank == 0:
        for _ in range(comm.size - 1):
            comm.recv(source=MPI.ANY_SOURCE)
    else:
        comm.send(comm.rank**2, dest=0)


def ssend_to_nobody(comm: Any) -> None:
    """Rank 0 sends synchronously what rank 1 never receives."""
    if comm.rank == 0:
        comm.Ssend(bytearray(8), dest=1)


def ssend_to_receiver(comm: Any) -> None:
    if comm.rank == 0:
        comm.Ssend(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)


def irecv_unmatched(comm: Any) -> None:
    """Rank 1 waits for a receive that no send matches: rank 0 has nothing for it."""
    if comm.rank == 1:
        comm.Irecv(bytearray(8), source=0, tag=3).Wait()


def irecv_matched(comm: Any) -> None:
    if comm.rank == 1:
        comm.Irecv(bytearray(8), source=0, tag=3).Wait()
    else:
        comm.Send(bytearray(8), dest=1, tag=3)


def waitall_before_sends(comm: Any) -> None:
    """Every rank waits for all its receives before it sends anything."""
    from mpi4py import MPI

    others = [rank for rank in range(comm.size) if rank != comm.rank]
    MPI.Request.Waitall([comm.Irecv(bytearray(8), source=rank) for rank in others])
    MPI.Request.Waitall([comm.Isend(bytearray(8), dest=rank) for rank in others])


def waitall_after_sends(comm: Any) -> None:
    from mpi4py import MPI

    others = [rank for rank in range(comm.size) if rank != comm.rank]
    requests = [comm.Irecv(bytearray(8), source=rank) for rank in others]
    MPI.Request.Waitall(requests + [comm.Isend(bytearray(8), dest=rank) for rank in others])


def irecv_waits_first(comm: Any) -> None:
    """Both ranks wait for the object they receive before they send theirs."""
    other = 1 - comm.rank
    comm.irecv(source=other).wait()
    comm.send("hello", dest=other)


def irecv_waits_last(comm: Any) -> None:
    other = 1 - comm.rank
    request = comm.irecv(source=other)
    comm.send("hello", dest=other)
    request.wait()


def probe_for_nothing(comm: Any) -> None:
    """Rank 1 looks for a second message, which never comes."""
    if comm.rank == 0:
        comm.send("only one", dest=1, tag=9)
    else:
        for _ in range(2):
            comm.Probe(source=0, tag=9)
            comm.recv(source=0, tag=9)


def probe_for_a_message(comm: Any) -> None:
    if comm.rank == 0:
        comm.send("only one", dest=1, tag=9)
    else:
        comm.Probe(source=0, tag=9)
        comm.recv(source=0, tag=9)
