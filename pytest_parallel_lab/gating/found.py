"""What the session's gate has found, kept for its tests and for reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_parallel_lab.model.gate import GateRun

_FOUND: pytest.StashKey[GateRun] = pytest.StashKey()


def keep(config: pytest.Config, run: GateRun) -> None:
    """Keep what was found."""
    config.stash[_FOUND] = run


def found(config: pytest.Config) -> GateRun | None:
    """What was found; None in a session without a gate, and before it was measured."""
    return config.stash.get(_FOUND, None)
