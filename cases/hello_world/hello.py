"""Hello world as a program: ``mpiexec -n 4 python cases/hello_world/hello.py``."""

from __future__ import annotations

import sys


def main() -> None:
    """Print one line on every rank."""
    from mpi4py import MPI  # importing it initialises MPI, and the end of Python finalises it

    world = MPI.COMM_WORLD
    # One write, newline and all, also where Python does not buffer: shared_terminal.py has what becomes of two.
    sys.stdout.write(f"Hello from rank {world.rank} of {world.size} on {MPI.Get_processor_name()}\n")


if __name__ == "__main__":
    main()
