"""Runs on sites: the same tests on Slurm, Grid Engine and several hosts."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sites.project import LIMIT_S, Project
from tests.sites.site import ROOT, Site

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.timeout(240)

SITES = ["slurm", "gridengine", "hosts"]
CASES = "(hello_world or matmul or mandelbrot or deadlock) and mpi"
NODES = {"slurm": {"n1", "n2"}, "gridengine": {"exec1", "exec2"}, "hosts": {"node1", "node2", "node3"}}


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def project(tmp_path: Path, site: Site, tests: str, more: str = "") -> Project:
    return Project(tmp_path, site, tests, more)


def test_the_cases_run_unchanged(site: Site, tmp_path: Path) -> None:
    made = project(tmp_path, site, "")
    # Collected from where they are, as their own project would; its tables of sites are ours.
    text = made.run(
        *("-c", str(tmp_path / "pyproject.toml"), "--rootdir", str(ROOT), str(ROOT / "cases"), "-m", CASES),
        *("--parallel-workers=3", "--benchmark-disable", "--parallel-require=mpi", "-q"),
        limit_s=200,
    )
    assert re.search(r"^\d\d+ passed", text, re.MULTILINE), text
    assert "failed" not in text
    assert "error" not in text


def test_ranks_are_on_every_node_and_stay_warm(site: Site, tmp_path: Path) -> None:
    made = project(
        tmp_path,
        site,
        """
import os, socket

def where(comm): return comm.size, socket.gethostname(), os.getpid()

def test_first(mpiexec):
    print("hosts", *{host for size, host, pid in mpiexec(where, ranks=4)})
    test_first.ranks = mpiexec(where, ranks=4)
    assert [size for size, _, _ in test_first.ranks] == [4] * 4

def test_second(mpiexec): assert mpiexec(where, ranks=4) == test_first.ranks
""",
    )
    text = made.run("-rP")
    assert "2 passed" in text, text
    (hosts,) = re.findall(r"^hosts (.*)$", text, re.MULTILINE)
    assert set(hosts.split()) == NODES[site.kind]


def test_stuck_ranks_tell_from_every_host(site: Site, tmp_path: Path) -> None:
    made = project(
        tmp_path,
        site,
        """
def waits_in_vain(comm):
    print("I wait", comm.rank)
    comm.recv(source=(comm.rank + 1) % comm.size)

def test_it(mpiexec): mpiexec(waits_in_vain, ranks=4)
""",
    )
    text = made.run("-v")
    assert "Deadlock: deadlock: ranks 0, 1, 2, 3 can never go on" in text, text
    for rank in range(4):
        assert re.search(
            rf"### rank {rank} on \w+, pid \d+: is in recv\n.*\n.*test_it.py\", line 4 in waits_in_vain", text
        )
        assert f"stdout of rank {rank} call ------------------------\nI wait {rank}\n" in text
    assert set(re.findall(r"### rank \d on (\w+)", text)) == NODES[site.kind]


def test_a_rank_that_dies(site: Site, tmp_path: Path) -> None:
    made = project(
        tmp_path,
        site,
        """
import os, signal

def kills(comm):
    if comm.rank == 3: os.kill(os.getpid(), signal.SIGKILL)
    comm.Barrier()

def test_dies(mpiexec): mpiexec(kills, ranks=4)
def test_others_go_on(mpiexec): assert mpiexec(rank_of, ranks=4) == [0, 1, 2, 3]
def rank_of(comm): return comm.rank
""",
    )
    text = made.run()
    assert "1 failed, 1 passed" in text, text
    assert re.search(r"### rank 3 of 4 on \w+ \(pid \d+\) was killed by signal 9 \(SIGKILL\) in the middle", text)
    assert "says: job" not in text  # the scheduler has no part in it


def test_clocks_of_hosts_are_told_apart(site: Site, tmp_path: Path) -> None:
    made = project(tmp_path, site, "")
    made.directory.joinpath("program.py").write_text("""
import sys, time
from pathlib import Path
from pytest_parallel_lab import Lab, Settings
from pytest_parallel_lab.model.site import parse_site
from pytest_parallel_lab.model.site_tables import read_tables

def clock(comm):
    time.sleep(0.1)
    comm.Barrier()
    return time.perf_counter()

site = parse_site(sys.argv[1], read_tables(Path("pyproject.toml")), "here")
with Lab(Settings(site=site, spans=True)) as lab:
    lease = lab.lease("mpi", 4, spans=True)
    lease.run(clock)
    outcome = lease.run(clock)
    lease.end()
    shown = outcome.values()
    print("apart", max(shown) - min(shown))
    print("section", outcome.section.elapsed_s)
    print("left the barrier", *(max(s.end_s for s in outcome.section.spans if s.worker == rank) for rank in range(4)))
""")
    done = subprocess.run(
        site.command(sys.executable, "program.py", site.kind),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=made.directory,
        env=made.environment,
    )
    told = {line.rsplit(" ", 1)[0] if "left" not in line else "left": line for line in done.stdout.splitlines()}
    assert float(told["apart"].split()[-1]) > 900, done.stderr  # what their own clocks show
    assert 0.1 <= float(told["section"].split()[-1]) < 5
    left_s = [float(word) for word in told["left"].split()[3:]]
    assert max(left_s) - min(left_s) < 1


def test_an_interrupted_run_leaves_nothing(site: Site, tmp_path: Path) -> None:
    made = project(tmp_path, site, SLEEPS)
    with made.running() as process:
        made.wait_for(lambda: len(list(tmp_path.glob("up-*"))) == 4)
        os.kill(process.pid, signal.SIGINT)
        text, _ = process.communicate(timeout=LIMIT_S)
    assert "KeyboardInterrupt" in text
    assert made.kept() == []


SLEEPS = """
import time
from pathlib import Path

def sleeps(comm):
    Path(f"up-{comm.rank}").touch()
    if comm.rank: time.sleep(600)
    comm.Barrier()

def test_it(mpiexec): mpiexec(sleeps, ranks=4)
"""


def test_a_killed_session_leaves_nothing(site: Site, tmp_path: Path) -> None:
    made = project(tmp_path, site, SLEEPS)
    with made.running() as process:
        made.wait_for(lambda: len(list(tmp_path.glob("up-*"))) == 4)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(LIMIT_S)
    made.wait_for(lambda: made.kept() == [])
    made.wait_for(lambda: site.queue() == [])


def test_keys_are_seen_by_nobody_else(site: Site, tmp_path: Path) -> None:
    made = project(tmp_path, site, SLEEPS.replace("if comm.rank: time.sleep(600)", "time.sleep(3)"))
    seen: dict[str, int] = {}

    def look() -> bool:
        for path in (tmp_path / "home").rglob("key-*"):
            seen[path.read_text()] = stat.S_IMODE(path.stat().st_mode)
        return len(list(tmp_path.glob("up-*"))) == 4

    with made.running() as process:
        made.wait_for(look)
        assert all(key not in command for command in command_lines() for key in seen)
        assert seen
        assert set(seen.values()) == {0o600}
        text, _ = process.communicate(timeout=LIMIT_S)
    assert "1 passed" in text, text


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text())
        except OSError:
            continue
    return found
