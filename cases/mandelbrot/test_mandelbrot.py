"""The Mandelbrot set: is every count right in every decomposition, and is the work as uneven as it is said to be?"""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference.mandelbrot
from cases.mandelbrot import imbalance
from cases.mandelbrot.busy_times import busy_times
from cases.mandelbrot.ipyparallel_direct import ipyparallel_direct
from cases.mandelbrot.ipyparallel_load_balanced import ipyparallel_load_balanced
from cases.mandelbrot.mpi_futures import mpi_futures
from cases.mandelbrot.mpi_master_worker import mpi_master_worker
from cases.mandelbrot.mpi_scatter_block import mpi_scatter_block
from cases.mandelbrot.mpi_scatter_cyclic import mpi_scatter_cyclic
from cases.mandelbrot.pool_imap_unordered import pool_imap_unordered
from cases.mandelbrot.pool_map_block import pool_map_block
from cases.mandelbrot.pool_map_cyclic import pool_map_cyclic
from cases.mandelbrot.serial import serial
from pytest_parallel_lab import name_of
from reference.mandelbrot import CHUNK, UPPER_HALF, WHOLE, Region, count_point, count_points, inside_area, mandelbrot

DYNAMIC = [pool_imap_unordered, ipyparallel_load_balanced, mpi_master_worker, mpi_futures]
STATIC = [pool_map_block, pool_map_cyclic, ipyparallel_direct, mpi_scatter_block, mpi_scatter_cyclic]
PARALLEL = [*STATIC, *DYNAMIC]

# Rows, columns: one pixel, fewer rows than workers, nothing even, and nothing at all to plot.
SHAPES = [(1, 1), (2, 9), (41, 11), (0, 5), (5, 0)]


def name_of_shape(shape: tuple[int, int]) -> str:
    return "x".join(map(str, shape))


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize("shape", SHAPES, ids=name_of_shape)
@pytest.mark.parallel_subjects(PARALLEL)
def test_matches_reference(
    parallel_subject: Any, shape: tuple[int, int], parallel_run: Any, parallel_workers: int
) -> None:
    parallel_run(parallel_subject, UPPER_HALF, shape, 30, workers=parallel_workers, reference=mandelbrot)


