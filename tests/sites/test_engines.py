"""ipyparallel engines on sites, and harm done to ranks there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sites.projects import TABLES, Project
from tests.sites.site import Site

ENGINES = """
import socket, time
import pytest
from pytest_parallel_lab import implementation

def host():
    print("engine on", socket.gethostname())
    return socket.gethostname()

@implementation("ipyparallel")
def hosts(view): return view.apply_sync(host)

@implementation("ipyparallel")
def naps(view): return view.apply_sync(time.sleep, 2)  # the client waits without a limit: no deadlock

@implementation("ipyparallel")
def raises(view): view.apply_sync(int, "none")

def test_hosts(parallel_run): print("hosts", *parallel_run(hosts, workers=WORKERS))
def test_naps(parallel_run): assert parallel_run(naps, workers=WORKERS) == [None] * WORKERS
def test_client(ipcluster): assert len(ipcluster(WORKERS)[:].apply_sync(host)) == WORKERS
def test_raises(parallel_run):
    with pytest.raises(Exception, match="invalid literal for int"):
        parallel_run(raises, workers=WORKERS)
"""
CHAOS = """
import time
from pytest_parallel_lab import implementation

@implementation("mpi")
def waits(comm):
    time.sleep(1)
    comm.Barrier()

def test_rank(chaos):
    survived = chaos(waits, harm="kill-rank", after_s=0.2, workers=3)
    assert "was killed by signal 9 (SIGKILL) in the middle of the run" in str(survived.error)
"""


@pytest.fixture(params=list(TABLES))
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the sites."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def test_engines_are_on_every_node(site: Site, tmp_path: Path) -> None:
    pytest.importorskip("ipyparallel")
    workers = 3 if site.kind == "hosts" else 4
    session = Project(site, tmp_path, ENGINES.replace("WORKERS", str(workers))).run("-rP", "test_project.py")
    assert session.counts == {"passed": 4}, session.printed
    (told,) = (line for line in session.printed.splitlines() if line.startswith("hosts "))
    assert set(told.split()[1:]) == set(site.nodes)
    for place, host in enumerate(told.split()[1:]):  # each engine's output is under its own number
        heading = f"Captured stdout of engine {place} call"
        assert f"engine on {host}\n" in session.printed.partition(heading)[2].partition("Captured stdout")[0]


def test_engines_that_are_ranks(hosts_site: Site, tmp_path: Path) -> None:
    pytest.importorskip("ipyparallel")
    tests = """
from pytest_parallel_lab import implementation

def size():
    from mpi4py import MPI
    return MPI.COMM_WORLD.size

@implementation("ipyparallel")
def sizes(view): return view.apply_sync(size)

def test_it(parallel_run): assert parallel_run(sizes, workers=3) == [3, 3, 3]
"""
    session = Project(hosts_site, tmp_path, tests).run("--parallel-engines=mpi", "test_project.py")
    assert session.counts == {"passed": 1}, session.printed


def test_a_launcher_of_engines_that_sites_do_not_have(slurm_site: Site, tmp_path: Path) -> None:
    pytest.importorskip("ipyparallel")
    session = Project(slurm_site, tmp_path, ENGINES.replace("WORKERS", "2")).run(
        "--parallel-engines=ssh", "-x", "test_project.py"
    )
    assert "--parallel-engines=ssh: on a site its own launcher starts engines; give local" in session.printed


@pytest.mark.parametrize("kind", ["slurm", "hosts"])
def test_chaos_reaches_ranks_on_other_hosts(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    site: Site = request.getfixturevalue(f"{kind}_site")
    session = Project(site, tmp_path, CHAOS).run()
    assert session.counts == {"passed": 1}, session.printed
