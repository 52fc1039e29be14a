"""How long each worker is busy, for each decomposition; what ``imbalance`` measures with."""

from __future__ import annotations

import os
import time
from multiprocessing.pool import Pool

from pytest_parallel_lab import blocks, implementation
from reference.mandelbrot import CHUNK, Reals, Region, axes, count_rows


def chunks_of(decomposition: str, rows: int, workers: int) -> list[slice]:
    """The rows of each task: one per worker, or ``CHUNK`` rows where tasks are handed out as workers get free."""
    if decomposition == "block":
        return blocks(rows, workers)
    if decomposition == "cyclic":
        return [slice(first, None, workers) for first in range(workers)]
    return [slice(first, first + CHUNK) for first in range(0, rows, CHUNK)]


@implementation("processes")
def busy_times(
    pool: Pool, region: Region, shape: tuple[int, int], limit: int, decomposition: str, *, workers: int
) -> list[float]:
    """Plot on the pool and return every worker's busy time, in seconds."""
    real, imag = axes(region, shape)
    chunks = chunks_of(decomposition, len(imag), workers)
    tasks = [(number, real, imag[chunk], limit) for number, chunk in enumerate(chunks)]
    busy_s: dict[int, float] = {}
    for number, pid, spent_s in pool.imap_unordered(_timed, tasks):
        # A static share is one worker's by definition, even if here one process was quick enough to take two.
        who = pid if decomposition == "dynamic" else number
        busy_s[who] = busy_s.get(who, 0.0) + spent_s
    return sorted([*busy_s.values(), *[0.0] * (workers - len(busy_s))], reverse=True)


def _timed(task: tuple[int, Reals, Reals, int]) -> tuple[int, int, float]:
    number, real, imag, limit = task
    began_s = time.perf_counter()
    count_rows(real, imag, limit)
    return number, os.getpid(), time.perf_counter() - began_s
