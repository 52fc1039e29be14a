"""Schedules in which every turn is drawn by lot."""

from __future__ import annotations

import random

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import Searched

_RELUCTANT = 0.1


class RandomWalk:
    """Gives every turn to one of those who could have it, each with the same probability."""

    def __init__(self, seed: int) -> None:
        """Begin.

        Args:
            seed: the same one gives the same schedules.
        """
        self._random = random.Random(f"walk {seed}")
        self._runs = 0

    def begin(self) -> bool:
        """There is always another."""
        return True

    def choose(self, decision: Decision) -> str:
        """Draw; those who would rather wait are drawn now and then only."""
        eager = decision.candidates[: decision.eager]
        if eager and (len(eager) == len(decision.candidates) or self._random.random() > _RELUCTANT):
            return self._random.choice(eager)
        return self._random.choice(decision.candidates)

    def ended(self, record: Record) -> Searched:
        """Count."""
        self._runs += 1
        return Searched("random walk", self._runs)
