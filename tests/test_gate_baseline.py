"""How a baseline comes to be: a worktree, and its project before what is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_parallel_lab.gate.checkout import Checkout, current_checkout, prepare_baseline
from pytest_parallel_lab.gate.environment import install, installed_project
from pytest_parallel_lab.model.errors import BadSetting, StartFailed
from tests.test_gate import commit, git

# A build backend in the tree, so that nothing has to be fetched for it.
BACKEND = """
import zipfile

def build_wheel(directory, settings=None, metadata=None):
    name = "tiny-2.0-py3-none-any.whl"
    info = "tiny-2.0.dist-info"
    with zipfile.ZipFile(f"{directory}/{name}", "w") as wheel:
        wheel.write("tiny.py")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 2.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "tiny"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "inner").mkdir(parents=True)
    git(root, "init", "--quiet")
    (root / ".gitignore").write_text("cache\n")
    (root / "inner" / "value.txt").write_text("old")
    commit(root, "old")
    (root / "inner" / "value.txt").write_text("new")
    return root


def nobody(_: str) -> None:
    raise AssertionError("nothing was to be built")


def test_a_commit_is_built_once(repository: Path) -> None:
    told: list[str] = []
    cache = repository / "cache"
    found = prepare_baseline("HEAD", repository / "inner", cache, told.append)
    assert (found.root / "value.txt").read_text() == "old"
    assert found.commit == git(repository, "rev-parse", "HEAD")[:12]
    assert told[0].startswith("baseline: checking out HEAD (")
    assert prepare_baseline("HEAD", repository / "inner", cache, nobody) == found
    assert current_checkout(repository).commit == f"{found.commit}-dirty"


def test_old_baselines_are_forgotten(repository: Path) -> None:
    cache = repository / "cache"
    for number in range(6):
        (repository / "inner" / "value.txt").write_text(str(number))
        commit(repository, str(number))
        prepare_baseline("HEAD", repository, cache, lambda _: None)
    assert len([one for one in cache.iterdir() if one.is_dir()]) == 4
    assert len(git(repository, "worktree", "list").splitlines()) == 5


def test_another_checkout_is_taken_as_it_is(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(repository), "other")
    (tmp_path / "other" / "value.txt").write_text("edited")
    found = prepare_baseline(str(tmp_path / "other"), repository, repository / "cache", lambda _: None)
    assert found.root == tmp_path / "other"
    assert found.commit.endswith("-dirty") or found.commit


def test_a_version_goes_before_the_one_that_is_installed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "backend.py").write_text(BACKEND)
    (tree / "pyproject.toml").write_text(PROJECT)
    (tree / "tiny.py").write_text("")
    install(str(tree), tmp_path / "packages")
    install(str(tree), tmp_path / "packages")  # in place of what is there
    code = "import importlib.metadata, tiny; print(tiny.__file__, importlib.metadata.version('tiny'))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "packages")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [str(tmp_path / "packages" / "tiny.py"), "2.0"]
    assert installed_project(tree) is None  # not here


def test_a_project_that_cannot_be_installed(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "backend.py").write_text("raise RuntimeError('no compiler here')")
    with pytest.raises(StartFailed, match=r"(?s)the baseline .* was not installed; pip said:.*no compiler here"):
        install(str(tmp_path), tmp_path / "packages")


def test_a_project_is_named_by_any_of_its_files(tmp_path: Path) -> None:
    assert installed_project(tmp_path) is None
    (tmp_path / "setup.py").write_text("setup(name='numpy', version='0')")
    assert installed_project(tmp_path) == "numpy"
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'no-such-project'")
    assert installed_project(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(StartFailed, match=r"pyproject.toml is no TOML"):
        installed_project(tmp_path)


def test_a_ref_outside_any_repository(tmp_path: Path) -> None:
    with pytest.raises(
        BadSetting, match=r"--parallel-gate=main: is no directory and no NAME==VERSION, and as a git ref"
    ):
        prepare_baseline("main", tmp_path, tmp_path / "cache", nobody)


def test_a_shallow_clone_has_no_history(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")
    with pytest.raises(BadSetting, match=r"this clone is shallow: fetch it, in CI with fetch-depth: 0"):
        prepare_baseline("v1.0", tmp_path / "shallow", tmp_path / "cache", nobody)


def test_sources_that_hide_an_installed_version(tmp_path: Path) -> None:
    (tmp_path / "packages" / "tiny").mkdir(parents=True)
    version = Checkout(tmp_path, "tiny==1.0", tmp_path / "packages", is_version=True)
    hiding = {"conftest": str(tmp_path / "conftest.py"), "tiny": str(tmp_path / "tiny" / "__init__.py")}
    assert version.hidden_by(hiding) == "tiny"
    assert version.hidden_by({"tiny": str(tmp_path / "packages" / "tiny" / "__init__.py")}) == ""
    assert Checkout(tmp_path, "abc", tmp_path / "packages").hidden_by(hiding) == ""  # a commit's sources are its own


def test_a_version_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"the baseline numpy==0.0.0.0 was not installed; pip said:"):
        prepare_baseline("numpy==0.0.0.0", tmp_path, tmp_path / "cache", lambda _: None)
