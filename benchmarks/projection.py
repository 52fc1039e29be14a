"""From one worker to two: is the time of two inside the interval that was projected from the tasks of one?

    python -m benchmarks.projection [rounds] [--quick] [--only=mandelbrot,pi]

In every round each case runs three times, in random order: on one worker, cut into the tasks of two, whose times it
notes; on two workers, as it is; and on two workers that note their tasks' times. The first gives the projection, the
second what it is compared with: the median, and the single runs, for the interval is that of one run. The third
tells by how much longer tasks take while the other worker computes too, for cores share memory and caches. There are
two projections: as if tasks took as long as alone, and as long as beside others, as ``--parallel-project`` does.
``--quick`` is to try the script out: its sizes are far too small for its figures to mean anything.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from typing import Any

import numpy as np

import reference.mandelbrot
import reference.pi
import reference.random_mean
from cases.mandelbrot.pool_imap_unordered import pool_imap_unordered
from cases.mandelbrot.pool_map_block import pool_map_block
from cases.matmul.shared_memory import shared_memory
from cases.pi.pool_map import pool_integral, pool_monte_carlo
from cases.random_mean.pool_map import pool_sums
from cases.random_mean.shared_memory import shared_sums
from pytest_parallel_lab import (
    Communication,
    Estimate,
    Lab,
    Lease,
    ScalingCurve,
    ScalingPoint,
    WorkerTimes,
    implementation,
    measure_communication,
    name_of,
)
from pytest_parallel_lab.model.statistics import median_interval
from pytest_parallel_lab.scaling.beyond import project_curve, slow_down

WORKERS = 2
CHUNKS = 4 * WORKERS  # that Pool.map cuts its tasks into, with one more for what is left over


@implementation("processes")
def darts_in_chunks(pool: Pool, samples: int, seed: int, chunk: int) -> float:
    """``pool_monte_carlo`` in the chunks that a pool of two makes."""
    tasks = reference.pi.darts(samples, seed, chunk)
    inside = pool.starmap(reference.pi.hits, tasks, chunksize=-(-len(tasks) // CHUNKS))
    return reference.pi.estimate(sum(inside), samples)


@implementation("processes")
def sums_in_chunks(pool: Pool, numbers: int, seed: int, chunk: int) -> float:
    """``pool_sums`` in the chunks that a pool of two makes."""
    tasks = reference.random_mean.streams(numbers, seed, chunk)
    sums = pool.starmap(reference.random_mean.draw_and_add, tasks, chunksize=-(-len(tasks) // CHUNKS))
    return reference.random_mean.mean(sums, numbers)


@dataclass
class Case:
    """An implementation, how it hands out its work, and how to have one worker do the tasks of two."""

    problem: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    decomposition: str
    in_tasks: Callable[..., Any]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Of ``in_tasks``: implementations that are told the number of workers are told two."""
    elapsed_s: list[float] = field(default_factory=list)
    alone: list[Any] = field(default_factory=list)
    beside: list[Any] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The problem and the implementation."""
        return f"{self.problem}, {name_of(self.function)}"

    def run(self, arm: str, lease: Lease) -> None:
        """Run once and keep what was measured."""
        if arm == "as it is":
            outcome = lease.run(self.function, *self.args, timed=True)
            outcome.result()
            self.elapsed_s.append(outcome.elapsed_s)
            return
        outcome = lease.run(self.in_tasks, *self.args, **self.kwargs)
        outcome.result()
        (self.alone if arm == "alone" else self.beside).append(outcome.section)

    def curve(self) -> ScalingCurve:
        """What was measured on one worker, and where the time of two went."""
        alone, beside = (
            tuple(
                tuple(WorkerTimes(one["compute"], one["communication"], one["waiting"]) for one in section.seconds())
                for section in sections
            )
            for sections in (self.alone, self.beside)
        )
        return ScalingCurve(
            name=name_of(self.function),
            backend="processes",
            mode="strong",
            points=(
                ScalingPoint(1, tuple(section.elapsed_s for section in self.alone), alone),
                ScalingPoint(WORKERS, tuple(section.elapsed_s for section in self.beside), beside),
            ),
            task_times_s=tuple(section.task_times_s() for section in self.alone),
        )


def cases(quick: bool) -> list[Case]:
    """The lab's cases that hand out tasks, at sizes that take a second or more; or milliseconds."""
    n = 256 if quick else 3072
    a, b = np.random.default_rng(1).standard_normal((2, n, n))
    shape, limit = ((64, 80), 100) if quick else ((800, 1600), 1000)
    picture = (reference.mandelbrot.UPPER_HALF, shape, limit)
    intervals = 10**6 if quick else 4 * 10**8
    samples = 10**6 if quick else 10**8
    numbers = 10**6 if quick else 3 * 10**8
    chunk = reference.random_mean.CHUNK
    two = {"workers": WORKERS}
    return [
        Case("mandelbrot", pool_map_block, picture, "block", pool_map_block, two),
        Case("mandelbrot", pool_imap_unordered, picture, "dynamic", pool_imap_unordered),
        Case("pi", pool_integral, (intervals,), "block", pool_integral, two),
        Case("pi", pool_monte_carlo, (samples, 1, chunk), "dynamic", darts_in_chunks),
        Case("random_mean", pool_sums, (numbers, 1, chunk), "dynamic", sums_in_chunks),
        Case("random_mean", shared_sums, (numbers, 1, chunk), "block", shared_sums, two),
        Case("matmul", shared_memory, (a, b), "block", shared_memory, two),
    ]


