"""Broadcasts of arrays of doubles from rank 0, timed: bcast.c in Python.

    mpiexec -n 2 python -m cases.broadcast.program HOW ROUNDS DOUBLES [DOUBLES ...]

HOW is Bcast, bcast or pickle5. Rank 0 prints a line for every length: the length, then the seconds of
each round, from the moment all ranks were ready to the last one's end.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from reference.broadcast import message

WAYS = ("Bcast", "bcast", "pickle5")


def main() -> None:
    from mpi4py import MPI
    from mpi4py.util import pkl5

    how, rounds, *lengths = sys.argv[1:]
    if how not in WAYS or int(rounds) < 1 or not lengths:
        sys.exit(__doc__)
    comm = pkl5.Intracomm(MPI.COMM_WORLD) if how == "pickle5" else MPI.COMM_WORLD
    root = comm.rank == 0
    for doubles in map(int, lengths):
        sent = message(doubles)
        received: Any = sent if root else np.full(doubles, -1.0)
        times_s = []
        for _ in range(int(rounds)):
            if how != "Bcast":
                received = None  # freed here, not while the clock runs
            comm.Barrier()
            start_s = MPI.Wtime()
            if how == "Bcast":
                comm.Bcast(received)
            else:
                received = comm.bcast(sent if root else None)
            times_s.append(comm.reduce(MPI.Wtime() - start_s, op=MPI.MAX))
        if root:
            print(doubles, *(f"{time_s:.9f}" for time_s in times_s), flush=True)
        if wrong := int(np.count_nonzero(received != message(doubles))):
            sys.exit(f"rank {comm.rank} has {wrong} wrong doubles of {doubles}")


if __name__ == "__main__":
    main()
