"""What 20 tests on four ranks cost on Slurm: warm ranks in one job, beside one ``srun`` for every test.

    python -m benchmarks.site_ranks [--rounds 5] [--tests 20]

On the private Slurm of two nodes that the tests use, so its packages must be there. Each arm is a whole
pytest session, start and queue included, over the same tests: each adds the ranks up with allreduce. The
arms take turns in every round; a session of plain tests tells what pytest itself costs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.sites.site import Site, missing


@dataclass(frozen=True)
class Arm:
    """One way to run a test on four ranks of Slurm."""

    name: str
    source: str
    options: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()


PLAIN = """
import pytest

@pytest.mark.parametrize("i", range({tests}))
def test_it(i): pass
"""
OURS = """
import pytest

def total(comm): return comm.allreduce(comm.rank)

@pytest.mark.parametrize("i", range({tests}))
def test_it(mpiexec, i): assert mpiexec(total, ranks=4) == [6] * 4
"""
SRUN = """
import subprocess, sys
import pytest

PROGRAM = "from mpi4py import MPI; print(MPI.COMM_WORLD.allreduce(MPI.COMM_WORLD.rank))"

@pytest.mark.parametrize("i", range({tests}))
def test_it(i):
    command = ["srun", "--mpi=pmi2", "--ntasks=4", "--nodes=2", sys.executable, "-c", PROGRAM]
    assert subprocess.run(command, capture_output=True, text=True).stdout.split() == ["6"] * 4
"""
ALLOCATED = ("salloc", "--quiet", "--ntasks=4", "--nodes=2")
ARMS = [
    Arm("plain tests", PLAIN),
    Arm("one job, warm ranks", OURS, ("--parallel-site=slurm",)),
    Arm("one job, warm ranks, pytest inside it", OURS, ("--parallel-site=slurm",), ALLOCATED),
    Arm("one srun a test, each a job of its own", SRUN),
    Arm("one srun a test, inside one job", SRUN, (), ALLOCATED),
]


def session_s(site: Site, arm: Arm, directory: Path, tests: int) -> float:
    """Seconds of one pytest session, all of whose tests must pass."""
    (directory / "pyproject.toml").write_text('[tool.parallel_lab.sites.slurm]\nkind = "slurm"\nnodes = 2\n')
    (directory / "test_it.py").write_text(arm.source.format(tests=tests))
    command = [*arm.prefix, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arm.options, "test_it.py"]
    environ = {**os.environ, "HOME": str(directory)}
    began_s = time.perf_counter()
    done = subprocess.run(
        site.command(*command), cwd=directory, env=environ, capture_output=True, text=True, timeout=300
    )
    took_s = time.perf_counter() - began_s
    if f"{tests} passed" not in done.stdout:
        raise SystemExit(f"{arm.name}:\n{done.stdout}\n{done.stderr}")
    return took_s


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", type=int, default=20)
    options = parser.parse_args()
    if why := missing("slurm"):
        raise SystemExit(why)
    site = Site("slurm")
    took_s: dict[str, list[float]] = {arm.name: [] for arm in ARMS}
    try:
        with tempfile.TemporaryDirectory() as temporary:
            for _ in range(options.rounds):
                for arm in ARMS:
                    took_s[arm.name].append(session_s(site, arm, Path(temporary), options.tests))
    finally:
        site.close()
    plain = took_s[ARMS[0].name]
    print(f"{options.tests} tests on 4 ranks, whole sessions, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}:")
    for arm in ARMS:
        print(f"  {arm.name:<40} median {statistics.median(took_s[arm.name]):6.2f} s")
    for theirs, ours in ((ARMS[3], ARMS[1]), (ARMS[4], ARMS[2])):
        rounds = list(zip(took_s[theirs.name], took_s[ours.name], plain))
        whole = statistics.median(t / o for t, o, _ in rounds)
        over = statistics.median((t - p) / (o - p) for t, o, p in rounds)
        print(f"  {theirs.name}: {whole:.1f} times as long as '{ours.name}'; {over:.1f} times over what pytest costs")


if __name__ == "__main__":
    main()
