"""The scripts that measure, from the action and from the page on CI, carried out on a small project."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.ci import examples, git, parsed, run_step, steps_of

SPEED = """
from kernel import total

def test_total(benchmark):
    assert benchmark(total, 1000) > 0
"""
KERNEL = """
def total(n):
    result = 0
    for i in range(n):
        result += i
    return result
"""
OTHER = KERNEL.replace("result += i", "result += 2 * i")  # the verdict on another answer needs no figures


@pytest.fixture
def change(tmp_path: Path) -> Path:
    """A clone of a project, at a branch whose kernel gives another answer than the one of origin/main."""
    upstream = tmp_path / "upstream"
    (upstream / "tests").mkdir(parents=True)
    (upstream / "tests/test_speed.py").write_text(SPEED)
    (upstream / "tests/kernel.py").write_text(KERNEL)
    git(upstream, "init", "-q")
    git(upstream, "add", ".")
    git(upstream, "commit", "-q", "-m", "first")
    git(upstream, "checkout", "-q", "-b", "change")
    (upstream / "tests/kernel.py").write_text(OTHER)
    git(upstream, "commit", "-q", "-a", "-m", "other")
    git(upstream, "checkout", "-q", "main")
    git(tmp_path, "clone", "-q", "--branch=change", f"file://{upstream}", "clone")
    return tmp_path / "clone"


def test_the_action_stops_a_pull_request(change: Path) -> None:
    status, _, found = run_step("Find the base", change, PYTHON=sys.executable, BASE="", GITHUB_BASE_REF="main")
    assert status == 0
    asked = ["tests/test_speed.py", "", "--parallel-gate-metrics=time", "-k", "total and not other"]
    told = {"PYTHON": sys.executable, "BASE": found["base"], "ARGUMENTS": "\n".join(asked)}
    status, printed, _ = run_step("Measure both", change, **told, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(change))
    assert status == 1, printed
    results = change / "parallel-gate"
    (test,) = json.loads((results / "gate.json").read_text())["tests"]
    assert test["verdict"] == "wrong"
    assert "wrong" in (results / "gate.md").read_text()
    (case,) = ElementTree.parse(results / "junit.xml").iter("testcase")
    assert case.find("failure") is not None
    assert "::error file=tests/test_speed.py,line=4,title=gate" in printed
    kept = change / ".pytest_cache/d/parallel-gate"  # what the action puts into its cache
    assert [path.name for path in kept.glob(f"{found['base']}*")] != []


def test_the_page_s_job_for_tests_leaves_its_artifacts(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_double.py").write_text("""
from pytest_parallel_lab import implementation

@implementation("threads")
def double(pool, values):
    return list(pool.map(abs, values))

def test_double(parallel_run, benchmark):
    assert benchmark.pedantic(parallel_run, (double, [1, -2]), {"workers": 1}, rounds=3) == [1, 2]
""")
    (script,) = (step["run"] for step in steps_of(parsed(examples("yaml")[0])) if step.get("name") == "Tests")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={**environment, "BACKENDS": "serial,threads"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"report.html", "benchmark.json", "junit.xml"}
