"""From the time per pixel to the imbalance per worker, measured.

    python -m cases.mandelbrot.imbalance [--plot=DIR] [--rows=512] [--columns=1024] [--limit=500] [--workers=2,3]

First the time of every pixel by itself, then of every chunk of 16 rows, then what becomes of it in each decomposition.
A worker is busy while it has a task; imbalance is the longest busy time over the mean. Beside it stands the imbalance
of the work, counted in iterations, which depends on no machine. In a dynamic decomposition there is none before the
run: who gets which rows depends on who is how fast. Elapsed is the time from the start to the last worker's end. Of
five runs the one that took the least is shown: others on the machine only ever make a run longer. A star says that
there are more workers than cores, which then take turns.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cases.mandelbrot.busy_times import busy_times, chunks_of
from pytest_parallel_lab import Lab
from reference.mandelbrot import CHUNK, UPPER_HALF, WHOLE, Region, axes, check, count_point, count_rows, mandelbrot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECOMPOSITIONS = ("block", "cyclic", "dynamic")
REGIONS = {"upper half": UPPER_HALF, "whole set": WHOLE}


def shares_of(work: npt.NDArray[Any], decomposition: str, workers: int) -> list[float]:
    """The work of each worker in a static decomposition, from the work per row."""
    return [float(work[chunk].sum()) for chunk in chunks_of(decomposition, len(work), workers)]


def imbalance(busy: Sequence[float]) -> float:
    """The most over the mean; 1 is perfect, and the number of workers the worst."""
    mean = sum(busy) / len(busy)
    return max(busy) / mean if mean else 1.0


@dataclass(frozen=True)
class Measured:
    """One decomposition's run: each worker's share of the work, the busy times, longest first, and the time it took."""

    region: str
    decomposition: str
    workers: int
    shares: list[float] | None
    busy_s: list[float]
    elapsed_s: float
    oversubscribed: bool


def pixel_times(region: Region, shape: tuple[int, int], limit: int) -> npt.NDArray[np.float64]:
    """Microseconds that each pixel takes by itself, shape (rows, columns)."""
    real, imag = axes(region, shape)
    return np.array([[_timed_us(count_point, x, y, limit) for x in real.tolist()] for y in imag.tolist()])


def chunk_times(region: Region, shape: tuple[int, int], limit: int) -> npt.NDArray[np.float64]:
    """Microseconds that each chunk of rows takes, shape (chunks,)."""
    real, imag = axes(region, shape)
    chunks = chunks_of("dynamic", len(imag), 1)
    return np.array([_timed_us(count_rows, real, imag[chunk], limit) for chunk in chunks])


def _timed_us(function: Any, *args: Any) -> float:
    """The least of three times: the others have waited for a core, or for a cache to be filled."""
    least_ns = math.inf
    for _ in range(3):
        began_ns = time.perf_counter_ns()
        function(*args)
        least_ns = min(least_ns, time.perf_counter_ns() - began_ns)
    return least_ns / 1e3


def measure(shape: tuple[int, int], limit: int, counts_of_workers: Sequence[int]) -> list[Measured]:
    """Run every decomposition of every region on every number of workers."""
    found = []
    works = [mandelbrot(region, shape, limit).sum(axis=1) for region in REGIONS.values()]
    with Lab() as lab:
        for workers in counts_of_workers:
            lease = lab.lease("processes", workers)
            lease.run(busy_times, UPPER_HALF, (workers, 1), 2, "block").result()  # the first run imports
            for (name, region), work in zip(REGIONS.items(), works):
                for decomposition in DECOMPOSITIONS:
                    runs = [lease.run(busy_times, region, shape, limit, decomposition, timed=True) for _ in range(5)]
                    least = min(runs, key=lambda outcome: outcome.elapsed_s)
                    shares = None if decomposition == "dynamic" else shares_of(work, decomposition, workers)
                    times = least.result(), least.elapsed_s
                    found.append(Measured(name, decomposition, workers, shares, *times, lease.oversubscribed))
            lease.end()
    return found


def describe_times(what: str, unit: str, times: npt.NDArray[np.float64]) -> str:
    """One line on a distribution of times."""
    low, median, most, high = np.quantile(times, [0.0, 0.5, 0.9, 1.0])
    return (
        f"{what:<8} least {low:9.1f}   median {median:9.1f}   mean {times.mean():9.1f}   "
        f"90 % {most:9.1f}   most {high:9.1f} {unit}"
    )


def describe_runs(runs: Sequence[Measured]) -> list[str]:
    """The table of busy times."""
    line = "{:<12}{:<9}{:<15}{:>17}   {:<18}{:>9}{:>12}"
    lines = [line.format("region", "workers", "decomposition", "imbalance of work", "busy, ms", "imbalance", "elapsed")]
    for run in runs:
        work = f"{imbalance(run.shares):.2f}" if run.shares else "-"
        busy = " ".join(f"{one * 1e3:.0f}" for one in run.busy_s)
        workers = f"{run.workers}{'*' if run.oversubscribed else ''}"
        measured = f"{imbalance(run.busy_s):.2f}", f"{run.elapsed_s * 1e3:.0f} ms"
        lines.append(line.format(run.region, workers, run.decomposition, work, busy, *measured))
    return lines


def new_figure() -> Figure:
    """An empty figure.

    Raises:
        SystemExit: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise SystemExit(f"--plot needs matplotlib ({error}): pip install matplotlib") from error
    return Figure(figsize=(11, 7), layout="constrained")


