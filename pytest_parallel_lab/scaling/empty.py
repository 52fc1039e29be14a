"""Sections that hold no work: what they take beyond their sleep is what dispatch and wake-ups cost there.

A part that is serial comes first and then a part for every worker, as in the programs that are measured. Sleeping
needs no core and lasts as long as it should, so that all the rest is what nobody has asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from multiprocessing.pool import Pool
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.implementation import implementation

if TYPE_CHECKING:
    from mpi4py import MPI

    from pytest_parallel_lab.scaling.arms import Arm

PARTS = 2
"""Of a section, each as long as a moment: the serial one, and that of the workers side by side."""
_SHARE = 20
_LEAST_S, _MOST_S = 1e-3, 50e-3


@implementation("serial")
def alone(moment_s: float) -> None:
    """One sleep, as long as both parts: whoever is alone is woken up once."""
    time.sleep(PARTS * moment_s)


@implementation("threads")
def on_executor(pool: Executor, moment_s: float, *, workers: int) -> None:
    """A task for every worker."""
    time.sleep(moment_s)
    list(pool.map(time.sleep, [moment_s] * workers))


@implementation("processes")
def on_pool(pool: Pool, moment_s: float, *, workers: int) -> None:
    """A task for every worker."""
    time.sleep(moment_s)
    pool.map(time.sleep, [moment_s] * workers, chunksize=1)


@implementation("ipyparallel")
def on_view(view: Any, moment_s: float) -> None:
    """A task for every engine."""
    time.sleep(moment_s)
    view.apply_sync(time.sleep, moment_s)


@implementation("mpi")
def on_ranks(comm: MPI.Intracomm, moment_s: float) -> None:
    """Rank 0 first, and then all between two barriers."""
    if comm.rank == 0:
        time.sleep(moment_s)
    comm.Barrier()
    time.sleep(moment_s)
    comm.Barrier()


EMPTY: dict[str, Callable[..., None]] = {
    "serial": alone,
    "threads": on_executor,
    "processes": on_pool,
    "executor": on_executor,
    "ipyparallel": on_view,
    "mpi": on_ranks,
}
"""By backend."""


def moment_of(time_s: float) -> float:
    """How long to sleep beside sections of so many seconds: those who slept for longer wake up later."""
    return min(max(time_s / _SHARE, _LEAST_S), _MOST_S)


def empty_s(arm: Arm) -> float:
    """What a section without work takes on the very workers that have had their turn."""
    moment_s = moment_of(arm.times_s[-1])
    outcome = arm.lease.run(EMPTY[arm.backend], moment_s, timed=True)
    outcome.result()
    return max(0.0, outcome.elapsed_s - PARTS * moment_s)