@pytest.mark.parallel_workers(2)
@pytest.mark.parallel_subjects(PARALLEL)
def test_other_regions_and_a_limit_of_one(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    seahorses = Region(-0.78, -0.72, 0.05, 0.15)
    parallel_run(parallel_subject, seahorses, (13, 7), 200, workers=parallel_workers, reference=mandelbrot)
    parallel_run(parallel_subject, WHOLE, (3, 4), 1, workers=parallel_workers, reference=mandelbrot)


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize(
    ("region", "shape", "limit"),
    [(WHOLE, (-1, 4), 10), (WHOLE, (4, 4), 0), (Region(0.5, -2.0, 0.0, 1.0), (4, 4), 10)],
    ids=["negative-rows", "no-iterations", "empty-region"],
)
@pytest.mark.parallel_subjects(PARALLEL)
def test_what_cannot_be_plotted_is_refused(
    parallel_subject: Any,
    region: Region,
    shape: tuple[int, int],
    limit: int,
    parallel_run: Any,
    parallel_workers: int,
) -> None:
    with pytest.raises(ValueError, match=r"region|rows|limit"):
        parallel_run(parallel_subject, region, shape, limit, workers=parallel_workers)


@pytest.mark.parallel_workers(3)
@pytest.mark.parametrize("chunk", [1, 5, 100])
@pytest.mark.parametrize("dynamic", DYNAMIC, ids=name_of)
def test_tasks_of_several_rows(dynamic: Any, chunk: int, parallel_run: Any, parallel_workers: int) -> None:
    counts = parallel_run(dynamic, UPPER_HALF, (17, 8), 30, workers=parallel_workers, chunk=chunk)
    np.testing.assert_array_equal(counts, mandelbrot(UPPER_HALF, (17, 8), 30))


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize("dynamic", DYNAMIC, ids=name_of)
def test_tasks_of_no_rows_are_refused(dynamic: Any, parallel_run: Any, parallel_workers: int) -> None:
    with pytest.raises(ValueError, match=r"task of 0 rows never gets done: the chunk must be 1 or more"):
        parallel_run(dynamic, UPPER_HALF, (4, 4), 10, workers=parallel_workers, chunk=0)


@pytest.mark.parametrize("c", [0, -1, -2, 0.25, 1j, -1j, -0.12 + 0.75j])
def test_known_points_stay(c: complex) -> None:
    c = complex(c)
    assert count_point(c.real, c.imag, 1000) == 1000
    assert count_points(np.array([c.real]), np.array([c.imag]), 1000)[0] == 1000


@pytest.mark.parametrize(("c", "left_after"), [(3, 1), (2, 2), (1, 3), (-2.1, 1), (0.5, 5)])
def test_known_points_leave(c: float, left_after: int) -> None:
    # By hand: 1, 2, 5 and 2, 6 and 1/2, 3/4, 17/16, 1.63, 3.15.
    assert count_point(c, 0.0, 1000) == left_after
    assert count_points(np.array([c]), np.array([0.0]), 1000)[0] == left_after


@pytest.mark.parametrize(("epsilon", "published"), [(1.0, 3), (0.1, 33), (0.01, 315), (0.001, 3143)])
def test_pi_in_the_neck_of_the_set(epsilon: float, published: int) -> None:
    """D. Boll, 1991; A. Klebanoff, Fractals 9 (2001) 393: points above -3/4 leave after pi / epsilon iterations."""
    assert count_point(-0.75, epsilon, 10_000) == published


def test_the_kernel_is_the_definition() -> None:
    real, imag = reference.mandelbrot.axes(WHOLE, (25, 31))
    points = [[count_point(x, y, 300) for x in real.tolist()] for y in imag.tolist()]
    np.testing.assert_array_equal(mandelbrot(WHOLE, (25, 31), 300), points)


def test_tiles_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mandelbrot(WHOLE, (9, 7), 50)
    monkeypatch.setattr(reference.mandelbrot, "TILE", 14)  # two rows each, and one row at the end
    np.testing.assert_array_equal(mandelbrot(WHOLE, (9, 7), 50), whole)


def test_the_set_is_symmetric_and_has_its_area() -> None:
    """R. Munafo, T. Förstemann, 2012: the area is 1.50659."""
    counts = mandelbrot(WHOLE, (200, 200), 500)
    np.testing.assert_array_equal(counts, counts[::-1])
    assert inside_area(counts, WHOLE, 500) == pytest.approx(1.50659, abs=0.02)
    half = mandelbrot(UPPER_HALF, (100, 200), 500)
    np.testing.assert_array_equal(half, counts[100:])


def test_the_work_is_uneven_and_what_mends_it() -> None:
    """Work in iterations, so that nothing here depends on the machine."""
    work = mandelbrot(UPPER_HALF, (120, 100), 500).sum(axis=1)
    assert imbalance.imbalance(imbalance.shares_of(work, "block", 2)) > 1.5
    assert imbalance.imbalance(imbalance.shares_of(work, "cyclic", 2)) < 1.05
    both = mandelbrot(WHOLE, (120, 100), 500).sum(axis=1)
    assert imbalance.imbalance(imbalance.shares_of(both, "block", 2)) == pytest.approx(1.0)  # mirror images: luck
    assert imbalance.imbalance(imbalance.shares_of(both, "block", 3)) > 1.5


def test_imbalance_is_the_most_over_the_mean() -> None:
    assert imbalance.imbalance([3.0, 1.0]) == 1.5
    assert imbalance.imbalance([0.0, 0.0]) == 1.0


@pytest.mark.parallel_backends("processes")
def test_the_measurement_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    imbalance.main(["--rows=12", "--columns=10", "--limit=20", "--workers=2"])
    printed = capsys.readouterr().out
    for word in ("a pixel", "16 rows", "block", "cyclic", "dynamic", "imbalance"):
        assert word in printed


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize("implementation", [busy_times], ids=name_of)
def test_where_the_time_goes(
    implementation: Any, parallel_run: Any, parallel_workers: int, parallel_report: Any
) -> None:
    """For the report: the time of every pixel, of every chunk, and of every worker in each decomposition."""
    shape = (128, 192) if parallel_report.wanted else (12, 16)
    pixels_us = imbalance.pixel_times(UPPER_HALF, shape, 200)
    assert pixels_us.shape == shape
    parallel_report.map("Time of every pixel", pixels_us, unit="µs")

    chunks_us = imbalance.chunk_times(UPPER_HALF, shape, 200)
    rows = [[f"rows from {CHUNK * i}", time_us, time_us / chunks_us.mean()] for i, time_us in enumerate(chunks_us)]
    parallel_report.table("Time of every chunk", ["chunk", "µs", "part of the mean"], rows)

    found = []
    for decomposition in imbalance.DECOMPOSITIONS:
        busy_s = parallel_run(implementation, UPPER_HALF, shape, 200, decomposition, workers=parallel_workers)
        assert len(busy_s) == parallel_workers
        assert sum(busy_s) > 0
        found.append([decomposition, *(f"{one * 1e3:.2f}" for one in busy_s), imbalance.imbalance(busy_s)])
    header = ["decomposition", "most busy, ms", "least busy, ms", "imbalance"]
    parallel_report.table("Imbalance of each decomposition", header, found)


def test_a_missing_matplotlib_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SystemExit, match=r"--plot needs matplotlib.*pip install"):
        imbalance.main([f"--plot={tmp_path}"])


@pytest.mark.benchmark(max_time=0.3)
@pytest.mark.parametrize("shape", [(120, 160)], ids=name_of_shape)
@pytest.mark.parallel_subjects(
    [serial, pool_map_block, pool_imap_unordered, ipyparallel_load_balanced, mpi_master_worker]
)
def test_speed(
    parallel_subject: Any, shape: tuple[int, int], parallel_run: Any, parallel_workers: int, benchmark: Any
) -> None:
    counts = benchmark(parallel_run, parallel_subject, UPPER_HALF, shape, 200, workers=parallel_workers)
    np.testing.assert_array_equal(counts, mandelbrot(UPPER_HALF, shape, 200))
