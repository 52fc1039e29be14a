"""How often a comparison with history is wrong, and how often it finds a loss: simulated, so that the truth is known.

``python -m benchmarks.history [comparisons] [commits] [runs of each] [tests of the run]``. A table in Markdown, as in
docs/history.md: comparisons without a loss, and a fifth as many with each planted one.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable

from pytest_parallel_lab.model.gate import PASSED, REGRESSED
from pytest_parallel_lab.model.history import ASSUMPTIONS, Group, History, compare
from pytest_parallel_lab.model.history_decisions import decide
from pytest_parallel_lab.model.saved_runs import SavedBenchmark

LOSSES = (0.05, 0.10, 0.20)
THRESHOLD = 0.05
FALSE_ALARMS = 0.01

Noise = Callable[[random.Random], float]
# The logarithm of a time: what all runs of a commit have in common, and what each of them has besides.
NOISES: dict[str, tuple[Noise, Noise]] = {
    "2 % normal": (lambda draw: 0.0, lambda draw: draw.gauss(0, 0.02)),
    "3 % skew (exponential)": (lambda draw: 0.0, lambda draw: math.log1p(draw.expovariate(1 / 0.03))),
    "5 % of the runs 40 % longer": (
        lambda draw: 0.0,
        lambda draw: draw.gauss(0, 0.01) + (math.log(1.4) if draw.random() < 0.05 else 0),
    ),
    "2 % from day to day, 0.5 % within": (lambda draw: draw.gauss(0, 0.02), lambda draw: draw.gauss(0, 0.005)),
    "5 % of the days slow, by 30 % on average": (
        lambda draw: draw.expovariate(1 / 0.3) if draw.random() < 0.05 else 0,
        lambda draw: draw.gauss(0, 0.01),
    ),
}


def times(draw: random.Random, noise: tuple[Noise, Noise], commits: int, runs: int) -> list[list[float]]:
    day, run = noise
    levels = [day(draw) for _ in range(commits)]
    return [[math.exp(level + run(draw)) for _ in range(runs)] for level in levels]


def verdict(found: list[list[float]], loss: float, level: float, assume: str) -> str:
    """Compare the last commit, made slower, with those before it."""
    groups = tuple(Group(f"{number}.json", f"{number}", tuple(one)) for number, one in enumerate(found[:-1]))
    now = [(1 + loss) * one for one in found[-1]]
    compared = compare(SavedBenchmark("simulated", now[0], {}), History(groups, tuple(now[1:])), assume)
    (judged,) = decide([compared], THRESHOLD, level, assume)
    return judged.verdict


def row(name: str, assume: str, comparisons: int, commits: int, runs: int, level: float) -> str:
    """One line of the table."""
    draw = random.Random(name)  # the same times for each assumption

    def verdicts(count: int, loss: float) -> list[str]:
        return [verdict(times(draw, NOISES[name], commits + 1, runs), loss, level, assume) for _ in range(count)]

    none = verdicts(comparisons, 0.0)
    lost = [verdicts(comparisons // 5, loss) for loss in LOSSES]
    alarms = f"{100 * none.count(REGRESSED) / len(none):.2f}"
    found = " / ".join(f"{100 * one.count(REGRESSED) / len(one):.0f}" for one in lost)
    missed = f"{100 * lost[0].count(PASSED) / len(lost[0]):.0f}"
    return f"| {name} | {assume} | {alarms} | {found} | {missed} |"


def main(comparisons: int = 4000, commits: int = 20, runs: int = 3, tests: int = 10) -> int:
    print("| noise | assumed | regressed without a loss, % | with +5 / +10 / +20 %, % | passed with +5 %, % |")
    print("|---|---|---|---|---|")
    for name in NOISES:
        for assume in ASSUMPTIONS:
            print(row(name, assume, comparisons, commits, runs, FALSE_ALARMS / tests), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
