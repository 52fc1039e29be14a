"""The floors: imports point down only, and loading the plugin is light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_parallel_lab

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_parallel_lab"
FLOORS = [
    ["model"],
    ["keeper", "explore", "backends", "lease", "lab", "scaling", "gate"],  # each may import those before it
    [
        *("hookspecs", "options", "marks", "selection", "subjects", "benchmarking", "timeouts"),
        *("fixtures", "gating", "report"),
    ],
    ["__init__", "plugin"],
]
ROOMS_OF_FLOOR_1 = FLOORS[1]
HEAVY = ["numpy", "mpi4py", "ipyparallel", "matplotlib", "jinja2"]
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def imported(path: Path, *, at_import_only: bool = False) -> list[str]:
    """Full names of all modules that a file imports, from inside functions too unless told otherwise."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if at_import_only else ast.walk(tree)
    names = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def type_only(path: Path) -> list[str]:
    """Names imported under TYPE_CHECKING."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for inner in ast.walk(node):
                if isinstance(inner, ast.ImportFrom):
                    names += [f"{inner.module}.{alias.name}" for alias in inner.names]
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = room(path)
    used = set(imported(path)) - set(type_only(path))
    for name in used:
        if not name.startswith("pytest_parallel_lab."):
            continue
        there = name.split(".")[1]
        assert floor(there) <= floor(here), f"{here} imports {name} from a floor above"
        if here in ROOMS_OF_FLOOR_1 and there in ROOMS_OF_FLOOR_1:
            assert ROOMS_OF_FLOOR_1.index(there) <= ROOMS_OF_FLOOR_1.index(here), f"{here} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_upper_floors_know_pytest(path: Path) -> None:
    names = imported(path)
    assert not any(name.split(".")[0] == "_pytest" for name in names)
    if floor(room(path)) < 2:
        assert not any(name.split(".")[0] == "pytest" for name in names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_at_first_use(path: Path) -> None:
    eager = {name.split(".")[0] for name in imported(path, at_import_only=True)}
    assert not eager & set(HEAVY)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rooms_are_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300
    assert path.stem not in ("util", "utils", "helpers", "misc")


def test_loading_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        f"import sys\n\ndef test_nothing():\n    assert [n for n in {HEAVY} if n in sys.modules] == []\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_public_names_exist_and_are_documented() -> None:
    assert sorted(pytest_parallel_lab.__all__) == pytest_parallel_lab.__all__
    for name in pytest_parallel_lab.__all__:
        assert getattr(pytest_parallel_lab, name).__doc__, name


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'implementaton'"):
        importlib.import_module("pytest_parallel_lab").implementaton  # noqa: B018
