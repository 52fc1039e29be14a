"""All schedules with few turns out of order, one after the other."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter

from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import Searched

_Turns = tuple[tuple[int, str], ...]


class Bounded:
    """Enumerates.

    Source: preemption-bounded search (Musuvathi & Qadeer, PLDI 2007). Here a turn out of order is
    counted wherever it is given, also where the one who went last has to wait and another than the
    next is let go on; that is delay-bounded search (Emmi, Qadeer & Rakamaric, POPL 2011).
    """

    def __init__(self, usual: Record, bound: int = 1) -> None:
        """Begin from the usual schedule.

        Args:
            usual: the run without a turn out of order.
            bound: how many such turns a schedule has at most.
        """
        self._bound = bound
        self._order = itertools.count()
        self._left: list[tuple[int, int, int, int, _Turns]] = []
        self.turns: _Turns = ()
        """Those out of order, of the schedule that is next."""
        self._wanted: dict[int, str] = {}
        self._runs: Counter[int] = Counter()
        self._total: Counter[int] = Counter()
        self._strayed = False
        self._expand((), usual)

    def begin(self) -> bool:
        """Take the next schedule: synchronisation first, and where a place is passed for the first time."""
        if not self._left:
            return False
        self.turns = heapq.heappop(self._left)[-1]
        self._wanted = dict(self.turns)
        self._strayed = False
        return True

    def choose(self, decision: Decision) -> str:
        """Follow the schedule."""
        wanted = self._wanted.get(decision.step, decision.usual)
        if wanted in decision.candidates:
            return wanted
        self._strayed = True
        return decision.usual

    def ended(self, record: Record) -> Searched:
        """Note what could have gone otherwise after the last turn out of order."""
        if self._strayed or len(record.decisions) <= self.turns[-1][0]:
            record.outside = record.outside or "a turn could not be given that could before"
        cost = len(self.turns)
        self._runs[cost] += 1
        if cost < self._bound:
            self._expand(self.turns, record)
        return Searched(f"bound {cost}", self._runs[cost], self._total[cost])

    def _expand(self, turns: _Turns, record: Record) -> None:
        start = turns[-1][0] + 1 if turns else 0
        for decision in record.decisions[start:]:
            for label in decision.candidates:
                if label != decision.chosen:
                    key = (len(turns) + 1, decision.tier, decision.occurrence, next(self._order))
                    heapq.heappush(self._left, (*key, (*turns, (decision.step, label))))
                    self._total[len(turns) + 1] += 1
