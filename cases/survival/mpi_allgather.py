"""An MPI program: a rank that dies ends them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_parallel_lab import implementation
from reference.survival import slow_square

if TYPE_CHECKING:
    from mpi4py.MPI import Intracomm


@implementation("mpi")
def mpi_allgather(comm: Intracomm, items: Sequence[int]) -> list[int]:
    own = [slow_square(x) for x in items[comm.rank :: comm.size]]  # cyclic
    rounds = zip_longest(*comm.allgather(own))
    return [value for one in rounds for value in one if value is not None]
