"""On a thousand workers, projected: which decomposition, and where dynamic stops paying.

    python -m cases.mandelbrot.projection [--rows=1600] [--columns=400] [--limit=500]
        [--workers=2,16,64,128,256,512,1024] [--backend=processes]

Every row is a task. Its time is measured on one worker; what a master needs to hand out a task and to take
its result, on ``--backend``. The rest is simulated: nothing runs on more workers than there are.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cases.mandelbrot.pool_imap_unordered import pool_imap_unordered
from pytest_parallel_lab import (
    BadSetting,
    Communication,
    Estimate,
    Lab,
    Projection,
    ScalingCurve,
    measure_communication,
    measure_scaling,
)
from reference.mandelbrot import UPPER_HALF, check

CHUNKS = (1, 8)
PAYS = 1.1
"""So much faster at least should a run be with twice the workers."""
BYTES = 4  # of a count


@dataclass(frozen=True)
class Column:
    """One way to hand out rows, on each of the worker counts."""

    name: str
    projections: tuple[Projection, ...]

    def times_s(self) -> dict[int, float]:
        """Projected seconds, by worker count."""
        return {one.workers: one.time_s.value for one in self.projections}


def project_all(
    curve: ScalingCurve, counts: Sequence[int], communication: Communication, row_bytes: int
) -> list[Column]:
    """Project block, cyclic, and dynamic with chunks of several lengths."""
    columns = [
        Column(name, tuple(curve.project(count, name, replicates=39) for count in counts))
        for name in ("block", "cyclic")
    ]
    for chunk in CHUNKS:
        service_s = communication.service_s(row_bytes * chunk)
        found = tuple(
            curve.project(count, "dynamic", chunk=chunk, service_s=service_s, replicates=39) for count in counts
        )
        columns.append(Column(f"dynamic, {chunk}", found))
    return columns


def pays_up_to(column: Column) -> int:
    """The worker count beyond which the next ones gain too little for what they are more."""
    times_s = sorted(column.times_s().items())
    for (workers, time_s), (more, less_s) in pairwise(times_s):
        if time_s < less_s * PAYS ** math.log2(more / workers):
            return workers
    return times_s[-1][0]


def fastest(columns: Sequence[Column], workers: int) -> Column:
    """The way that is projected to take the least time."""
    return min(columns, key=lambda column: column.times_s()[workers])


def told(estimate: Estimate) -> str:
    """Milliseconds, with their interval."""
    value, low, high = (end * 1e3 for end in (estimate.value, estimate.low, estimate.high))
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def describe(columns: Sequence[Column]) -> list[str]:
    """The table, and what is to be seen in it."""
    counts = [one.workers for one in columns[0].projections]
    lines = [f"{'workers':>7}" + "".join(f"  {column.name:>22}" for column in columns)]
    for i, count in enumerate(counts):
        cells = [
            told(column.projections[i].time_s) + (" *" if column is fastest(columns, count) else "  ")
            for column in columns
        ]
        lines.append(f"{count:>7}" + "".join(f"  {cell:>22}" for cell in cells))
    lines += ["projected times in ms, in brackets the 95 % interval of one run; * the least", ""]
    for column in columns:
        last = pays_up_to(column)
        lines.append(f"{column.name}: pays up to {last} workers{' and perhaps beyond' if last == counts[-1] else ''}")
        if column.name.startswith("dynamic"):
            lines += [f"    {one}" for one in column.projections[-1].assumptions if "wait for the master" in one]
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(prog="python -m cases.mandelbrot.projection", description=(__doc__ or "")[:78])
    parser.add_argument("--rows", type=int, default=1600)
    parser.add_argument("--columns", type=int, default=400)
    parser.add_argument("--limit", type=int, default=500, help="of iterations")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", default="2,16,64,128,256,512,1024", help="counts to project to")
    parser.add_argument("--backend", default="processes", help="whose master hands out tasks, such as mpi")
    given = parser.parse_args(arguments)
    check(UPPER_HALF, (given.rows, given.columns), given.limit)
    if given.rows < 2:
        raise BadSetting(f"--rows={given.rows}: {given.rows} row is no tasks to hand out; give at least 2")
    counts = [int(count) for count in given.workers.split(",")]
    with Lab() as lab:
        communication = measure_communication(lab, given.backend)
        curve = measure_scaling(
            lab,
            pool_imap_unordered,
            UPPER_HALF,
            (given.rows, given.columns),
            given.limit,
            kwargs={"chunk": 1},
            workers=[1],
            rounds=given.rounds,
            seconds=0.0,
        )
    columns = project_all(curve, counts, communication, BYTES * given.columns)
    print(f"projection, not measured: {given.rows} rows of {given.columns} pixels of the upper half of the set, limit")
    print(f"{given.limit}, each timed on one worker in {len(curve.task_times_s)} rounds, simulated on more")
    print(communication)
    print()
    print(*describe(columns), sep="\n")


if __name__ == "__main__":
    main()
