"""MPI: all ranks step together. The best paths are gathered on rank 0, which moves and broadcasts the new state."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from cases.agent.share import best_of_share
from pytest_parallel_lab import blocks, implementation
from reference.agent import Search, Walk, World, begin, best, check, finish, follow

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def mpi_gather(comm: MPI.Intracomm, world: World, search: Search, seed: int) -> Walk | None:
    """Walk with one share of the paths per rank and step."""
    check(search, seed)
    share = range(search.paths)[blocks(search.paths, comm.size)[comm.rank]]
    state = begin(world)
    for _ in range(search.moves):
        parts = comm.gather(best_of_share(world, search, seed, state, share))
        if parts is not None:
            state = follow(world, state, best(chain.from_iterable(parts), search))
        state = comm.bcast(state)
    return finish(world, state) if comm.rank == 0 else None
