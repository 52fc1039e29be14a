"""From a run that failed to an explanation: the smallest schedule that fails, carried out again, and drawn."""

from __future__ import annotations

import time
from dataclasses import replace

from pytest_parallel_lab.explore import evidence
from pytest_parallel_lab.explore.endings import Ending, Endings
from pytest_parallel_lab.explore.plan import REPLAYS
from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.explore.runs import Runs
from pytest_parallel_lab.explore.shrink import Fails, shrink
from pytest_parallel_lab.explore.strategies.bounded import Bounded
from pytest_parallel_lab.model.exploration import HASH_SEED, ITSELF, WHO_GOES_WHEN, Failure
from pytest_parallel_lab.model.sameness import DIFFERENT
from pytest_parallel_lab.model.schedule import Schedule

_SHRINK_TRIES = 60
_SHRINK_LIMIT_S = 3.0
_SINGLE_TRIES = 30


class Explainer:
    """Explains failures of one exploration."""

    def __init__(self, runs: Runs, endings: Endings, base: Schedule) -> None:
        """Begin.

        Args:
            runs: carries out runs.
            endings: of all runs so far.
            base: the usual schedule.
        """
        self._runs = runs
        self._endings = endings
        self._base = base

    def explain(self, failed: Record, usual: Record | None) -> Failure:
        """Make the schedule small, carry it out again, and draw it.

        Args:
            failed: the run that did.
            usual: the run under the usual schedule.
        """
        until_s = time.monotonic() + _SHRINK_LIMIT_S
        ending = self._endings.see(failed, counts=False)[0]
        if failed.schedule.free:  # that nobody chose who goes when: there is nothing to carry out again
            return self.failure(failed, failed.schedule, ending, 0, 0, always=False)

        def fails(schedule: Schedule) -> bool:
            return time.monotonic() < until_s and self.fails(self._runs.follow(schedule)) is not None

        always = not self._endings.varied
        hangs = ending.kind in ("hangs", "unfinished")
        small = failed.schedule if always else shrink(failed.schedule, fails, 8 if hangs else _SHRINK_TRIES)
        if not (always or hangs) and len(small.turns) > 1 and usual is not None:
            small = self._with_one_turn(small, usual, fails) or small
        last = failed
        replayed = 0
        for _ in range(1 if hangs else REPLAYS):
            record = self._runs.follow(small)
            again = self.fails(record)
            if again is not None:
                replayed += 1
                last, ending = record, again
        why = self._why(failed, small, usual)
        return self.failure(last, small, ending, replayed, 1 if hangs else REPLAYS, always=always, why=why)

    def _with_one_turn(self, schedule: Schedule, usual: Record, fails: Fails) -> Schedule | None:
        """A schedule with a single turn out of order that fails too, if one is soon found: it is told more easily."""
        singles = Bounded(usual)
        for _ in range(_SINGLE_TRIES):
            if not singles.begin():
                return None
            candidate = replace(schedule, turns=singles.turns)
            if fails(candidate):
                return candidate
        return None

    def _why(self, failed: Record, schedule: Schedule, usual: Record | None) -> str:
        """What the outcome depends on."""
        if schedule.turns:
            return WHO_GOES_WHEN
        if failed is usual:  # what made the others end otherwise?
            others = self._endings.seen()[1:]
            by_hash = all(seen.schedule.hash_seed != self._base.hash_seed for seen in others)
            return HASH_SEED if others and by_hash else WHO_GOES_WHEN
        if schedule.hash_seed == self._base.hash_seed or self.fails(self._runs.follow(self._base)) is not None:
            return ITSELF
        return HASH_SEED

    def failure(
        self,
        record: Record,
        schedule: Schedule,
        ending: Ending,
        replayed: int,
        replays: int,
        *,
        always: bool,
        why: str = WHO_GOES_WHEN,
    ) -> Failure:
        """What is known of a run that failed."""
        record.schedule = schedule
        return Failure(
            schedule=schedule,
            outcome=ending.text,
            expected=self._endings.expected_text,
            traceback=ending.traceback,
            verdict=ending.verdict,
            interleaving=evidence.interleaving(record) if schedule.turns else "",
            replayed=replayed,
            replays=replays,
            latent=_is_latent(record),
            always=always,
            exception=ending.packed if ending.kind == "raised" else b"",
            why=why,
            kind=ending.kind,
            printed=record.printed,
        )

    def fails(self, record: Record) -> Ending | None:
        """How a run ended, if that is wrong; it is not counted."""
        ending, judged = self._endings.see(record, counts=False)
        return ending if judged == DIFFERENT else None


def _is_latent(record: Record) -> bool:
    """Whether a thread lost its turn to another one of its process where it was about to read or store."""
    chosen = [decision.chosen for decision in record.decisions]
    for step, label in record.schedule.turns:
        loser = chosen[step - 1] if 0 < step < len(chosen) else label
        if loser in chosen[step:] and loser != label and _process(loser) == _process(label):
            op = record.decisions[chosen.index(loser, step)].op
            if op.startswith(("reads ", "stores ", "deletes ", "changes ", "looks ")):
                return True
    return False


def _process(label: str) -> str:
    words = label.split(".")
    while words[-1].startswith("t"):
        words.pop()
    return ".".join(words)
