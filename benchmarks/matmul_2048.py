"""Matrix multiplication at 2048 x 2048 on 2 workers, beside NumPy's own BLAS with 2 threads.

    python benchmarks/matmul_2048.py [rounds]

All arms run in the same kind of process, in random order within each round. Then the memory that
belongs to each pool worker alone, which shows that the arguments were not copied.
"""

from __future__ import annotations

import random
import statistics
import sys
from typing import Any

import numpy as np
import psutil

from cases.matmul.mpi_scatter import mpi_scatter
from cases.matmul.shared_memory import shared_memory
from cases.matmul.thread_rows import thread_rows
from pytest_parallel_lab import Lab
from reference.matmul import Matrix, matmul

N = 2048


def blas(a: Matrix, b: Matrix) -> Matrix:
    """NumPy with two BLAS threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2):
        return matmul(a, b)


ARMS: list[tuple[str, Any, str, int]] = [
    ("NumPy, 2 BLAS threads", blas, "serial", 1),
    ("NumPy, 1 BLAS thread", matmul, "serial", 1),
    ("threads", thread_rows, "threads", 2),
    ("shared memory", shared_memory, "processes", 2),
    ("MPI", mpi_scatter, "mpi", 2),
]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    generator = np.random.default_rng(1)
    a, b = generator.standard_normal((2, N, N))
    with Lab() as lab:
        leases = {(backend, p): lab.lease(backend, p) for _, _, backend, p in ARMS if lab.missing(backend) is None}
        arms = [arm for arm in ARMS if arm[2:] in leases]
        times_s: dict[str, list[float]] = {name: [] for name, *_ in arms}
        for _ in range(rounds + 1):
            for name, function, backend, p in random.sample(arms, len(arms)):
                outcome = leases[backend, p].run(function, a, b)
                outcome.result()
                times_s[name].append(outcome.elapsed_s)
        base = times_s[ARMS[0][0]]
        print(f"{N} x {N}, {rounds} rounds (and one to warm up), medians:")
        for name, times in times_s.items():
            ratio = statistics.median(t / s for t, s in zip(times[1:], base[1:]))
            print(f"  {name:<22} {statistics.median(times[1:]):.3f} s   {ratio:.2f} x NumPy with 2 threads")
        outcome = leases["processes", 2].run(shared_memory, a, b)
        matrix_mb = a.nbytes / 2**20
        for report in outcome.reports[1:]:
            own_mb = psutil.Process(report.worker.pid).memory_full_info().uss / 2**20
            print(f"  {report.worker.label}: {own_mb:.0f} MB of its own (each matrix has {matrix_mb:.0f} MB)")
        for lease in leases.values():
            lease.end()


if __name__ == "__main__":
    main()
