"""Pi on all backends: the same value from all, and errors as the theory has them."""

from __future__ import annotations

import math
from typing import Any

import pytest

import reference.pi
import reference.random_mean
from cases.pi.error_table import errors, lines
from cases.pi.executor_map import executor_integral, executor_monte_carlo
from cases.pi.ipyparallel_view import ipyparallel_integral, ipyparallel_monte_carlo
from cases.pi.mpi_reduce import mpi_integral, mpi_monte_carlo
from cases.pi.pool_map import pool_integral, pool_monte_carlo
from cases.pi.serial import serial_integral, serial_monte_carlo
from cases.pi.thread_map import thread_integral, thread_monte_carlo
from pytest_parallel_lab import name_of

INTEGRALS = [thread_integral, pool_integral, executor_integral, ipyparallel_integral, mpi_integral]
MONTE_CARLOS = [
    thread_monte_carlo,
    pool_monte_carlo,
    executor_monte_carlo,
    ipyparallel_monte_carlo,
    mpi_monte_carlo,
]

# Darts and length of a chunk: one dart, a last chunk of one, fewer chunks than workers, one dart each.
DARTS = [(1, 4), (1001, 100), (12, 8), (5, 1)]

BAD_DARTS = {
    "no samples": ((0, 1, 8), r"samples=0: throw at least 1 dart"),
    "negative samples": ((-3, 1, 8), r"samples=-3: throw at least 1 dart"),
    "no chunk": ((10, 1, 0), r"chunk=0: a chunk holds at least 1 number"),
    "negative seed": ((10, -1, 8), r"seed=-1: a seed is a whole number of at least 0"),
}


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize("intervals", [1, 2, 7, 100_001])  # fewer than workers, uneven, several pieces
@pytest.mark.parallel_subjects(INTEGRALS)
def test_integral_matches_reference(
    parallel_subject: Any, intervals: int, parallel_run: Any, parallel_workers: int
) -> None:
    pi = reference.pi.integral
    parallel_run(parallel_subject, intervals, workers=parallel_workers, reference=pi, rtol=1e-12)


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize(("samples", "chunk"), DARTS)
@pytest.mark.parallel_subjects(MONTE_CARLOS)
def test_monte_carlo_matches_reference(
    parallel_subject: Any, samples: int, chunk: int, parallel_run: Any, parallel_workers: int
) -> None:
    pi = reference.pi.monte_carlo
    parallel_run(parallel_subject, samples, 7, chunk, workers=parallel_workers, reference=pi, rtol=1e-12)


@pytest.mark.parametrize("implementation", MONTE_CARLOS, ids=name_of)
def test_darts_give_the_same_bits_whatever_the_number_of_workers(implementation: Any, parallel_run: Any) -> None:
    arguments = 10_000, 3, 900
    estimates = {parallel_run(implementation, *arguments, workers=workers) for workers in (1, 2, 3)}
    assert estimates == {reference.pi.monte_carlo(*arguments)}


@pytest.mark.parametrize("intervals", [0, -3])
@pytest.mark.parametrize("implementation", [serial_integral, *INTEGRALS], ids=name_of)
def test_no_intervals_are_refused(implementation: Any, intervals: int, parallel_run: Any) -> None:
    with pytest.raises(ValueError, match=f"intervals={intervals}: the midpoint rule needs at least 1 interval"):
        parallel_run(implementation, intervals)


@pytest.mark.parametrize(("arguments", "message"), BAD_DARTS.values(), ids=BAD_DARTS)
@pytest.mark.parametrize("implementation", [serial_monte_carlo, *MONTE_CARLOS], ids=name_of)
def test_bad_darts_are_refused(
    implementation: Any, arguments: tuple[int, int, int], message: str, parallel_run: Any
) -> None:
    with pytest.raises(ValueError, match=message):
        parallel_run(implementation, *arguments)


def test_integral_by_hand() -> None:
    assert reference.pi.integral(1) == 3.2  # 4 / (1 + 1/4)
    assert reference.pi.integral(2) == pytest.approx((64 / 17 + 64 / 25) / 2, rel=1e-15)  # midpoints 1/4 and 3/4


@pytest.mark.parametrize("intervals", [10, 1000, 100_000])
def test_the_error_of_the_integral_falls_with_the_square(intervals: int) -> None:
    error = reference.pi.integral(intervals) - math.pi
    # The midpoint rule's error is h²/24 (f'(0) - f'(1)) with f'(0) = 0 and f'(1) = -2; rounding adds a few ulps.
    assert error == pytest.approx(1 / (12 * intervals**2), rel=1e-2, abs=4 * math.ulp(math.pi))


@pytest.mark.parametrize("samples", [100, 10_000, 1_000_000])
def test_the_error_of_monte_carlo_falls_with_the_root(samples: int) -> None:
    standard_error = math.sqrt(math.pi * (4 - math.pi) / samples)
    deviations = [(reference.pi.monte_carlo(samples, seed) - math.pi) / standard_error for seed in range(20)]
    spread = math.sqrt(math.fsum(deviation**2 for deviation in deviations) / len(deviations))
    assert max(map(abs, deviations)) < 4
    assert 0.5 < spread < 1.6  # of 20 standard normal numbers, in all but one case of a thousand


def test_errors_do_not_depend_on_the_workers(parallel_run: Any) -> None:
    integrals, darts = errors(parallel_run, 1000, (1, 2))
    assert integrals == pytest.approx([1 / (12 * 1000**2)] * 2, rel=1e-6)
    assert darts == [reference.pi.monte_carlo(1000, 1) - math.pi] * 2


def test_the_table_of_errors() -> None:
    def run(function: Any, *arguments: int, workers: int) -> float:
        return math.pi + 0.5

    table = list(lines(run, 100))
    assert len(table) == 4
    assert {row.count("|") for row in table} == {10}
    assert table[-1] == "| 1e+02 |" + " 5.0e-01 |" * 6 + " 8.3e-06 | 1.6e-01 |"


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("intervals", [2_000_000])
@pytest.mark.parallel_subjects([serial_integral, *INTEGRALS])
def test_integral_speed(parallel_subject: Any, intervals: int, parallel_run: Any, benchmark: Any) -> None:
    assert benchmark(parallel_run, parallel_subject, intervals) == pytest.approx(math.pi, rel=1e-12)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parametrize("samples", [1_000_000])
@pytest.mark.parallel_subjects([serial_monte_carlo, *MONTE_CARLOS])
def test_monte_carlo_speed(parallel_subject: Any, samples: int, parallel_run: Any, benchmark: Any) -> None:
    pi = benchmark(parallel_run, parallel_subject, samples, 1, reference.random_mean.CHUNK)
    assert pi == pytest.approx(reference.pi.monte_carlo(samples, 1), rel=1e-12)
