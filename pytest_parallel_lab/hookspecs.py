"""The hooks that other plugins and conftests can implement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_parallel_lab.backends.base import Backend


@pytest.hookspec
def pytest_parallel_backends(config: pytest.Config) -> Sequence[Backend]:  # type: ignore[empty-body]
    """Give backends beyond those that come with the package.

    One of the same name as an existing backend replaces it. Derive from ``RunnerBackend`` and
    ``Host`` for workers that a runner can own, or implement ``Backend`` from the ground.
    """


@pytest.hookspec(firstresult=True)
def pytest_parallel_problem(item: pytest.Item) -> str | None:
    """Say what a test computes, its problem: reports put the tests of one problem together.

    By default that is the name of the test's module, without ``test_``.
    """
