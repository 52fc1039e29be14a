"""Programs whose answers are known: how often do the stated intervals hold the truth?

    python -m benchmarks.known_curves [runs] [--only=name]

The programs sleep, which needs no core: a serial fraction of 0, 5, 20 and 50 %, one worker with more to
do than the others, and a cost that grows with every further worker. Each is measured again and again; at least
19 of 20 runs should state intervals that hold the truth. How often those of the noise alone would have held it is
told too.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pytest_parallel_lab import Lab, ScalingCurve, implementation, measure_scaling

Interval = tuple[float, float]

WORK_S = 1.0
WORKERS = (1, 2, 4, 8)
CONTENTION_S = 0.02
SHARE = 0.5
"""Of the work, for the busier of two workers; the other one has half of the rest."""


def alone(fraction: float) -> None:
    """All of the work, by one."""
    time.sleep(WORK_S)


@implementation("threads")
def in_part(pool: ThreadPoolExecutor, fraction: float, *, workers: int) -> None:
    """The serial fraction first, then the rest by all."""
    time.sleep(WORK_S * fraction)
    list(pool.map(time.sleep, [WORK_S * (1 - fraction) / workers] * workers))


@implementation("threads")
def with_contention(pool: ThreadPoolExecutor, fraction: float, *, workers: int) -> None:
    """Every worker has to deal with every other one, as in the linear term of the Universal Scalability Law."""
    time.sleep(CONTENTION_S * (workers - 1))
    list(pool.map(time.sleep, [WORK_S / workers] * workers))


@implementation("threads")
def unevenly(pool: ThreadPoolExecutor, fraction: float, *, workers: int) -> None:
    """One worker has three times the work of the others."""
    unit_s = WORK_S / (workers + 2)
    list(pool.map(time.sleep, [3 * unit_s, *[unit_s] * (workers - 1)]))


@dataclass(frozen=True)
class Question:
    """One figure of a curve, and the truth."""

    name: str
    truth: float
    ask: Callable[[ScalingCurve], tuple[float, float]]


def of_speed_up(fraction: float, workers: int) -> Question:
    """Amdahl's speed-up."""

    def ask(curve: ScalingCurve) -> tuple[float, float]:
        found = curve.speed_up(workers)
        return found.low, found.high

    return Question(f"speed-up with {workers}", 1 / (fraction + (1 - fraction) / workers), ask)


def of_fraction(fraction: float) -> Question:
    """The serial fraction of the fitted law."""

    def ask(curve: ScalingCurve) -> tuple[float, float]:
        found = curve.fit("amdahl", oversubscribed=True)["serial_fraction"]
        return found.low, found.high

    return Question("serial fraction, fitted", fraction, ask)


def of_contention() -> Question:
    """T(p) = W/p + c (p - 1), so p T(p) / T(1) = 1 + (c/W) p (p - 1): kappa is c/W and sigma is 0."""

    def ask(curve: ScalingCurve) -> tuple[float, float]:
        found = curve.fit("usl", oversubscribed=True)["coherency"]
        return found.low, found.high

    return Question("coherency (kappa), fitted", CONTENTION_S / WORK_S, ask)


def of_imbalance(workers: int) -> Question:
    """The longest time over the mean one: 3 units over (p + 2)/p units."""

    def ask(curve: ScalingCurve) -> tuple[float, float]:
        found = curve.imbalance(workers)
        return found.low, found.high

    return Question(f"imbalance of {workers}", 3 * workers / (workers + 2), ask)


PROGRAMS = [
    *((f"serial fraction {s:.0%}", in_part, s, [of_fraction(s), of_speed_up(s, 2)]) for s in (0.0, 0.05, 0.2, 0.5)),
    ("contention", with_contention, 0.0, [of_contention()]),
    ("one worker with three times the work", unevenly, 0.0, [of_imbalance(2), of_imbalance(4)]),
]


def main(runs: int = 20, *, only: str = "") -> None:
    with Lab() as lab:
        for name, function, fraction, questions in PROGRAMS:
            if only not in name:
                continue
            found: dict[str, list[Interval]] = {question.name: [] for question in questions}
            noise: dict[str, list[Interval]] = {question.name: [] for question in questions}
            loads = []
            for seed in range(runs):
                curve = measure_scaling(
                    lab, function, fraction, workers=WORKERS, rounds=6, seconds=0, seed=seed, reference=alone
                )
                loads.append(os.getloadavg()[0])
                for question in questions:
                    found[question.name].append(question.ask(curve))
                    noise[question.name].append(question.ask(without_resolution(curve)))
            for question in questions:
                print(f"{name}: {question.name} {question.truth:.4g} held in {told(found, question)}")
                print(f"    by the noise alone: {told(noise, question)}", flush=True)
            print(f"    load {min(loads):.1f} to {max(loads):.1f}", flush=True)


def without_resolution(curve: ScalingCurve) -> ScalingCurve:
    """The same curve, as if nothing were known of what no round shows."""
    return replace(curve, points=tuple(replace(one, resolution_s=0.0) for one in curve.points), serial_resolution_s=0.0)


def told(intervals: dict[str, list[Interval]], question: Question) -> str:
    """In how many the truth is, how wide they are, and those in which it is not."""
    given = intervals[question.name]
    missed = [f"[{low:.5g}, {high:.5g}]" for low, high in given if not low <= question.truth <= high]
    width = statistics.median(high - low for low, high in given)
    not_in = f"; not in {', '.join(missed)}" if missed else ""
    return f"{len(given) - len(missed)} of {len(given)} runs; median width {width:.2g}{not_in}"


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        *(int(one) for one in given if not one.startswith("--")),
        only="".join(one.partition("=")[2] for one in given if one.startswith("--only=")),
    )
