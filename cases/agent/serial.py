"""All paths on one core: what all others are measured against."""

from __future__ import annotations

import reference.agent
from pytest_parallel_lab import implementation
from reference.agent import Search, Walk, World


@implementation("serial")
def serial(world: World, search: Search, seed: int) -> Walk:
    """Walk as the reference does."""
    return reference.agent.agent(world, search, seed)
