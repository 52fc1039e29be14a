"""Hello world as a program: ``mpiexec -n 4 python cases/hello_world/hello.py``."""

from __future__ import annotations


def main() -> None:
    """Print one line on every rank."""
    from mpi4py import MPI  # importing it initialises MPI, and the end of Python finalises it

    world = MPI.COMM_WORLD
    # One string, so that it is one write: see shared_terminal.py for what becomes of two.
    print(f"Hello from rank {world.rank} of {world.size} on {MPI.Get_processor_name()}")


if __name__ == "__main__":
    main()
