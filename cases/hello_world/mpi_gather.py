"""Hello world as a function: every rank greets, and rank 0 gathers the lines in the order of the ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.hello_world import greeting

if TYPE_CHECKING:
    from mpi4py import MPI


def greet(comm: MPI.Intracomm) -> str:
    """Write this rank's line."""
    from mpi4py import MPI

    return greeting(comm.rank, comm.size, MPI.Get_processor_name())


@implementation("mpi")
def mpi_gather(comm: MPI.Intracomm) -> list[str] | None:
    """Gather the lines: one process has them all, so their order is certain."""
    return comm.gather(greet(comm), root=0)
