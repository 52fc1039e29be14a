"""MPI, dynamic decomposition: a master that hands out tasks with Isend, and takes results with Irecv.

Two things make it fast. The master computes as well, and looks for results between two tasks of its own: on two ranks
a master that only waits would leave half of the machine idle. And every worker has tasks waiting while it computes
another, and sends from two buffers in turn, so that it need not wait for a master who is busy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pytest_parallel_lab import implementation
from reference.mandelbrot import CHUNK, Counts, Reals, Region, axes, check, count_rows

if TYPE_CHECKING:
    from mpi4py import MPI

MASTER = 0
STOP = -1  # in place of a first row
# Tasks that a worker has: one to compute, one to go on with, and one because a large message takes two looks of the
# master, one to agree to it and one to have it. More would leave less to share out at the end.
AHEAD = 3


@implementation("mpi")
def mpi_master_worker(
    comm: MPI.Intracomm, region: Region, shape: tuple[int, int], limit: int, *, chunk: int = CHUNK
) -> Counts | None:
    """Count tasks of ``chunk`` rows, each by the rank that is the first to be free."""
    check(region, shape, limit, chunk)
    real, imag = axes(region, shape)
    if comm.rank != MASTER:
        _work(comm, real, imag, limit, chunk)
        return None
    counts = np.empty(shape, np.int32)
    tasks = iter(range(0, len(imag), chunk))
    master = _Master(comm, counts, tasks, chunk)
    for first in tasks:
        counts[first : first + chunk] = count_rows(real, imag[first : first + chunk], limit)
        master.look()
    master.wait()
    return counts


class _Master:
    """Keeps every worker supplied, and puts their results in place."""

    def __init__(self, comm: MPI.Intracomm, counts: Counts, tasks: Iterator[int], chunk: int) -> None:
        from mpi4py import MPI

        self._request = MPI.Request
        self._comm = comm
        self._counts = counts
        self._tasks = tasks
        self._chunk = chunk
        self._sends: list[MPI.Request] = []  # a request keeps its buffer
        self._out = [0] * comm.size  # tasks that each worker has
        self._stopped = [False] * comm.size
        self._messages = np.empty((comm.size, 1 + chunk * counts.shape[1]), np.int32)
        self._receives = [MPI.REQUEST_NULL] * comm.size
        for _ in range(AHEAD):
            for worker in range(1, comm.size):
                self._hand_out(worker)
        for worker in range(1, comm.size):
            self._expect(worker)

    def _hand_out(self, worker: int) -> None:
        if self._stopped[worker]:
            return
        first = next(self._tasks, STOP)
        self._stopped[worker] = first == STOP
        self._out[worker] += first != STOP
        self._sends.append(self._comm.Isend(np.array([first]), worker))

    def _expect(self, worker: int) -> None:
        if self._out[worker]:
            self._receives[worker] = self._comm.Irecv(self._messages[worker], worker)

    def _take(self, workers: list[int] | None) -> None:
        for worker in workers or []:
            first, rows = self._messages[worker, 0], self._messages[worker, 1:]
            place = self._counts[first : first + self._chunk]
            place[:] = rows[: place.size].reshape(place.shape)
            self._out[worker] -= 1
            self._hand_out(worker)
            self._expect(worker)

    def look(self) -> None:
        """Take the results that are there."""
        self._take(self._request.Testsome(self._receives))

    def wait(self) -> None:
        """Take all results that are still to come."""
        while any(self._out):
            self._take(self._request.Waitsome(self._receives))
        self._request.Waitall(self._sends)


def _work(comm: MPI.Intracomm, real: Reals, imag: Reals, limit: int, chunk: int) -> None:
    """Compute until told to stop; the next task arrives, and the last result leaves, meanwhile."""
    from mpi4py import MPI

    task: npt.NDArray[np.int_] = np.empty(1, int)
    messages = np.empty((2, 1 + chunk * len(real)), np.int32)
    sends: list[MPI.Request] = [MPI.REQUEST_NULL, MPI.REQUEST_NULL]
    turn = 0
    receiving = comm.Irecv(task, MASTER)
    while True:
        receiving.Wait()
        first = int(task[0])
        if first == STOP:
            break
        receiving = comm.Irecv(task, MASTER)
        part = count_rows(real, imag[first : first + chunk], limit)
        sends[turn].Wait()  # until its message may be written again
        message = messages[turn, : 1 + part.size]
        message[0], message[1:] = first, part.ravel()
        sends[turn] = comm.Isend(message, MASTER)
        turn = 1 - turn
    MPI.Request.Waitall(sends)
