"""Matrix multiplication: is it right on every worker count and uneven size, and how fast is it?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference.matmul
from cases.matmul.executor_map import executor_map
from cases.matmul.ipyparallel_scatter import ipyparallel_scatter
from cases.matmul.mpi_scatter import mpi_scatter
from cases.matmul.pool_map import pool_map
from cases.matmul.serial import serial
from cases.matmul.shared_memory import shared_memory
from cases.matmul.thread_rows import thread_rows
from reference.matmul import Matrix

PARALLEL = [thread_rows, shared_memory, pool_map, executor_map, ipyparallel_scatter, mpi_scatter]

# Rows, inner dimension, columns: one element, nothing even, all even, large and odd, fewer rows than workers.
SIZES = [(1, 1, 1), (7, 5, 3), (64, 64, 64), (257, 129, 63), (2, 9, 4)]


def name_of_size(size: tuple[int, int, int]) -> str:
    return "x".join(map(str, size))


def make_matrices(size: tuple[int, int, int], seed: int = 1) -> tuple[Matrix, Matrix]:
    m, k, n = size
    random = np.random.default_rng(seed)
    return random.standard_normal((m, k)), random.standard_normal((k, n))


@pytest.mark.parallel_workers(1, 2, 3, 4)
@pytest.mark.parametrize("size", SIZES, ids=name_of_size)
@pytest.mark.parallel_subjects(PARALLEL)
def test_matches_reference(
    parallel_subject: Any, size: tuple[int, int, int], parallel_run: Any, parallel_workers: int
) -> None:
    a, b = make_matrices(size)
    parallel_run(
        parallel_subject, a, b, workers=parallel_workers, reference=reference.matmul.matmul, rtol=1e-12, atol=1e-12
    )


@pytest.mark.parallel_workers(3)
@pytest.mark.parallel_subjects(PARALLEL)
def test_integers_and_transposed(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    a = np.arange(35).reshape(5, 7).T  # 7 x 5, columns contiguous
    b = np.arange(20).reshape(5, 4)
    parallel_run(parallel_subject, a, b, workers=parallel_workers, reference=reference.matmul.matmul)


@pytest.mark.parallel_workers(2)
@pytest.mark.parallel_subjects(PARALLEL)
def test_shapes_that_do_not_fit_are_refused(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    with pytest.raises(Exception, match=r"mismatch|not aligned|CompositeError|matmul"):
        parallel_run(parallel_subject, np.ones((4, 3)), np.ones((5, 2)), workers=parallel_workers)


def test_reference_is_the_definition() -> None:
    a, b = make_matrices((7, 5, 3))
    np.testing.assert_allclose(reference.matmul.matmul(a, b), reference.matmul.matmul_by_definition(a, b), rtol=1e-12)


@pytest.mark.parametrize("size", [(512, 512, 512)], ids=name_of_size)
@pytest.mark.parallel_subjects([serial, *PARALLEL])
def test_speed(
    parallel_subject: Any, size: tuple[int, int, int], parallel_run: Any, parallel_workers: int, benchmark: Any
) -> None:
    a, b = make_matrices(size)
    c = benchmark(parallel_run, parallel_subject, a, b, workers=parallel_workers)
    np.testing.assert_allclose(c, reference.matmul.matmul(a, b), rtol=1e-10, atol=1e-10)
