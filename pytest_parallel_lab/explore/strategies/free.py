"""Runs in which nobody is told when to go: for what cannot be made to take turns, and for a quick first look.

A thread may wait a moment where it synchronises, in every other run where it touches what others
may see as well; which ones do, and for how long, is drawn anew for every run.
"""

from __future__ import annotations

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import FREE_RUNS, Searched


class Free:
    """Chooses nothing."""

    def __init__(self) -> None:
        self._runs = 0

    def begin(self) -> bool:
        """There is always another."""
        return True

    def choose(self, decision: Decision) -> str:
        """Leave it as it is."""
        return decision.usual

    def ended(self, record: Record) -> Searched:
        """Count."""
        self._runs += 1
        return Searched(FREE_RUNS, self._runs)
