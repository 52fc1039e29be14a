"""The interpreter lock: the same count of primes everywhere. How fast is for the benchmark table to say."""

from __future__ import annotations

from typing import Any

import pytest

from cases.gil.process_python import process_python
from cases.gil.serial import serial_numpy, serial_python
from cases.gil.thread_numpy import thread_numpy
from cases.gil.thread_python import thread_python
from reference.gil import count_primes, count_primes_with_numpy

PARALLEL = [thread_python, process_python, thread_numpy]

# Nothing, fewer numbers than workers, uneven, backwards, not from the beginning.
RANGES = [(0, 0), (0, 3), (2, 103), (9, 4), (7900, 8000)]

# The number of primes below each power of ten: sequence A006880 of the On-Line Encyclopedia of Integer Sequences.
PRIMES_BELOW = {1: 0, 10: 4, 100: 25, 1000: 168, 10_000: 1229}
# And below powers of two: A007053.
PRIMES_BELOW |= {2**14: 1900, 2**16: 6542}


@pytest.mark.parametrize("count", [count_primes, count_primes_with_numpy])
@pytest.mark.parametrize("stop", PRIMES_BELOW)
def test_the_references_agree_with_the_encyclopedia(count: Any, stop: int) -> None:
    assert count(0, stop) == PRIMES_BELOW[stop]


@pytest.mark.parametrize(("start", "stop"), RANGES)
def test_the_references_agree_with_each_other(start: int, stop: int) -> None:
    assert count_primes(start, stop) == count_primes_with_numpy(start, stop)


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize(("start", "stop"), RANGES)
@pytest.mark.parallel_subjects(PARALLEL)
def test_matches_reference(
    parallel_subject: Any, start: int, stop: int, parallel_run: Any, parallel_workers: int
) -> None:
    parallel_run(parallel_subject, start, stop, workers=parallel_workers, reference=count_primes)


@pytest.mark.parallel_workers(1, 2)
@pytest.mark.parallel_subjects([serial_python, serial_numpy, *PARALLEL])
def test_a_start_below_zero_is_refused(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    with pytest.raises(ValueError, match="start"):
        parallel_run(parallel_subject, -1, 10, workers=parallel_workers)


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parallel_workers(1, 2)
@pytest.mark.parallel_subjects([serial_python, thread_python, process_python])
def test_speed_of_python(parallel_subject: Any, parallel_run: Any, parallel_workers: int, benchmark: Any) -> None:
    found = benchmark(parallel_run, parallel_subject, 0, 2**14, workers=parallel_workers)
    assert found == PRIMES_BELOW[2**14]


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.parallel_workers(1, 2)
@pytest.mark.parallel_subjects([serial_numpy, thread_numpy])
def test_speed_of_numpy(parallel_subject: Any, parallel_run: Any, parallel_workers: int, benchmark: Any) -> None:
    found = benchmark(parallel_run, parallel_subject, 0, 2**16, workers=parallel_workers)
    assert found == PRIMES_BELOW[2**16]
