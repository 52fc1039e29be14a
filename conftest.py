"""The lab's problems: each folder of ``cases`` is one, and its tests carry its name as a mark."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]  # for tests/: pytest takes it from the top conftest only

CASES = Path(__file__).parent / "cases"


SLOW = "slow: shows with another program what a test beside it shows; left out unless -m asks for it"


def pytest_configure(config: pytest.Config) -> None:
    """Declare a mark for each problem; the first line of its package's docstring says what it is."""
    config.addinivalue_line("markers", SLOW)
    for package in sorted(CASES.glob("*/__init__.py")):
        docstring = ast.get_docstring(ast.parse(package.read_text())) or ""
        config.addinivalue_line("markers", f"{package.parent.name}: {docstring.partition(chr(10))[0].rstrip('.')}")


def pytest_parallel_problem(item: pytest.Item) -> str | None:
    """Reports put the tests of a problem together."""
    return item.path.relative_to(CASES).parts[0] if item.path.is_relative_to(CASES) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of a problem with its name."""
    if item.path.is_relative_to(CASES):
        problem = item.path.relative_to(CASES).parts[0]
        item.add_marker(problem)


def left_out(config: pytest.Config) -> bool:
    """Whether slow tests are left out: not where -m says which of them are wanted."""
    return "slow" not in config.option.markexpr


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say what is left out."""
    return "slow tests: left out, unless named one by one; -m slow runs them" if left_out(config) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless it is asked for."""
    if not left_out(config):
        return
    slow = [item for item in items if item.get_closest_marker("slow") and item.nodeid not in config.args]
    if slow:
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
