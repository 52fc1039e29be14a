"""MPI programs that deadlock, each with a mended twin, and innocent ones that only look stuck."""

from __future__ import annotations

import subprocess
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BIG = 4 << 20  # bytes: past every eager limit, such a send waits for its receive


@dataclass(frozen=True)
class MpiProgram:
    function: Callable[[Any], Any]  # takes a communicator, called on every rank
    ranks: int
    says: tuple[str, ...]  # what a good report contains
    fixed: Callable[[Any], Any]
    needs: str = ""  # "": it always hangs; or "synchronous_sends", or "synchronised_collectives"


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


def sleeper_before_barrier(comm: Any) -> None:
    """The others wait in the barrier while rank 0 sleeps."""
    if comm.rank == 0:
        time.sleep(1.5)
    comm.Barrier()


def sleeper_before_send(comm: Any) -> None:
    """Rank 1 waits for a message while rank 0 sleeps."""
    if comm.rank == 0:
        time.sleep(1.5)
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)


def computing_python(comm: Any) -> None:
    """Rank 0 counts in Python while the others wait for the number."""
    count, end = 0, time.monotonic() + 1.5
    while comm.rank == 0 and time.monotonic() < end:
        count += 1
    comm.bcast(count, root=0)


def computing_numpy(comm: Any) -> None:
    """Rank 1 multiplies matrices while rank 0 waits for the product."""
    import numpy as np

    if comm.rank == 0:
        comm.recv(source=1)
        return
    product, end = np.eye(300), time.monotonic() + 1.5
    while time.monotonic() < end:
        product = product @ np.eye(300)
    comm.send(product, dest=0)


def polling_iprobe(comm: Any) -> None:
    """Rank 1 looks again and again for a message that comes late."""
    if comm.rank == 0:
        time.sleep(1.5)
        comm.send("late", dest=1)
        return
    while not comm.Iprobe(source=0):
        time.sleep(0.001)
    comm.recv(source=0)


def polling_test(comm: Any) -> None:
    """Rank 1 tests a receive again and again until the late message is there."""
    if comm.rank == 0:
        time.sleep(1.5)
        comm.Ssend(bytearray(8), dest=1)
        return
    request = comm.Irecv(bytearray(8), source=0)
    while not request.Test():
        pass


def ping_pong(comm: Any) -> None:
    """A great many short waits, none of them for ever."""
    other, mine, theirs = 1 - comm.rank, bytearray(8), bytearray(8)
    for _ in range(20_000):
        comm.Sendrecv(mine, dest=other, recvbuf=theirs, source=other)


def send_after_subprocess(comm: Any) -> None:
    """Rank 0 waits for a child process, and rank 1 for rank 0."""
    if comm.rank == 0:
        subprocess.run(["sleep", "1.5"], check=True)
        comm.send("done", dest=1)
    else:
        comm.recv(source=0)


def irecv_posted_early(comm: Any) -> None:
    """The receive is posted long before its send, and waited for meanwhile."""
    if comm.rank == 0:
        time.sleep(1.5)
        comm.Send(bytearray(BIG), dest=1)
    else:
        comm.Irecv(bytearray(BIG), source=0).Wait()


def ssend_late(comm: Any) -> None:
    """Rank 0 sends synchronously at once, and rank 1 receives late."""
    if comm.rank == 0:
        comm.Ssend(bytearray(8), dest=1)
    else:
        time.sleep(1.5)
        comm.Recv(bytearray(8), source=0)


def bsend_first(comm: Any) -> None:
    """Both ranks send first, rightly: the sends are buffered by request."""
    from mpi4py import MPI

    MPI.Attach_buffer(bytearray(64 + MPI.BSEND_OVERHEAD))
    comm.Bsend(bytearray(8), dest=1 - comm.rank)
    comm.Recv(bytearray(8), source=1 - comm.rank)
    MPI.Detach_buffer()


def ibarriers_waited_crosswise(comm: Any) -> None:
    """Two nonblocking barriers under way, waited for in opposite orders: nothing depends on that order."""
    first, second = comm.Dup(), comm.Dup()
    requests = [first.Ibarrier(), second.Ibarrier()]
    for request in requests if comm.rank == 0 else requests[::-1]:
        request.Wait()
    first.Free()
    second.Free()


def tags_out_of_order(comm: Any) -> None:
    """Rank 1 receives in the opposite order of the sends, which are all under way."""
    from mpi4py import MPI

    if comm.rank == 0:
        MPI.Request.Waitall([comm.Isend(bytearray(BIG), dest=1, tag=tag) for tag in range(3)])
    else:
        for tag in (2, 1, 0):
            comm.Recv(bytearray(BIG), source=0, tag=tag)


def one_returns_at_once(comm: Any) -> None:
    """Rank 2 has nothing to do and is gone, while rank 1 waits for any message and gets a late one."""
    from mpi4py import MPI

    if comm.rank == 0:
        time.sleep(1.5)
        comm.send("late", dest=1)
    elif comm.rank == 1:
        comm.recv(source=MPI.ANY_SOURCE)


