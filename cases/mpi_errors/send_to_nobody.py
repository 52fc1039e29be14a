"""A program with an error in it: ``mpiexec -n 2 python send_to_nobody.py ERRORS_RETURN``, or ``ERRORS_ARE_FATAL``."""

from __future__ import annotations

import sys


def main() -> None:
    """Send to a rank that does not exist, under the error handler that the command line names."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    world.Set_errhandler({"ERRORS_RETURN": MPI.ERRORS_RETURN, "ERRORS_ARE_FATAL": MPI.ERRORS_ARE_FATAL}[sys.argv[1]])
    if world.rank == 0:
        print("before", flush=True)
        try:
            world.send("lost", dest=world.size)
        except MPI.Exception as error:
            print("caught", error.Get_error_class() == MPI.ERR_RANK)
    world.Barrier()
    print("after")


if __name__ == "__main__":
    main()
