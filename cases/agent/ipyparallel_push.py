"""ipyparallel: what never changes is pushed to the engines once; every step sends the state, and gathers the best."""

from __future__ import annotations

from itertools import chain
from typing import Any

from cases.agent.share import best_of_share
from pytest_parallel_lab import blocks, implementation
from reference.agent import Path, Search, State, Walk, World, begin, best, check, finish, follow


@implementation("ipyparallel")
def ipyparallel_push(view: Any, world: World, search: Search, seed: int) -> Walk:
    """Walk with one share of the paths per engine and step."""
    from ipyparallel import Reference

    check(search, seed)
    view.push({"world": world, "search": search, "seed": seed}, block=True)
    for engine, block in zip(view.targets, blocks(search.paths, len(view))):
        view.client[engine].push({"share": range(search.paths)[block]}, block=True)
    known = [Reference(name) for name in ("world", "search", "seed", "share")]
    state = begin(world)
    for _ in range(search.moves):
        parts = view.apply_sync(_best_of_known_share, state, *known)
        state = follow(world, state, best(chain.from_iterable(parts), search))
    return finish(world, state)


def _best_of_known_share(state: State, world: World, search: Search, seed: int, share: range) -> list[Path]:
    return best_of_share(world, search, seed, state, share)
