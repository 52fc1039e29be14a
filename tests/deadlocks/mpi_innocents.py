"""MPI programs that only look stuck."""

from __future__ import annotations

import subprocess
import threading
import time
from typing import Any

from tests.deadlocks.mpi_point_to_point import BIG

LATE_S = 0.9  # about twice as long as the proof of a deadlock takes


def sleeper_before_barrier(comm: Any) -> None:
    """The others wait in the barrier while rank 0 sleeps."""
    if comm.rank == 0:
        time.sleep(LATE_S)
    comm.Barrier()


def sleeper_before_send(comm: Any) -> None:
    """Rank 1 waits for a message while rank 0 sleeps."""
    if comm.rank == 0:
        time.sleep(LATE_S)
        comm.Send(bytearray(8), dest=1)
    else:
        comm.Recv(bytearray(8), source=0)


def computing_python(comm: Any) -> None:
    """Rank 0 counts in Python while the others wait for the number."""
    count, end = 0, time.monotonic() + LATE_S
    while comm.rank == 0 and time.monotonic() < end:
        count += 1
    comm.bcast(count, root=0)


def computing_numpy(comm: Any) -> None:
    """Rank 1 multiplies matrices while rank 0 waits for the product."""
    import numpy as np

    if comm.rank == 0:
        comm.recv(source=1)
        return
    product, end = np.eye(300), time.monotonic() + LATE_S
    while time.monotonic() < end:
        product = product @ np.eye(300)
    comm.send(product, dest=0)


def polling_iprobe(comm: Any) -> None:
    """Rank 1 looks again and again for a message that comes late."""
    if comm.rank == 0:
        time.sleep(LATE_S)
        comm.send("late", dest=1)
        return
    while not comm.Iprobe(source=0):
        time.sleep(0.001)
    comm.recv(source=0)


def polling_test(comm: Any) -> None:
    """Rank 1 tests a receive again and again until the late message is there."""
    if comm.rank == 0:
        time.sleep(LATE_S)
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
        subprocess.run(["sleep", str(LATE_S)], check=True)
        comm.send("done", dest=1)
    else:
        comm.recv(source=0)


def irecv_posted_early(comm: Any) -> None:
    """The receive is posted long before its send, and waited for meanwhile."""
    if comm.rank == 0:
        time.sleep(LATE_S)
        comm.Send(bytearray(BIG), dest=1)
    else:
        comm.Irecv(bytearray(BIG), source=0).Wait()


def ssend_late(comm: Any) -> None:
    """Rank 0 sends synchronously at once, and rank 1 receives late."""
    if comm.rank == 0:
        comm.Ssend(bytearray(8), dest=1)
    else:
        time.sleep(LATE_S)
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
        time.sleep(LATE_S)
        comm.send("late", dest=1)
    elif comm.rank == 1:
        comm.recv(source=MPI.ANY_SOURCE)


def slow_half(comm: Any) -> None:
    """Each half of the ranks has its own barriers; the fast half waits for the slow one at the end."""
    half = comm.Split(comm.rank // 2)
    for _ in range(10):
        if comm.rank == 0:
            time.sleep(LATE_S / 10)
        half.Barrier()
    half.Free()
    comm.Barrier()


def sends_from_a_thread(comm: Any) -> Any:
    """A rank waits for an answer to what another thread of it sends only later."""
    if comm.rank != 0:
        comm.send(comm.recv(source=0, tag=5), dest=0, tag=6)
        return None

    def later() -> None:
        time.sleep(LATE_S)
        comm.send("question", dest=1, tag=5)

    thread = threading.Thread(target=later)
    thread.start()
    answer = comm.recv(source=1, tag=6)
    thread.join()
    return answer