def measure(lab: Lab, chosen: Sequence[Case], rounds: int) -> Communication:
    """Run all arms of all cases in every round, in random order, after one round to warm up."""
    communication = measure_communication(lab, "processes")
    leases = {
        "alone": lab.lease("processes", 1, spans=True),
        "as it is": lab.lease("processes", WORKERS),
        "beside": lab.lease("processes", WORKERS, spans=True),
    }
    for number in range(rounds + 1):
        for case in random.sample(chosen, len(chosen)):
            for arm in random.sample(list(leases), len(leases)):
                case.run(arm, leases[arm])
        if not number:
            for case in chosen:
                case.elapsed_s, case.alone, case.beside = [], [], []
    for lease in leases.values():
        lease.end()
    return communication


def told(estimate: Estimate) -> str:
    """A value with its interval."""
    between = f" [{estimate.low:.3f}, {estimate.high:.3f}]" if estimate.has_interval else ""
    return f"{estimate.value:.3f}{between}"


def report(case: Case, communication: Communication) -> tuple[bool, bool]:
    """Print one case; whether the measured median is where each of the two projections says."""
    curve, measured = case.curve(), median_interval(case.elapsed_s)
    verdicts = []
    beside = slow_down(curve)
    factor = f", a task takes {told(beside)} times as long beside others" if beside else ""
    print(f"{case.name}: measured {told(measured)}{factor}")
    for crowded, tasks in ((False, "as long as alone"), (True, "as long as beside others")):
        found = project_curve(curve, WORKERS, case.decomposition, communication, crowded=crowded).time_s
        inside = sum(found.low <= one <= found.high for one in case.elapsed_s)
        good = found.low <= measured.value <= found.high
        verdicts.append(good)
        where = "the median is inside" if good else "the median is OUTSIDE"
        print(f"    tasks {tasks:<26}{told(found):<24}{where}, and {inside} of {len(case.elapsed_s)} runs")
    return verdicts[0], verdicts[1]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projection")
    parser.add_argument("rounds", type=int, nargs="?", default=None, help="after one to warm up (15)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and 6 rounds: only to see that it works")
    parser.add_argument("--only", default="", help="names of problems")
    given = parser.parse_args()
    rounds = given.rounds or (6 if given.quick else 15)
    chosen = cases(given.quick)
    if given.only:
        names = given.only.split(",")
        unknown = set(names) - {case.problem for case in chosen}
        if unknown:
            parser.error(f"no problem is called {', '.join(sorted(unknown))}")
        chosen = [case for case in chosen if case.problem in names]
    with Lab() as lab:
        communication = measure(lab, chosen, rounds)
    print(communication)
    print(f"\n{rounds} rounds (and one to warm up), seconds with two workers, in brackets 95 % intervals")
    good = [report(case, communication) for case in chosen]
    for place, tasks in enumerate(("alone", "beside others")):
        print(f"tasks as long as {tasks}: {sum(one[place] for one in good)} of {len(good)} medians are inside")


if __name__ == "__main__":
    main()
