"""The interpreter lock, on 2 workers: pure Python on threads and on processes, NumPy on threads.

    python -m benchmarks.gil [rounds]

Each is compared with the serial version of the same function. All are timed once a round, in random order; the
speed-up is that of the best times, as other programs on the machine can only make a run slower. Beside it, the
median over the rounds of the speed-ups within one round.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Callable
from typing import Any

from cases.gil.process_python import process_python
from cases.gil.serial import serial_numpy, serial_python
from cases.gil.thread_numpy import thread_numpy
from cases.gil.thread_python import thread_python
from pytest_parallel_lab import Lab

WORKERS = 2
PYTHON_STOP = 100_000
NUMPY_STOP = 200_000

# What it is called, the implementation, its backend and workers, where it stops counting, what it is compared with.
ARMS: list[tuple[str, Callable[..., Any], str, int, int, str]] = [
    ("Python, serial", serial_python, "serial", 1, PYTHON_STOP, "Python, serial"),
    ("Python, 1 thread", thread_python, "threads", 1, PYTHON_STOP, "Python, serial"),
    (f"Python, {WORKERS} threads", thread_python, "threads", WORKERS, PYTHON_STOP, "Python, serial"),
    (f"Python, {WORKERS} processes", process_python, "processes", WORKERS, PYTHON_STOP, "Python, serial"),
    ("NumPy, serial", serial_numpy, "serial", 1, NUMPY_STOP, "NumPy, serial"),
    ("NumPy, 1 thread", thread_numpy, "threads", 1, NUMPY_STOP, "NumPy, serial"),
    (f"NumPy, {WORKERS} threads", thread_numpy, "threads", WORKERS, NUMPY_STOP, "NumPy, serial"),
]


def lock() -> str:
    """Whether this interpreter has the lock."""
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return "with" if enabled else "without"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    times_s: dict[str, list[float]] = {name: [] for name, *_ in ARMS}
    with Lab() as lab:
        leases = {(backend, workers): lab.lease(backend, workers) for _, _, backend, workers, _, _ in ARMS}
        for _ in range(rounds + 1):
            for name, function, backend, workers, stop, _ in random.sample(ARMS, len(ARMS)):
                outcome = leases[backend, workers].run(function, 0, stop, timed=True)
                outcome.result()
                times_s[name].append(outcome.elapsed_s)
        for lease in leases.values():
            lease.end()
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"CPython {version} {lock()} the interpreter lock, best of {rounds} rounds (and one to warm up):")
    for name, *_, base in ARMS:
        times, bases = times_s[name][1:], times_s[base][1:]
        median = statistics.median(b / t for t, b in zip(times, bases))
        print(f"  {name:<20} {min(times):.3f} s   speed-up {min(bases) / min(times):.2f} (median {median:.2f})")


if __name__ == "__main__":
    main()
