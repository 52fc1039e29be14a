"""MPI programs that deadlock in collectives, each with a mended twin."""

from __future__ import annotations

from array import array
from typing import Any


def barrier_on_one_rank(comm: Any) -> None:
    """Only rank 0 enters the barrier; rank 1 is already in the broadcast."""
    if comm.rank == 0:
        comm.Barrier()
    comm.Bcast(bytearray(8), root=0)


def barrier_on_every_rank(comm: Any) -> None:
    comm.Barrier()
    comm.Bcast(bytearray(8), root=0)


def reduce_against_allreduce(comm: Any) -> None:
    """Rank 0 calls Reduce where rank 1 calls Allreduce."""
    total = array("d", [0.0])
    if comm.rank == 0:
        comm.Reduce(array("d", [1.0]), total, root=0)
    else:
        comm.Allreduce(array("d", [1.0]), total)


def allreduce_everywhere(comm: Any) -> None:
    comm.Allreduce(array("d", [1.0]), array("d", [0.0]))


def root_is_the_other(comm: Any) -> None:
    """Each rank takes the other one for the root: nobody has the data."""
    comm.bcast("data", root=1 - comm.rank)


def root_is_rank_0(comm: Any) -> None:
    comm.bcast("data", root=0)


def swapped_on_duplicates(comm: Any) -> None:
    """Two duplicates of a communicator, whose barriers the ranks enter in opposite orders."""
    first, second = comm.Dup(), comm.Dup()
    for each in (first, second) if comm.rank == 0 else (second, first):
        each.Barrier()
    first.Free()
    second.Free()


def in_order_on_duplicates(comm: Any) -> None:
    first, second = comm.Dup(), comm.Dup()
    for each in (first, second):
        each.Barrier()
        each.Free()


def rows_against_columns(comm: Any) -> None:
    """On a 2 x 2 grid, some ranks sum along the rows first and others along the columns."""
    row, column = comm.Split(comm.rank // 2), comm.Split(comm.rank % 2)
    for line in (row, column) if comm.rank in (0, 3) else (column, row):
        line.allreduce(comm.rank)
    row.Free()
    column.Free()


def rows_then_columns(comm: Any) -> None:
    for line in (comm.Split(comm.rank // 2), comm.Split(comm.rank % 2)):
        line.allreduce(comm.rank)
        line.Free()


def workers_receive_first(comm: Any) -> None:
    """Ranks 1 and 2 have a communicator of their own, and each receives first there."""
    workers = comm.Split(min(comm.rank, 1))
    if comm.rank > 0:
        workers.recv(source=1 - workers.rank)
        workers.send("hello", dest=1 - workers.rank)
    workers.Free()


def workers_exchange(comm: Any) -> None:
    workers = comm.Split(min(comm.rank, 1))
    if comm.rank > 0:
        workers.sendrecv("hello", dest=1 - workers.rank, source=1 - workers.rank)
    workers.Free()


def returns_early(comm: Any) -> None:
    """The last rank has no work and returns, without the sum that the others take part in."""
    work = range(comm.rank, comm.size - 1)
    if not work:
        return
    comm.allreduce(sum(work))


def returns_late(comm: Any) -> None:
    comm.allreduce(sum(range(comm.rank, comm.size - 1)))


def gather_skipped(comm: Any) -> None:
    """Rank 2 leaves out the Gather that rank 0 collects with."""
    if comm.rank < 2:
        comm.Gather(array("i", [comm.rank]), array("i", [0] * comm.size) if comm.rank == 0 else None, root=0)


def gather(comm: Any) -> None:
    comm.Gather(array("i", [comm.rank]), array("i", [0] * comm.size) if comm.rank == 0 else None, root=0)


def scatter_skipped(comm: Any) -> None:
    """The root believes it needs no Scatter, as it has the data already."""
    if comm.rank != 0:
        comm.Scatter(None, array("i", [0]), root=0)


def scatter(comm: Any) -> None:
    comm.Scatter(array("i", range(comm.size)) if comm.rank == 0 else None, array("i", [0]), root=0)


def ibarrier_one_short(comm: Any) -> None:
    """All ranks but the last enter a nonblocking barrier, and wait for it."""
    if comm.rank < comm.size - 1:
        comm.Ibarrier().Wait()


def ibarrier(comm: Any) -> None:
    comm.Ibarrier().Wait()


def barrier_before_send(comm: Any) -> None:
    """Rank 0 is in a barrier before its send, rank 1 awaits that message before its barrier."""
    if comm.rank == 0:
        comm.Barrier()
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)
        comm.Barrier()


def send_before_barrier(comm: Any) -> None:
    if comm.rank == 0:
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)
    comm.Barrier()


def barrier_of_the_world(comm: Any) -> None:
    """Rank 0 enters the barrier of COMM_WORLD instead of the one of its communicator."""
    from mpi4py import MPI

    if comm.rank == 0:
        MPI.COMM_WORLD.Barrier()
        comm.send("go", dest=1)
    else:
        comm.recv(source=0)


def barrier_of_the_communicator(comm: Any) -> None:
    comm.Barrier()
    if comm.rank == 0:
        comm.send("go", dest=1)
    else:
        comm.recv(source=0)


def bcast_then_send(comm: Any) -> None:
    """Rank 0 broadcasts, then sends; rank 1 receives, then joins: right only if the root may leave early."""
    if comm.rank == 0:
        comm.Bcast(bytearray(8), root=0)
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)
        comm.Bcast(bytearray(8), root=0)


def send_then_bcast(comm: Any) -> None:
    if comm.rank == 0:
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)
    comm.Bcast(bytearray(8), root=0)


def reduce_then_send(comm: Any) -> None:
    """Rank 1 adds its part, then sends; rank 0 receives, then sums: right only if rank 1 may leave early."""
    if comm.rank == 1:
        comm.Reduce(array("d", [1.0]), None, root=0)
        comm.Send(bytearray(8), dest=0)
    else:
        comm.Recv(bytearray(8), source=1)
        comm.Reduce(array("d", [1.0]), array("d", [0.0]), root=0)


def send_then_reduce(comm: Any) -> None:
    if comm.rank == 1:
        comm.Send(bytearray(8), dest=0)
    else:
        comm.Recv(bytearray(8), source=1)
    comm.Reduce(array("d", [1.0]), array("d", [0.0]) if comm.rank == 0 else None, root=0)


def scatter_then_send(comm: Any) -> None:
    """The root scatters, then sends; the others receive, then join: right only if the root may leave early."""
    if comm.rank == 0:
        comm.scatter(list(range(comm.size)), root=0)
        for rank in range(1, comm.size):
            comm.send("how", dest=rank)
    else:
        comm.recv(source=0)
        comm.scatter(None, root=0)


def send_then_scatter(comm: Any) -> None:
    if comm.rank == 0:
        for rank in range(1, comm.size):
            comm.send("how", dest=rank)
    else:
        comm.recv(source=0)
    comm.scatter(list(range(comm.size)) if comm.rank == 0 else None, root=0)


def gather_then_send(comm: Any) -> None:
    """Ranks give their part, then send; the root receives, then gathers: right only if they may leave early."""
    if comm.rank == 0:
        for rank in range(1, comm.size):
            comm.recv(source=rank)
        comm.gather("part", root=0)
    else:
        comm.gather("part", root=0)
        comm.send("how", dest=0)


def send_then_gather(comm: Any) -> None:
    if comm.rank == 0:
        for rank in range(1, comm.size):
            comm.recv(source=rank)
    else:
        comm.send("how", dest=0)
    comm.gather("part", root=0)
