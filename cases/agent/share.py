"""A worker's part of one step: realise its share of the paths, and send on only those that may win."""

from __future__ import annotations

from reference.agent import Path, Search, State, World, best, realise_all


def best_of_share(world: World, search: Search, seed: int, state: State, share: range) -> list[Path]:
    """Realise and evaluate the paths of a share; return the best of them, at most as many as there are winners."""
    return best(realise_all(world, search, seed, state, share), search)
