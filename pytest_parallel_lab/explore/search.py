"""The search for a schedule that fails, within a budget."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pytest_parallel_lab.explore import evidence
from pytest_parallel_lab.explore.endings import Ending, Endings
from pytest_parallel_lab.explore.inside.streams import number_from
from pytest_parallel_lab.explore.plan import ALWAYS_AFTER, REPLAYS, Plan
from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.explore.runs import Runs
from pytest_parallel_lab.explore.shrink import shrink
from pytest_parallel_lab.explore.strategies.base import Strategy
from pytest_parallel_lab.explore.strategies.bounded import Bounded
from pytest_parallel_lab.explore.strategies.pct import Pct
from pytest_parallel_lab.explore.strategies.random_walk import RandomWalk
from pytest_parallel_lab.model.exploration import (
    HASH_SEED,
    ITSELF,
    STRAYED,
    WHO_GOES_WHEN,
    Exploration,
    Failure,
    Searched,
)
from pytest_parallel_lab.model.sameness import CLOSE, DIFFERENT
from pytest_parallel_lab.model.schedule import Schedule

_HASH_SEEDS = 3
_HASH_SEEDS_AT = 0.3  # of the budget, or when all at bound 1 are done
_SLOW = 0.03  # of the budget: runs that take longer are few
_SHRINK_TRIES = 60
_SHRINK_LIMIT_S = 3.0


class Search:
    """One exploration."""

    def __init__(self, runs: Runs, plan: Plan, progress: Callable[[str], None]) -> None:
        """Begin.

        Args:
            runs: carries out runs.
            plan: what is wanted.
            progress: told how far it is, in words.
        """
        self._runs = runs
        self._plan = plan
        self._progress = progress
        self._began_s = time.monotonic()
        self._endings = Endings(plan.rtol, plan.atol, plan.reference)
        self._searched: dict[str, Searched] = {}
        self._outside = ""
        self._saturated = False
        self._numerical: Schedule | None = None
        self._usual: Record | None = None
        self._hashes_tried = False
        self._streams: tuple[str, ...] = ()
        self._base = _usual(plan.seed, opcodes=plan.opcodes)

    def go(self) -> Exploration:
        """Search."""
        if self._plan.replay is not None:
            return self._replay(self._plan.replay)
        usual = self._usual = self._runs.follow(self._base, records=True)
        failed = self._take_in(usual)
        value = self._endings.usual
        assert value is not None
        if not self._streams and (failed is None or value.kind not in ("hangs", "unfinished")):
            failed = self._search(usual, failed)
        failure = self._explain(failed) if failed is not None else None
        shown = value.packed if value.kind == "returned" else b""
        return Exploration(
            value=value.value() if shown else None,
            runs=self._runs.count,
            elapsed_s=time.monotonic() - self._began_s,
            searched=tuple(self._searched.values()),
            outcomes=self._endings.seen(),
            failure=failure,
            numerical=self._numerical,
            same_streams=self._streams,
            evidence=evidence.data_races(usual),
            outside=self._outside,
            saturated=self._saturated,
            seed=self._plan.seed,
        )

    # --- searching -----------------------------------------------------------------------------

    def _search(self, usual: Record, failed: Record | None) -> Record | None:
        """Try schedule after schedule until one fails; where the usual one does, until one does not."""
        ending = self._endings.usual
        wrong = usual if failed is not None or (ending is not None and ending.kind in ("raised", "died")) else None
        others = self._others(usual)
        if wrong is not None:  # is it the hash seed's doing?
            others = itertools.chain(self._with_other_hashes(usual), others)
        for record in others:
            found = self._take_in(record)
            if self._streams or (self._plan.stops_at_numerical and self._numerical is not None):
                return None
            if failed is None and found is not None:
                return found
            if wrong is not None and (self._endings.differ or self._runs.count > ALWAYS_AFTER):
                return wrong
        return wrong

    def _others(self, usual: Record) -> Iterator[Record]:
        """Run after run: two of three by the first strategy as long as it has any left, the third by another."""
        first, *others = self._strategies(usual)
        if all(len(decision.candidates) == 1 for decision in usual.decisions):
            self._searched["bound 1"] = Searched("bound 1", 0, 0)
            others, exhausted = [], True
        else:
            exhausted = False
        for number in itertools.count(1):
            if self._left_s() <= 0 or self._runs.count >= self._plan.runs or (exhausted and not others):
                break
            if time.monotonic() - self._began_s > self._plan.seconds * _HASH_SEEDS_AT:
                yield from self._with_other_hashes(usual)
            strategy = first
            if exhausted or (others and number % 3 == 0):
                strategy = others[number // 3 % len(others)]
            if not strategy.begin():
                exhausted = True
                continue
            record = self._runs.conduct(self._base, strategy.choose)
            record.schedule = replace(self._base, turns=_turns(record))
            part = strategy.ended(record)
            self._searched[part.what] = part
            yield record
        yield from self._with_other_hashes(usual)

    def _strategies(self, usual: Record) -> list[Strategy]:
        made: dict[str, Callable[[], Strategy]] = {
            "bounded": lambda: Bounded(usual, self._plan.bound),
            "random": lambda: RandomWalk(self._plan.seed),
            "pct": lambda: Pct(self._plan.seed, len(usual.decisions)),
        }
        return [made[name]() for name in self._plan.strategies]

    def _with_other_hashes(self, usual: Record) -> Iterator[Record]:
        """One run for each of a few other hash seeds; none where that was done before, or is not wanted."""
        if self._hashes_tried or not self._plan.hash_seeds:
            return
        self._hashes_tried = True
        few = usual.elapsed_s > self._plan.seconds * _SLOW
        for i in range(1, 2 if few else _HASH_SEEDS + 1):
            if self._runs.count >= self._plan.runs:
                return
            yield self._runs.follow(replace(self._base, hash_seed=_hash_seed(self._plan.seed, i)))

    def _left_s(self) -> float:
        return self._began_s + self._plan.seconds - time.monotonic()

    def _take_in(self, record: Record) -> Record | None:
        """Note how a run ended; the run itself where it failed."""
        self._outside = self._outside or record.outside
        self._saturated = self._saturated or record.saturated
        ending, judged = self._endings.see(record)
        self._streams = self._streams or evidence.same_streams(record)
        self._progress(
            f"{self._runs.count} of at most {self._plan.runs} runs, {self._plan.seconds - self._left_s():.0f} s"
        )
        if judged == CLOSE and self._numerical is None:
            self._numerical = record.schedule
        if judged == DIFFERENT and ending.kind == "unfinished" and self._runs.count > 1:
            self._outside = self._outside or "a run had not come to its end in time"
            return None
        return record if judged == DIFFERENT else None

    # --- explaining ----------------------------------------------------------------------------

    def _explain(self, failed: Record) -> Failure:
        """Make the schedule small, carry it out again, and draw it."""
        until_s = time.monotonic() + _SHRINK_LIMIT_S
        ending = self._endings.see(failed, counts=False)[0]

        def fails(schedule: Schedule) -> bool:
            return time.monotonic() < until_s and self._fails(self._runs.follow(schedule)) is not None

        always = not self._endings.varied
        hangs = ending.kind in ("hangs", "unfinished")
        small = failed.schedule if always else shrink(failed.schedule, fails, 8 if hangs else _SHRINK_TRIES)
        last = failed
        replayed = 0
        for _ in range(1 if hangs else REPLAYS):
            record = self._runs.follow(small)
            again = self._fails(record)
            if again is not None:
                replayed += 1
                last, ending = record, again
        why = self._why(failed, small)
        return self._failure(last, small, ending, replayed, 1 if hangs else REPLAYS, always=always, why=why)

    def _why(self, failed: Record, schedule: Schedule) -> str:
        """What the outcome depends on."""
        if schedule.turns:
            return WHO_GOES_WHEN
        if failed is self._usual:  # what made the others end otherwise?
            others = self._endings.seen()[1:]
            by_hash = all(seen.schedule.hash_seed != self._base.hash_seed for seen in others)
            return HASH_SEED if others and by_hash else WHO_GOES_WHEN
        if schedule.hash_seed == self._base.hash_seed or self._fails(self._runs.follow(self._base)) is not None:
            return ITSELF
        return HASH_SEED

    def _failure(
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

    def _fails(self, record: Record) -> Ending | None:
        ending, judged = self._endings.see(record, counts=False)
        return ending if judged == DIFFERENT else None

    def _replay(self, schedule: Schedule) -> Exploration:
        """Carry out one schedule, after the usual one that it is compared with."""
        usual = self._runs.follow(_usual(schedule.seed, opcodes=schedule.opcodes))
        self._take_in(usual)
        record = self._runs.follow(schedule)
        ending, judged = self._endings.see(record)
        failed = self._fails(record)
        strayed = record.strayed or (bool(schedule.turns) and schedule.turns[-1][0] >= len(record.decisions))
        failure = None
        if failed is not None:
            failure = self._failure(record, schedule, failed, 1, 1, always=not self._endings.varied)
        return Exploration(
            value=ending.value() if ending.kind == "returned" else None,
            runs=self._runs.count,
            elapsed_s=time.monotonic() - self._began_s,
            searched=(),
            outcomes=self._endings.seen(),
            failure=failure,
            numerical=schedule if judged == CLOSE else None,
            outside=STRAYED if strayed else record.outside,
            seed=schedule.seed,
        )


def _usual(seed: int, *, opcodes: bool) -> Schedule:
    return Schedule(opcodes=opcodes, hash_seed=_hash_seed(seed, 0), seed=seed)


def _hash_seed(seed: int, number: int) -> int:
    return number_from(seed, f"hash {number}") % 1000 + 1  # 0 would switch hashing by seed off


def _turns(record: Record) -> tuple[tuple[int, str], ...]:
    return tuple((d.step, d.chosen) for d in record.decisions if d.chosen != d.usual)


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
