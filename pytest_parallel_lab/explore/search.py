"""The search for a schedule that fails, within a budget."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pytest_parallel_lab.explore import evidence
from pytest_parallel_lab.explore.endings import Endings
from pytest_parallel_lab.explore.explaining import Explainer
from pytest_parallel_lab.explore.inside.streams import number_from
from pytest_parallel_lab.explore.plan import ALWAYS_AFTER, Plan
from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.explore.runs import Runs
from pytest_parallel_lab.explore.strategies.base import Strategy
from pytest_parallel_lab.explore.strategies.bounded import Bounded
from pytest_parallel_lab.explore.strategies.free import Free
from pytest_parallel_lab.explore.strategies.pct import Pct
from pytest_parallel_lab.explore.strategies.random_walk import RandomWalk
from pytest_parallel_lab.model.exploration import (
    FREE_RUNS,
    STRAYED,
    Exploration,
    Searched,
)
from pytest_parallel_lab.model.sameness import CLOSE, DIFFERENT
from pytest_parallel_lab.model.schedule import Schedule

_HASH_SEEDS = 3
_HASH_SEEDS_AT = 0.3  # of the budget, or when all at bound 1 are done
_SLOW = 0.03  # of the budget: runs that take longer are few
_SLOWEST = 0.2  # of the budget: a free run that takes longer is given up
_FREE_FIRST, _FREE_AT_MOST, _FREE_EVERY, _FREE_OUTSIDE = 3, 8, 8, 2
_FREE_FAILURES = 2


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
        self._slowest_free_s = 0.0
        self._failed_freely: list[Record] = []
        self._streams: tuple[str, ...] = ()
        self._base = _usual(plan.seed, opcodes=plan.opcodes)
        self._explainer = Explainer(runs, self._endings, self._base)

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
        failure = self._explainer.explain(failed, usual) if failed is not None else None
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
            if self._plan.strategies == ("free",) and self._is_sure(self._failed_freely):
                break  # no other run can show more
        return wrong or (self._failed_freely[-1] if self._is_sure(self._failed_freely) else None)

    def _is_sure(self, failed: list[Record]) -> bool:
        """Whether failures that cannot be carried out again are to be told: hangs are proved, others came twice."""
        return len(failed) >= _FREE_FAILURES or any(record.verdict is not None for record in failed)

    def _others(self, usual: Record) -> Iterator[Record]:
        """Run after run: two of three by the first strategy as long as it has any left, the third by another.

        A free run or two come first, as some programs go wrong in nearly all of them; later ones are rare.
        """
        others = self._strategies(usual)
        first = others.pop(0) if others else None
        free = Free() if "free" in self._plan.strategies else None
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
            if free is not None and (first is None or self._is_free(number)):
                yield self._freely(free)
                continue
            assert first is not None  # there is always a strategy
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

    def _is_free(self, number: int) -> bool:
        """Whether it is a free run's turn; more often where not everything can be told when to go."""
        if self._slowest_free_s > self._plan.seconds * _SLOW:
            return False
        if number <= _FREE_FIRST or (number <= _FREE_AT_MOST and self._failed_freely):
            return not self._is_sure(self._failed_freely)  # once it is, a schedule is what is missing
        return number % (_FREE_OUTSIDE if self._outside else _FREE_EVERY) == 0

    def _freely(self, free: Free) -> Record:
        free.begin()
        number = self._searched[FREE_RUNS].runs if FREE_RUNS in self._searched else 0
        record = self._runs.freely(self._base, number, self._plan.seconds * _SLOWEST)
        self._slowest_free_s = max(self._slowest_free_s, record.elapsed_s)
        self._searched[FREE_RUNS] = free.ended(record)
        return record

    def _strategies(self, usual: Record) -> list[Strategy]:
        made: dict[str, Callable[[], Strategy]] = {
            "bounded": lambda: Bounded(usual, self._plan.bound),
            "random": lambda: RandomWalk(self._plan.seed),
            "pct": lambda: Pct(self._plan.seed, len(usual.decisions)),
        }
        return [made[name]() for name in self._plan.strategies if name in made]

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
        if judged == DIFFERENT and record.schedule.free:
            if ending.kind != "unfinished":
                self._failed_freely.append(record)
            return None
        if judged == DIFFERENT and ending.kind == "unfinished" and self._runs.count > 1:
            self._outside = self._outside or "a run had not come to its end in time"
            return None
        return record if judged == DIFFERENT else None

    def _replay(self, schedule: Schedule) -> Exploration:
        """Carry out one schedule, after the usual one that it is compared with."""
        usual = self._runs.follow(_usual(schedule.seed, opcodes=schedule.opcodes))
        self._take_in(usual)
        record = self._runs.follow(schedule)
        ending, judged = self._endings.see(record)
        failed = self._explainer.fails(record)
        strayed = record.strayed or (bool(schedule.turns) and schedule.turns[-1][0] >= len(record.decisions))
        failure = None
        if failed is not None:
            failure = self._explainer.failure(record, schedule, failed, 1, 1, always=not self._endings.varied)
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


def usual_hash_seed(seed: int) -> int:
    """The hash seed of an exploration's usual schedule."""
    return _hash_seed(seed, 0)


def _usual(seed: int, *, opcodes: bool) -> Schedule:
    return Schedule(opcodes=opcodes, hash_seed=usual_hash_seed(seed), seed=seed)


def _hash_seed(seed: int, number: int) -> int:
    return number_from(seed, f"hash {number}") % 1000 + 1  # 0 would switch hashing by seed off


def _turns(record: Record) -> tuple[tuple[int, str], ...]:
    return tuple((d.step, d.chosen) for d in record.decisions if d.chosen != d.usual)
