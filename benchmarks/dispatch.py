"""Is our own dispatch in the recorded times? Beside timing by hand, inside the same implementations.

    python -m benchmarks.dispatch [rounds]

Each implementation takes its own time, as one would write it by hand: around the map, or between two barriers
with the maximum over the ranks. The recorded time may be longer by at most 2 %.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab import Lab, implementation

TASK_S = 0.02
TASKS = 8
MOST = 1.02


def work(_: int) -> None:
    """Compute for a while."""
    until_s = time.perf_counter() + TASK_S
    while time.perf_counter() < until_s:
        pass


def around_the_map(pool: Any) -> float:
    """The seconds of a map over all tasks."""
    began_s = time.perf_counter()
    list(pool.map(work, range(TASKS)))
    return time.perf_counter() - began_s


@implementation("threads")
def threads(pool: Any) -> float:
    """Time a map over threads."""
    return around_the_map(pool)


@implementation("processes")
def processes(pool: Any) -> float:
    """Time a map over a pool."""
    return around_the_map(pool)


@implementation("executor")
def executor(pool: Any) -> float:
    """Time a map over an executor."""
    return around_the_map(pool)


@implementation("ipyparallel")
def ipyparallel(view: Any) -> float:
    """Time a map over engines."""
    began_s = time.perf_counter()
    view.map_sync(work, range(TASKS))
    return time.perf_counter() - began_s


@implementation("mpi")
def mpi(comm: Any) -> float:
    """Time the ranks from a barrier on; the longest counts."""
    from mpi4py import MPI

    comm.Barrier()
    began_s = time.perf_counter()
    for task in range(comm.rank, TASKS, comm.size):
        work(task)
    longest_s: float = comm.allreduce(time.perf_counter() - began_s, op=MPI.MAX)
    return longest_s


ARMS: list[tuple[str, Callable[..., float]]] = [
    ("threads", threads),
    ("processes", processes),
    ("executor", executor),
    ("ipyparallel", ipyparallel),
    ("mpi", mpi),
]


def main(rounds: int = 20) -> None:
    with Lab() as lab:
        for backend, function in ARMS:
            if reason := lab.missing(backend):
                print(reason)
                continue
            lease = lab.lease(backend, 2)
            ratios = []
            for _ in range(rounds):
                outcome = lease.run(function, timed=True)
                ratios.append(outcome.elapsed_s / outcome.result())
            lease.end()
            ratio = statistics.median(ratios)
            verdict = "met" if ratio <= MOST else "not met"
            print(f"{backend}: recorded over timed by hand {ratio:.4f} (median of {rounds}; target {MOST}): {verdict}")


if __name__ == "__main__":
    from benchmarks.dispatch import main as by_its_name  # pool workers look for ``work`` in the module of that name

    by_its_name(*map(int, sys.argv[1:]))