def draw(figure: Figure, shape: tuple[int, int], limit: int, pixels_us: Any, runs: Sequence[Measured]) -> None:
    """Draw the counts, the time per pixel and per row, and who was busy for how long."""
    picture, pixels, rows, busy = figure.subplots(2, 2).flat
    left, right, bottom, top = UPPER_HALF
    counts = mandelbrot(UPPER_HALF, shape, limit)
    picture.imshow(np.log(counts), origin="lower", extent=(left, right, bottom, top), cmap="magma")
    picture.set(title="iterations (logarithmic)", xlabel="Re c", ylabel="Im c")
    pixels.hist(pixels_us.ravel(), bins=60, log=True)
    pixels.set(title="time per pixel", xlabel="µs", ylabel="pixels")
    rows.barh(np.arange(len(pixels_us)), pixels_us.sum(axis=1) / 1e3, height=1.0)
    rows.set(title="time per row", xlabel="ms", ylabel="row")
    shown = [run for run in runs if run.region == "upper half"]
    for place, run in enumerate(shown):
        for worker, one_s in enumerate(run.busy_s):
            busy.bar(place + 0.8 * worker / run.workers, one_s * 1e3, 0.7 / run.workers, color=f"C{worker}")
    labels = [f"{run.decomposition}\n{run.workers} workers\n{imbalance(run.busy_s):.2f}" for run in shown]
    busy.set_xticks([place + 0.3 for place in range(len(shown))], labels, fontsize=8)
    busy.set(title="busy time of each worker, and the imbalance", ylabel="ms")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and plot where asked to."""
    parser = argparse.ArgumentParser(prog="python -m cases.mandelbrot.imbalance", description=(__doc__ or "")[:66])
    parser.add_argument("--plot", metavar="DIR", type=Path, help="draw into DIR/mandelbrot_imbalance.png")
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--limit", type=int, default=500, help="of iterations")
    parser.add_argument("--workers", default="2,3", help="counts of workers")
    given = parser.parse_args(arguments)
    figure = new_figure() if given.plot else None  # before minutes are spent on what cannot be drawn
    shape = (given.rows, given.columns)
    check(UPPER_HALF, shape, given.limit)

    pixels_us = pixel_times(UPPER_HALF, (max(given.rows // 4, 1), max(given.columns // 4, 1)), given.limit)
    print(f"upper half of the set, {given.rows} x {given.columns} pixels, at most {given.limit} iterations")
    print(describe_times("a pixel", "µs", pixels_us))
    print(describe_times(f"{CHUNK} rows", "µs", chunk_times(UPPER_HALF, shape, given.limit)))
    runs = measure(shape, given.limit, [int(count) for count in given.workers.split(",")])
    print(*describe_runs(runs), sep="\n")
    if figure is not None:
        draw(figure, shape, given.limit, pixels_us, runs)
        given.plot.mkdir(parents=True, exist_ok=True)
        path = given.plot / "mandelbrot_imbalance.png"
        figure.savefig(path, dpi=120)
        print(f"drawn: {path}")


if __name__ == "__main__":
    main()
