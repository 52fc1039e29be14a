"""The protocol of strategies."""

from __future__ import annotations

from typing import Protocol

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import Searched


class Strategy(Protocol):
    """Chooses who goes when, run after run."""

    def begin(self) -> bool:
        """Begin a run; False where there is none left to try."""

    def choose(self, decision: Decision) -> str:
        """Who has the turn: one of the candidates."""

    def ended(self, record: Record) -> Searched:
        """Take in how a run went; how much has been searched by now."""
