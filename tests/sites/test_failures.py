"""What goes wrong past one machine is told at once, in the scheduler's own words, and nothing stays behind."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import pytest_parallel_lab
from tests.sites.projects import TABLES, Project, Session
from tests.sites.site import Site, missing

NODES_WITH_LAST_RANK = {"slurm": "n2", "gridengine": "exec2", "hosts": "node3"}
SAYS = {"slurm": r"Slurm says: job \d+ ", "gridengine": r"Grid Engine says: job \d+ "}

RUNS = """
import os, socket, time
from pathlib import Path
from typing import Any

def sleeps(comm):
    Path(f"up-{comm.rank}-{socket.gethostname()}").touch()
    print("rank", comm.rank, "sleeps", flush=True)
    time.sleep(600)

def test_it(mpiexec):
    mpiexec(sleeps, ranks=RANKS)
"""
SIZE = """
def test_it(mpiexec):
    assert mpiexec(lambda comm: comm.size, ranks=2) == [2, 2]
"""


@pytest.fixture(params=list(TABLES))
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the sites."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(params=["slurm", "gridengine"])
def queue_site(request: pytest.FixtureRequest) -> Site:
    """Each of the sites that have a queue."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(scope="module", autouse=True)
def over_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session | None]:
    """A job on a Slurm of its own, over its limit while other tests run: Slurm looks every 30 s whose time is up."""
    if missing("slurm"):
        yield None
        return
    site, path = Site("slurm"), tmp_path_factory.mktemp("over_time")
    try:
        with Project(site, path, RUNS.replace("RANKS", "4"), time_limit="1").start() as session:
            session.wait_until(lambda: len(list(path.glob("up-*"))) == 4)
            (job,) = site.queue()
            done = site.run("scontrol", "update", f"jobid={job.number}", "EndTime=now+1")  # a minute is the shortest
            assert done.returncode == 0, done.stderr
            yield session
    finally:
        site.close()


def ranks_of(site: Site) -> int:
    return 3 if site.kind == "hosts" else 4


def running(site: Site, tmp_path: Path, do: Callable[[Session], None], **changes: Any) -> str:
    """Have something happen when all ranks run; what pytest prints about it."""
    ranks = ranks_of(site)
    project = Project(site, tmp_path, RUNS.replace("RANKS", str(ranks)), **changes)
    with project.start() as session:
        session.wait_until(lambda: len(list(tmp_path.glob("up-*"))) == ranks)
        do(session)
        session.wait()
    assert kept(project) == []
    return session.printed


def kept(project: Project) -> list[Path]:
    return list(project.home.iterdir()) if project.home.exists() else []


def test_a_node_is_lost(site: Site, tmp_path: Path) -> None:
    """Without power, or, on hosts, behind a cable that was pulled: there ranks go on, and have to end by themselves."""
    last = ranks_of(site) - 1
    lost = ""

    def lose(session: Session) -> None:
        nonlocal lost
        (up,) = tmp_path.glob(f"up-{last}-*")
        lost = up.name.split("-")[-1]
        if site.kind == "hosts":
            site.cut(lost)
        else:
            site.down(lost)

    printed = running(site, tmp_path, lose)
    assert re.search(rf"### rank {last} of {last + 1} on {lost} \(pid \d+\) ", printed), printed
    first = re.search(r"WorkerDied: mpi: rank (\d) ", printed)  # of those on that node, the one that was noticed first
    assert first is not None, printed
    assert f"### rank {first[1]} of {last + 1} on {lost} (pid " in printed
    assert "### rank 0 of " in printed
    if site.kind in SAYS:
        assert re.search(SAYS[site.kind], printed), printed
    else:
        assert f"No answer any more from {lost}" in printed, printed


def test_ctrl_c(site: Site, tmp_path: Path) -> None:
    printed = running(site, tmp_path, lambda session: session.send(signal.SIGINT))
    assert "KeyboardInterrupt" in printed


def test_pytest_is_killed(site: Site, tmp_path: Path) -> None:
    ranks = ranks_of(site)
    project = Project(site, tmp_path, RUNS.replace("RANKS", str(ranks)))
    with project.start() as session:
        session.wait_until(lambda: len(list(tmp_path.glob("up-*"))) == ranks)
        session.kill()
    assert left_after(lambda: kept(project)) == []


