"""Small projects with planted losses: what they time consists of units, of which the slower version does more."""

from __future__ import annotations

import subprocess
from pathlib import Path

UNITS = 100
"""Of every test in the baseline: a loss of 5 % is 5 units more."""

_PROGRAMS = {
    "kernel": """
        def units(n):
            total = 0
            for unit in range(n):
                for i in range(500):
                    total += i * i % 7
            return total > 0

        def run(benchmark, parallel_run, n):
            assert benchmark(units, n)
    """,
    "matmul": """
        import numpy as np
        a = np.random.default_rng(0).random((64, 64))

        def units(n):
            for unit in range(n):
                product = a @ a
            return product

        def run(benchmark, parallel_run, n):
            benchmark(units, n)
    """,
    "pool": """
        from pytest_parallel_lab import implementation

        def units(n):
            total = 0
            for unit in range(n):
                for i in range(500):
                    total += i * i % 7
            return total > 0

        @implementation("processes")
        def in_pool(pool, n, *, workers):
            return pool.map(units, [n] * workers)

        def run(benchmark, parallel_run, n):
            benchmark(parallel_run, in_pool, n, workers=2)
    """,
    "broadcast": """
        import numpy as np
        from pytest_parallel_lab import implementation

        @implementation("mpi")
        def broadcast(comm, n):
            numbers = np.zeros(20_000)
            for unit in range(n):
                comm.Bcast(numbers)
            return 0

        def run(benchmark, parallel_run, n):
            benchmark(parallel_run, broadcast, n, workers=2)
    """,
}
KINDS = tuple(_PROGRAMS)
_TEST = """
import pytest
{program}
MORE = {more!r}

@pytest.mark.parametrize("number", range(len(MORE)))
def test_it(benchmark, parallel_run, number):
    run(benchmark, parallel_run, {units} + MORE[number])
"""


def write(directory: Path, kind: str, losses: list[int]) -> None:
    """Write a project: one commit without losses, and a working tree with them.

    Args:
        directory: empty.
        kind: what is timed, of ``KINDS``.
        losses: of every test, in percent.
    """
    from textwrap import dedent

    def tests(more: list[int]) -> str:
        return _TEST.format(program=dedent(_PROGRAMS[kind]), more=more, units=UNITS)

    file = directory / "test_it.py"
    (directory / ".gitignore").write_text("__pycache__\n.pytest_cache\n*.json\n")
    (directory / "pytest.ini").write_text("[pytest]\n")
    file.write_text(tests([0] * len(losses)))
    for words in (["init", "-q"], ["add", "-A"], [*_NOBODY, "commit", "-qm", "base"]):
        subprocess.run(["git", *words], cwd=directory, check=True)
    file.write_text(tests(losses))


_NOBODY = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org"]
