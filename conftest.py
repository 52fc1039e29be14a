"""The lab's problems: each folder of ``cases`` is one, and its tests carry its name as a mark."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]  # for tests/: pytest takes it from the top conftest only

CASES = Path(__file__).parent / "cases"
PROBLEMS = {
    "matmul": "matrix multiplication by row blocks, on every backend",
    "survival": "a map whose worker dies or is stopped in the middle of it",
}


def pytest_configure(config: pytest.Config) -> None:
    """Declare a mark for each problem."""
    for name, what in PROBLEMS.items():
        config.addinivalue_line("markers", f"{name}: {what}")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests of a problem with its name."""
    if item.path.is_relative_to(CASES):
        problem = item.path.relative_to(CASES).parts[0]
        item.add_marker(problem)
