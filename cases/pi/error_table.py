"""The error of pi against samples and workers, as a table.

python -m cases.pi.error_table [most samples]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence

from cases.pi.pool_map import pool_integral, pool_monte_carlo
from pytest_parallel_lab import Lab
from reference.random_mean import CHUNK

WORKERS = (1, 2, 4)
SEED = 1

Run = Callable[..., float]


def errors(run: Run, samples: int, workers: Sequence[int] = WORKERS) -> tuple[list[float], list[float]]:
    """The signed errors of the integral and of Monte Carlo, for every number of workers.

    Args:
        run: ``Lab.run``, or something that is called like it.
        samples: intervals, and darts.
        workers: their numbers.
    """
    integrals = [run(pool_integral, samples, workers=count) - math.pi for count in workers]
    darts = [run(pool_monte_carlo, samples, SEED, CHUNK, workers=count) - math.pi for count in workers]
    return integrals, darts


def lines(run: Run, most: int) -> Iterator[str]:
    """The lines of the table in Markdown: samples by powers of ten up to ``most``."""
    columns = [f"{name}, {count} w" for name in ("integral", "Monte Carlo") for count in WORKERS]
    yield "| samples | " + " | ".join([*columns, "1/(12 n²)", "1.64/√n"]) + " |"
    yield "|---" * (len(columns) + 3) + "|"
    for samples in (10**power for power in range(1, round(math.log10(most)) + 1)):
        integrals, darts = errors(run, samples)
        law = 1 / (12 * samples**2), math.sqrt(math.pi * (4 - math.pi) / samples)
        figures = [f"{figure:.1e}" for figure in (*integrals, *darts, *law)]
        yield f"| {samples:.0e} | " + " | ".join(figures) + " |"


def main() -> None:
    most = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**8
    with Lab() as lab:
        for line in lines(lab.run, most):
            print(line, flush=True)


if __name__ == "__main__":
    main()