def left_after(look: Callable[[], list[Path]]) -> list[Path]:
    """What is left once nothing is, or at the limit."""
    deadline = time.monotonic() + 15
    while (left := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_a_job_that_never_starts(queue_site: Site, tmp_path: Path) -> None:
    where = {"slurm": {"partition": "closed"}, "gridengine": {"queue": "closed.q"}}[queue_site.kind]
    session = Project(queue_site, tmp_path, SIZE, queue_limit_s=2, **where).run()
    assert session.counts == {"error": 1} or session.counts == {"failed": 1}
    pattern = r"job \d+ waited in the queue for 2 s and was cancelled. " + SAYS[queue_site.kind]
    assert re.search(pattern, session.printed), session.printed
    reason = {"slurm": "Reason=PartitionDown", "gridengine": "closed.q"}[queue_site.kind]
    assert reason in session.printed
    assert "set queue_limit_s in [tool.parallel_lab.sites" in session.printed


def test_ctrl_c_in_the_queue(queue_site: Site, tmp_path: Path) -> None:
    where = {"slurm": {"partition": "closed"}, "gridengine": {"queue": "closed.q"}}[queue_site.kind]
    project = Project(queue_site, tmp_path, SIZE, **where)
    with project.start() as session:
        session.wait_until(queue_site.queue)
        session.send(signal.SIGINT)
        session.wait()
    assert "KeyboardInterrupt" in session.printed
    assert kept(project) == []


def test_a_job_that_is_refused(queue_site: Site, tmp_path: Path) -> None:
    where = {"slurm": {"partition": "nowhere"}, "gridengine": {"parallel_environment": "nowhere"}}[queue_site.kind]
    session = Project(queue_site, tmp_path, SIZE, **where).run()
    assert "did not take the job. It says: " in session.printed
    says = {
        "slurm": "invalid partition specified: nowhere",
        "gridengine": 'parallel environment "nowhere" does not exist',
    }
    assert says[queue_site.kind] in session.printed, session.printed


def test_hosts_that_cannot_be_reached(hosts_site: Site, tmp_path: Path) -> None:
    hosts_site.cut("node2")
    hosts_site.down("node3")
    session = Project(hosts_site, tmp_path, SIZE).run()
    assert "2 of 3 hosts cannot be used:" in session.printed, session.printed
    for host in ("node2", "node3"):
        assert re.search(rf"{host}: ssh cannot get there: ssh: connect to host {host} port 22: ", session.printed)


def test_a_node_without_python(site: Site, tmp_path: Path) -> None:
    node = NODES_WITH_LAST_RANK[site.kind]
    for one in site.nodes if site.kind != "hosts" else [node]:
        site.hide(one, sys.prefix)
    session = Project(site, tmp_path, SIZE.replace("ranks=2", "ranks=4")).run()
    ended, gone = "the job ended before its ranks could be started. ", rf"(.|\n)*{sys.executable}: not found"
    expected = {
        "slurm": ended + r"Slurm says: .*JobState=FAILED" + gone,
        "gridengine": ended + "Grid Engine says: " + gone,
        "hosts": rf"1 of 3 hosts cannot be used:\n.*{node}: has no {sys.executable}, the Python of this session",
    }
    assert re.search(expected[site.kind], session.printed), session.printed


@pytest.mark.parametrize("kind", ["slurm", "gridengine"])
def test_one_node_without_python(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    site: Site = request.getfixturevalue(f"{kind}_site")
    site.hide(NODES_WITH_LAST_RANK[kind], sys.prefix)
    session = Project(site, tmp_path, SIZE.replace("ranks=2", "ranks=4")).run()
    assert session.counts == {"failed": 1}
    # The node may be the one that the job itself runs on: then it is the shell that says so.
    said = rf"{sys.prefix}/bin/[\w.]+: .*(No such file or directory|not found)"
    assert re.search(said, session.printed), session.printed


def test_a_host_without_the_package(hosts_site: Site, tmp_path: Path) -> None:
    hosts_site.hide("node2", Path(pytest_parallel_lab.__file__).parent)
    session = Project(hosts_site, tmp_path, SIZE).run()
    said = r"node2: has Python, but not what it needs to run ranks: \w+Error: .*'pytest_parallel_lab"
    assert re.search(said, session.printed), session.printed


def test_srun_without_the_right_protocol(slurm_site: Site, tmp_path: Path) -> None:
    session = Project(slurm_site, tmp_path, SIZE, mpi="none").run()
    assert "each of them is a world of its own" in session.printed, session.printed
    assert 'Set mpi = "pmi2" for MPICH in [tool.parallel_lab.sites.slurm]' in session.printed


def test_a_job_over_its_time_limit_in_grid_engine(gridengine_site: Site, tmp_path: Path) -> None:
    session = Project(gridengine_site, tmp_path, RUNS.replace("RANKS", "4"), time_limit="0:0:6").run()
    check_over_time(session)
    assert re.search(r"Grid Engine says: job \d+ is not in the queue any more", session.printed), session.printed


def test_a_job_over_its_time_limit_in_slurm(slurm_site: Site, over_time: Session) -> None:
    over_time.wait()
    check_over_time(over_time)
    assert re.search(r"Slurm says: job \d+ .*Reason=TimeLimit", over_time.printed), over_time.printed
    assert "DUE TO TIME LIMIT" in over_time.printed
    for rank in range(4):  # whom Slurm sends SIGTERM first, so that what they printed can still be told
        heading = f" Captured stdout of rank {rank} call "
        told = over_time.printed.partition(heading)[2].partition("Captured stdout")[0]
        assert f"rank {rank} sleeps" in told, over_time.printed


def check_over_time(session: Session) -> None:
    assert session.counts == {"failed": 1}
    assert "WorkerDied: mpi: rank " in session.printed
    for rank in range(4):
        assert f"### rank {rank} of 4 on " in session.printed
    assert kept(session.project) == []
    assert session.project.site.queue() == []
