"""Does a map come to an end when one of its workers dies, or is stopped for a while, in the middle?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from typing import Any

import pytest

from cases.survival.executor_map import executor_map
from cases.survival.mpi_allgather import mpi_allgather
from cases.survival.pool_map import pool_map
from pytest_parallel_lab import Deadlock, WorkerDied, name_of
from reference.survival import slow_squares

ITEMS = range(80)  # a second or so of work


@pytest.mark.chaos("kill-worker")
def test_an_executor_says_that_a_worker_died(chaos: Callable[..., Any]) -> None:
    survival = chaos(executor_map, ITEMS, workers=2)
    assert isinstance(survival.error, BrokenExecutor)


@pytest.mark.chaos("kill-worker")
def test_a_pool_waits_for_ever(chaos: Callable[..., Any]) -> None:
    with pytest.raises(Deadlock, match=r"after worker \d .* was killed"):
        chaos(pool_map, ITEMS, workers=2)


@pytest.mark.chaos("stall-worker", stall_s=0.5)
@pytest.mark.parametrize("implementation", [pool_map, executor_map], ids=name_of)
def test_a_stalled_worker_only_takes_longer(implementation: object, chaos: Callable[..., Any]) -> None:
    survival = chaos(implementation, ITEMS, workers=2, reference=slow_squares)
    assert survival.error is None


@pytest.mark.chaos("kill-rank")
def test_a_rank_that_dies_ends_them_all(chaos: Callable[..., Any]) -> None:
    survival = chaos(mpi_allgather, ITEMS, workers=2)
    assert isinstance(survival.error, WorkerDied)
