"""The lab's efficiency on 2 workers, against the best serial version, at sizes that take seconds.

    python -m benchmarks.lab_efficiency [rounds] [--quick] [--only=matmul,agent]

The efficiency of an implementation is T(serial) / (2 T(parallel)). In every round the problems come in random order,
and so do the arms of each: an efficiency is one of times taken within seconds of each other, and what is shown is the
median of the rounds' with its 95 % interval. The interval assumes nothing about the distribution: it goes from one
order statistic to another, so that the median is outside in less than 5 % of all cases (sign test).
``--quick`` is to try the script out: its sizes are far too small for its figures to mean anything.

The machine must be quiet, and the load is shown to tell. Linux may share busy cores among sessions, not processes
(``kernel.sched_autogroup_enabled``): then a pool of two workers, which is one session, gets no more than a serial run.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import reference.agent
import reference.mandelbrot
import reference.matmul
import reference.pi
import reference.random_mean
from cases.agent.mpi_gather import mpi_gather
from cases.agent.pool_map import pool_map as agent_pool_map
from cases.mandelbrot.mpi_master_worker import mpi_master_worker
from cases.mandelbrot.pool_imap_unordered import pool_imap_unordered
from cases.mandelbrot.pool_map_block import pool_map_block
from cases.matmul.mpi_scatter import mpi_scatter
from cases.matmul.shared_memory import shared_memory
from cases.pi.mpi_reduce import mpi_integral, mpi_monte_carlo
from cases.pi.pool_map import pool_integral, pool_monte_carlo
from cases.random_mean.mpi_gather import mpi_sums
from cases.random_mean.pool_map import pool_sums
from cases.random_mean.shared_memory import shared_sums
from pytest_parallel_lab import Lab, Lease, name_of

WORKERS = 2
EFFICIENCY = 0.85
DYNAMIC_OVER_BLOCK = 1.3


@dataclass(frozen=True)
class Job:
    """One problem at one size: the best serial version, and parallel ones by backend; only some have a target."""

    name: str
    size: str
    arguments: tuple[Any, ...]
    serial: Callable[..., Any]
    processes: tuple[Callable[..., Any], ...]
    mpi: tuple[Callable[..., Any], ...]
    without_target: tuple[Callable[..., Any], ...] = ()  # on processes

    @property
    def arms(self) -> dict[Callable[..., Any], tuple[str, int]]:
        """All that is timed, with the backend and the number of workers."""
        arms = {self.serial: ("serial", 1)}
        arms.update(dict.fromkeys((*self.processes, *self.without_target), ("processes", WORKERS)))
        arms.update(dict.fromkeys(self.mpi, ("mpi", WORKERS)))
        return arms


def jobs(quick: bool) -> list[Job]:
    """Every problem, at a size that takes seconds serially; or at one that takes milliseconds."""
    n = 256 if quick else 4096
    a, b = np.random.default_rng(1).standard_normal((2, n, n))
    shape, limit = ((60, 80), 100) if quick else ((1024, 2048), 1000)
    intervals = 10**6 if quick else 8 * 10**8
    samples = 10**6 if quick else 2 * 10**8
    numbers = 10**6 if quick else 6 * 10**8
    chunk = reference.random_mean.CHUNK
    search = reference.agent.Search(*((3, 200, 20, 10) if quick else (20, 4000, 60, 20)))
    island = reference.agent.parse(reference.agent.ISLAND)
    half = reference.mandelbrot.UPPER_HALF
    return [
        Job("matmul", f"{n} x {n}", (a, b), reference.matmul.matmul, (shared_memory,), (mpi_scatter,)),
        Job(
            "mandelbrot",
            f"upper half, {shape[0]} x {shape[1]}, limit {limit}",
            (half, shape, limit),
            reference.mandelbrot.mandelbrot,
            (pool_imap_unordered,),
            (mpi_master_worker,),
            (pool_map_block,),
        ),
        Job("pi", f"{intervals:.0e} intervals", (intervals,), reference.pi.integral, (pool_integral,), (mpi_integral,)),
        Job(
            "pi",
            f"{samples:.0e} darts",
            (samples, 1, chunk),
            reference.pi.monte_carlo,
            (pool_monte_carlo,),
            (mpi_monte_carlo,),
        ),
        Job(
            "random_mean",
            f"{numbers:.0e} numbers, drawn and added by the workers",
            (numbers, 1, chunk),
            reference.random_mean.random_mean,
            (pool_sums, shared_sums),
            (mpi_sums,),
        ),
        Job(
            "agent",
            f"{search.moves} moves of {search.paths} paths of {search.horizon}",
            (island, search, 1),
            reference.agent.agent,
            (agent_pool_map,),
            (mpi_gather,),
        ),
    ]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """A 95 % interval of the median; of fewer than 6 values there is none, and infinity says so.

    Source: the sign test; Conover, Practical Nonparametric Statistics, on intervals for quantiles.
    """
    ordered, n = sorted(values), len(values)
    outside, skipped = 2.0 * 0.5**n, 0  # how likely the median is beyond the first or the last value
    if outside > 0.05:
        return -math.inf, math.inf
    while (more := outside + 2.0 * math.comb(n, skipped + 1) * 0.5**n) <= 0.05:
        outside, skipped = more, skipped + 1
    return ordered[skipped], ordered[n - 1 - skipped]


def time_once(lab: Lab, leases: dict[tuple[str, int], Lease], job: Job, arm: Callable[..., Any]) -> float:
    """Seconds of one run's parallel section."""
    key = job.arms[arm]
    if key not in leases:
        leases[key] = lab.lease(*key)
    outcome = leases[key].run(arm, *job.arguments, timed=True)
    outcome.result()
    return outcome.elapsed_s


