"""How the decompositions scale: the curves are in the terminal's summary and in the report."""

from __future__ import annotations

from typing import Any

import pytest

from cases.mandelbrot.mpi_master_worker import mpi_master_worker
from cases.mandelbrot.pool_imap_unordered import pool_imap_unordered
from cases.mandelbrot.pool_map_block import pool_map_block
from reference.mandelbrot import UPPER_HALF, mandelbrot

SHAPE = (256, 512)
LIMIT = 300


@pytest.mark.scaling(workers=[1, 2], rounds=7, seconds=0.5)
@pytest.mark.parallel_subjects([pool_map_block, pool_imap_unordered, mpi_master_worker])
def test_scaling(parallel_subject: Any, scaling: Any) -> None:
    rows, columns = SHAPE
    curve = scaling(
        parallel_subject, UPPER_HALF, SHAPE, LIMIT, reference=mandelbrot, size=rows * columns, unit="pixels"
    )
    assert curve.workers == (1, 2)
    for round_ in curve.point(2).breakdown:
        assert sum(worker.compute_s for worker in round_) > 0
