"""Ranks that write to one file at its end, as they write to the terminal that they share: garbled, and repaired.

``print("Hello from rank", rank)`` is one write as long as Python buffers its output. Under ``python -u`` or
PYTHONUNBUFFERED it is one for each argument, each blank and the newline, and whatever the others write in between
comes in between. ``sys.stdout.write`` of a line with its newline is one write in any case.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cases.hello_world.mpi_gather import greet
from pytest_parallel_lab import implementation

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def in_two_writes(comm: MPI.Intracomm, path: str) -> list[str] | None:
    """Write each line in two halves: those of different ranks mix."""
    line = greet(comm) + "\n"
    with open(path, "ab", buffering=0) as terminal:
        terminal.write(line[:8].encode())
        comm.Barrier()  # makes what happens now and then happen every time: all write before one goes on
        terminal.write(line[8:].encode())
    return _what_it_says(comm, path)


@implementation("mpi")
def in_one_write(comm: MPI.Intracomm, path: str) -> list[str] | None:
    """Write each line at once: the lines are whole, in whatever order."""
    line = greet(comm) + "\n"
    with open(path, "ab", buffering=0) as terminal:
        comm.Barrier()
        terminal.write(line.encode())
    return _what_it_says(comm, path)


def _what_it_says(comm: MPI.Intracomm, path: str) -> list[str] | None:
    comm.Barrier()
    return sorted(Path(path).read_text().splitlines()) if comm.rank == 0 else None
