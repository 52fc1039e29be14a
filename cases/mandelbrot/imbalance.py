"""From the time per pixel to the imbalance per worker, measured.

    python -m cases.mandelbrot.imbalance [--plot=DIR] [--rows=480] [--columns=640] [--limit=500] [--workers=2,3]

First the time of every pixel by itself, then of every chunk of 8 rows, then the busy time of the workers in each
decomposition.
Busy is the processor time that a worker used for its rows: waiting for a core that somebody else has does not count.
Imbalance is the longest busy time over the mean. Elapsed is the time from the start to the last worker's end, and what
others do on the machine is in it; of three runs the one that took the least is shown.
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
    """One decomposition's run: the workers' busy times, longest first, and the time it took."""

    region: str
    decomposition: str
    workers: int
    busy_s: list[float]
    elapsed_s: float


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
    with Lab() as lab:
        for workers in counts_of_workers:
            lease = lab.lease("processes", workers)
            lease.run(busy_times, UPPER_HALF, (workers, 1), 2, "block").result()  # the first run imports
            for name, region in REGIONS.items():
                for decomposition in DECOMPOSITIONS:
                    runs = [lease.run(busy_times, region, shape, limit, decomposition, timed=True) for _ in range(3)]
                    least = min(runs, key=lambda outcome: outcome.elapsed_s)  # the least disturbed by others
                    found.append(Measured(name, decomposition, workers, least.result(), least.elapsed_s))
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
    lines = [
        f"{'region':<12}{'workers':>7}  {'decomposition':<15}{'busy times, ms':<32}{'imbalance':>9}{'elapsed':>12}"
    ]
    for run in runs:
        busy = " ".join(f"{one * 1e3:.0f}" for one in run.busy_s)
        lines.append(
            f"{run.region:<12}{run.workers:>7}  {run.decomposition:<15}{busy:<32}{imbalance(run.busy_s):>9.2f}"
            f"{run.elapsed_s * 1e3:>9.0f} ms"
        )
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
    parser.add_argument("--rows", type=int, default=480)
    parser.add_argument("--columns", type=int, default=640)
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
