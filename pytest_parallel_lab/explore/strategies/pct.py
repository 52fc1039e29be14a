"""Schedules by random priorities that change at a few random moments."""

from __future__ import annotations

import random

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import Searched


class Pct:
    """Probabilistic concurrency testing.

    Source: Burckhardt et al., ASPLOS 2010. We take the longest run so far for the number of steps,
    which is not known beforehand.
    """

    def __init__(self, seed: int, steps: int, depth: int = 3) -> None:
        """Begin.

        Args:
            seed: the same one gives the same schedules.
            steps: how many a run may be expected to have.
            depth: how many orders a bug needs; priorities change ``depth - 1`` times in a run.
        """
        self._random = random.Random(f"pct {seed}")
        self._steps = max(steps, 2)
        self._depth = depth
        self._runs = 0

    def begin(self) -> bool:
        """Draw new priorities, and when they change."""
        self._priorities: dict[str, float] = {}
        moments = range(1, self._steps)
        self._changes = set(self._random.sample(moments, min(self._depth - 1, len(moments))))
        return True

    def choose(self, decision: Decision) -> str:
        """Let the one with the highest priority go on; at a change it becomes the lowest."""
        if not decision.eager:
            return decision.usual
        eager = decision.candidates[: decision.eager]
        best = max(eager, key=self._priority)
        if decision.step in self._changes:
            self._priorities[best] = -float(decision.step)
            best = max(eager, key=self._priority)
        return best

    def _priority(self, label: str) -> float:
        return self._priorities.setdefault(label, self._random.random())

    def ended(self, record: Record) -> Searched:
        """Count, and learn how long runs are."""
        self._runs += 1
        self._steps = max(self._steps, len(record.decisions))
        return Searched("random priorities", self._runs)