def show(what: str, ratios: Sequence[float], target: float, quick: bool) -> None:
    """One line: the median ratio with its interval, and whether it is what it should be."""
    low, high = interval(ratios)
    median = statistics.median(ratios)
    verdict = "not judged" if quick else "met" if median >= target else "MISSED"
    between = f"[{low:.3f}, {high:.3f}]" if math.isfinite(low) else "[needs 6 rounds]"
    print(f"    {what:<40} {median:.3f} {between:<18} target {target:g}: {verdict}")


def report(job: Job, times_s: dict[Callable[..., Any], list[float]], quick: bool) -> None:
    """Print a problem's times, efficiencies and verdicts."""
    serial = times_s[job.serial]
    print(f"\n{job.name}, {job.size}")
    for arm, (backend, workers) in job.arms.items():
        low, high = interval(times_s[arm])
        who = backend if arm is job.serial else f"{name_of(arm)}, {workers} workers ({backend})"
        between = f"[{low:.3f}, {high:.3f}]" if math.isfinite(low) else ""
        print(f"  {who:<42} {statistics.median(times_s[arm]):.3f} s {between}")
    for arm in (*job.processes, *job.mpi):
        efficiencies = [one / (WORKERS * other) for one, other in zip(serial, times_s[arm])]
        show(f"efficiency of {name_of(arm)}", efficiencies, EFFICIENCY, quick)
    if pool_map_block in times_s:
        faster = [one / other for one, other in zip(times_s[pool_map_block], times_s[pool_imap_unordered])]
        show("dynamic over block, Pool", faster, DYNAMIC_OVER_BLOCK, quick)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lab_efficiency")
    parser.add_argument("rounds", type=int, nargs="?", default=None, help="timed ones, after one to warm up (15)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and 6 rounds: only to see that it works")
    parser.add_argument("--only", default="", help="names of problems")
    given = parser.parse_args()
    rounds = given.rounds or (6 if given.quick else 15)
    chosen = jobs(given.quick)
    if given.only:
        names = given.only.split(",")
        unknown = set(names) - {job.name for job in chosen}
        if unknown:
            parser.error(f"no problem is called {', '.join(sorted(unknown))}")
        chosen = [job for job in chosen if job.name in names]

    before = os.getloadavg()[0]
    times_s: list[dict[Callable[..., Any], list[float]]] = [{arm: [] for arm in job.arms} for job in chosen]
    with Lab() as lab:
        leases: dict[tuple[str, int], Lease] = {}
        for number in range(rounds + 1):
            for place in random.sample(range(len(chosen)), len(chosen)):
                job = chosen[place]
                for arm in random.sample(list(job.arms), len(job.arms)):
                    elapsed_s = time_once(lab, leases, job, arm)
                    if number:  # the first round warms up
                        times_s[place][arm].append(elapsed_s)
        for lease in leases.values():
            lease.end()
    print(f"{rounds} rounds (and one to warm up), medians, in brackets their 95 % intervals")
    print(
        f"load {before:.1f} before, {os.getloadavg()[0]:.1f} at the end; {WORKERS} workers by themselves make {WORKERS}"
    )
    for job, times in zip(chosen, times_s):
        report(job, times, given.quick)


if __name__ == "__main__":
    main()
