"""How the integral scales, for the same work and for the same work of each worker."""

from __future__ import annotations

from typing import Any

import pytest

from cases.pi.mpi_reduce import mpi_integral
from cases.pi.pool_map import pool_integral
from cases.pi.thread_map import thread_integral
from reference.pi import integral

INTERVALS = 4_000_000


@pytest.mark.scaling(workers=[1, 2], rounds=7, seconds=0.3)
@pytest.mark.parallel_subjects([thread_integral, pool_integral, mpi_integral])
def test_strong_scaling(parallel_subject: Any, scaling: Any) -> None:
    curve = scaling(parallel_subject, INTERVALS, reference=integral, rtol=1e-12, size=INTERVALS, unit="intervals")
    assert curve.speed_up(2).value > 0


@pytest.mark.scaling(mode="weak", workers=[1, 2], rounds=7, seconds=0.3)
@pytest.mark.parallel_subjects([pool_integral])
def test_weak_scaling(parallel_subject: Any, scaling: Any) -> None:
    curve = scaling(
        parallel_subject,
        arguments=lambda workers: (INTERVALS * workers,),
        reference=integral,
        rtol=1e-12,
        size=INTERVALS,
        unit="intervals",
    )
    assert curve.mode == "weak"