def slow_half(comm: Any) -> None:
    """Each half of the ranks has its own barriers; the fast half waits for the slow one at the end."""
    half = comm.Split(comm.rank // 2)
    for _ in range(10):
        if comm.rank == 0:
            time.sleep(0.15)
        half.Barrier()
    half.Free()
    comm.Barrier()


SENDS, COLLECTIVES = "synchronous_sends", "synchronised_collectives"
BUGGY = [
    MpiProgram(receive_first, 2, ("Recv", "rank 0", "rank 1"), exchange),
    MpiProgram(receive_first_objects, 2, ("recv", "rank 0", "rank 1"), exchange_objects),
    MpiProgram(send_big_first, 2, ("Send", "rank 0", "rank 1"), exchange),
    MpiProgram(send_big_objects_first, 2, ("send", "rank 0", "rank 1"), exchange_objects),
    MpiProgram(send_to_self, 1, ("Send", "rank 0"), isend_to_self),
    MpiProgram(ssend_first, 2, ("Ssend", "rank 0", "rank 1"), exchange),
    MpiProgram(ring_receives, 3, ("Recv", "rank 0", "rank 1", "rank 2"), ring),
    MpiProgram(ring_sendrecv_same_way, 3, ("Sendrecv", "rank 0", "rank 1", "rank 2"), ring_sendrecv),
    MpiProgram(wrong_tag, 2, ("recv", "rank 1", "tag 8"), same_tag),
    MpiProgram(wrong_source, 3, ("Recv", "rank 1", "rank 2"), right_source),
    MpiProgram(one_result_too_many, 3, ("recv", "rank 0"), one_result_each),
    MpiProgram(ssend_to_nobody, 2, ("Ssend", "rank 0", "rank 1"), ssend_to_receiver),
    MpiProgram(irecv_unmatched, 2, ("Irecv", "rank 1", "tag 3"), irecv_matched),
    MpiProgram(waitall_before_sends, 3, ("Waitall", "rank 0", "rank 1", "rank 2"), waitall_after_sends),
    MpiProgram(irecv_waits_first, 2, ("irecv", "rank 0", "rank 1"), irecv_waits_last),
    MpiProgram(probe_for_nothing, 2, ("Probe", "rank 1", "tag 9"), probe_for_a_message),
    MpiProgram(barrier_on_one_rank, 2, ("Barrier", "Bcast", "rank 0", "rank 1"), barrier_on_every_rank),
    MpiProgram(reduce_against_allreduce, 2, ("Reduce", "Allreduce", "rank 0", "rank 1"), allreduce_everywhere),
    MpiProgram(root_is_the_other, 2, ("bcast", "rank 0", "rank 1"), root_is_rank_0),
    MpiProgram(swapped_on_duplicates, 2, ("Barrier", "rank 0", "rank 1"), in_order_on_duplicates),
    MpiProgram(rows_against_columns, 4, ("allreduce", "rank 0", "rank 1", "rank 2", "rank 3"), rows_then_columns),
    MpiProgram(workers_receive_first, 3, ("recv", "rank 1", "rank 2"), workers_exchange),
    MpiProgram(returns_early, 3, ("allreduce", "rank 0", "rank 1", "rank 2"), returns_late),
    MpiProgram(gather_skipped, 3, ("Gather", "rank 0", "rank 2"), gather),
    MpiProgram(scatter_skipped, 3, ("Scatter", "rank 0", "rank 1", "rank 2"), scatter),
    MpiProgram(ibarrier_one_short, 3, ("Ibarrier", "rank 0", "rank 1", "rank 2"), ibarrier),
    MpiProgram(barrier_before_send, 2, ("Barrier", "Recv", "rank 0", "rank 1"), send_before_barrier),
    MpiProgram(barrier_of_the_world, 2, ("Barrier", "recv", "rank 0", "rank 1"), barrier_of_the_communicator),
    MpiProgram(send_small_first, 2, ("Send", "rank 0", "rank 1"), exchange, SENDS),
    MpiProgram(send_small_objects_first, 2, ("send", "rank 0", "rank 1"), exchange_objects, SENDS),
    MpiProgram(ring_sends, 3, ("Send", "rank 0", "rank 1", "rank 2"), ring, SENDS),
    MpiProgram(send_to_all_first, 3, ("send", "rank 0", "rank 1", "rank 2"), isend_to_all, SENDS),
    MpiProgram(bcast_then_send, 2, ("Bcast", "Recv", "rank 0", "rank 1"), send_then_bcast, COLLECTIVES),
    MpiProgram(reduce_then_send, 2, ("Reduce", "Recv", "rank 0", "rank 1"), send_then_reduce, COLLECTIVES),
    MpiProgram(scatter_then_send, 3, ("scatter", "recv", "rank 0", "rank 1"), send_then_scatter, COLLECTIVES),
    MpiProgram(gather_then_send, 3, ("gather", "recv", "rank 0", "rank 1"), send_then_gather, COLLECTIVES),
]
INNOCENT: list[tuple[Callable[[Any], Any], int]] = [
    (sleeper_before_barrier, 3),
    (sleeper_before_send, 2),
    (computing_python, 2),
    (computing_numpy, 2),
    (polling_iprobe, 2),
    (polling_test, 2),
    (ping_pong, 2),
    (send_after_subprocess, 2),
    (irecv_posted_early, 2),
    (ssend_late, 2),
    (bsend_first, 2),
    (ibarriers_waited_crosswise, 2),
    (tags_out_of_order, 2),
    (one_returns_at_once, 3),
    (slow_half, 4),
]
