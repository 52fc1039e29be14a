"""``Pool.map``: fork and join at every step. The master collects, sorts, moves, and sends the new state out."""

from __future__ import annotations

from functools import partial
from itertools import chain
from multiprocessing.pool import Pool

from cases.agent.share import best_of_share
from pytest_parallel_lab import blocks, implementation
from reference.agent import Search, Walk, World, begin, best, check, finish, follow


@implementation("processes")
def pool_map(pool: Pool, world: World, search: Search, seed: int, *, workers: int) -> Walk:
    """Walk with one share of the paths per worker and step."""
    check(search, seed)
    shares = [range(search.paths)[block] for block in blocks(search.paths, workers)]
    state = begin(world)
    for _ in range(search.moves):
        parts = pool.map(partial(best_of_share, world, search, seed, state), shares, chunksize=1)
        state = follow(world, state, best(chain.from_iterable(parts), search))
    return finish(world, state)
