"""MPI: every rank reads its own chunks, and one reduction adds up the counts of all ranks at the root."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cases.word_count.chunks import count, cut_up
from pytest_parallel_lab import implementation
from reference.word_count import Paths

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_reduce(comm: MPI.Intracomm, paths: Paths, chunk_size: int) -> Counter[str] | None:
    """Map and combine every ``size``-th chunk; the default operation of ``reduce`` is +, which Counters have.

    A bad byte is met by one rank only. It must not raise alone: the others would wait for it in ``reduce``.
    """
    mine: Counter[str] = Counter()
    error: Exception | None = None
    try:
        mine = count(cut_up(paths, chunk_size)[comm.rank :: comm.size])
    except (ValueError, OSError) as raised:
        error = raised
    for met in comm.allgather(error):
        if met is not None:
            raise met
    total: Counter[str] | None = comm.reduce(mine, root=0)
    return total
