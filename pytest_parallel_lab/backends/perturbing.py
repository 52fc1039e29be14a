"""Exploring what cannot be made to take turns: ranks and engines run freely, again and again, each time perturbed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_parallel_lab.backends.base import WorkerGroup
from pytest_parallel_lab.backends.delaying import run_delayed
from pytest_parallel_lab.backends.mpi.matching import Match, run_matched
from pytest_parallel_lab.explore.endings import Ending, Endings, pack, pack_error, raised, returned, stuck
from pytest_parallel_lab.explore.plan import ALWAYS_AFTER, REPLAYS, Plan
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.exploration import Exploration, Failure, Searched
from pytest_parallel_lab.model.outcome import Outcome
from pytest_parallel_lab.model.sameness import CLOSE, DIFFERENT
from pytest_parallel_lab.model.schedule import Schedule

PERTURBED = {"mpi": "matches", "ipyparallel": "delays"}
_RUN_LIMIT_S = 20.0
_SEEDS_APART = 100_000


class Perturbed:
    """One exploration of an implementation for ranks or engines."""

    def __init__(
        self,
        start: Callable[[], WorkerGroup],
        kind: str,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        plan: Plan,
        show: Callable[[str], None] | None,
    ) -> None:
        """Begin.

        Args:
            start: starts workers.
            kind: "matches" or "delays".
            function: the implementation.
            args: sent along.
            kwargs: sent along.
            plan: how far to search.
            show: shows how far it is.
        """
        self._start = start
        self._kind = kind
        self._call = (function, args, kwargs)
        self._plan = plan
        self._show = show
        self._group: WorkerGroup | None = None
        self._endings = Endings(plan.rtol, plan.atol, plan.reference)
        self._usual = Schedule(free=kind)
        self._runs = 0
        self._began_s = time.monotonic()

    def go(self) -> Exploration:
        """Run until one run differs, or the budget is spent."""
        try:
            return self._search()
        finally:
            if self._group is not None:
                self._group.close()

    def _search(self) -> Exploration:
        plan = self._plan
        ending, self._usual = self._run(None, Schedule(free=self._kind, seed=plan.seed))
        judged = self._endings.take(ending, self._usual)
        failed = (ending, self._usual) if judged == DIFFERENT or ending.kind != "returned" else None
        numerical = None
        if plan.replay is not None:
            again, schedule = self._run(plan.replay.seed, plan.replay)
            if self._endings.take(again, schedule) == DIFFERENT:
                return self._found(self._failure(again, plan.replay, 1, 1), None)
            return self._found(None, None)
        while self._runs < plan.runs and time.monotonic() - self._began_s < plan.seconds:
            if failed is not None and (ending.verdict is not None or self._endings.differ or self._runs > ALWAYS_AFTER):
                break
            seed = plan.seed * _SEEDS_APART + self._runs
            other, schedule = self._run(seed, Schedule(free=self._kind, seed=seed))
            judged = self._endings.take(other, schedule)
            if judged == CLOSE:
                numerical = numerical or schedule
            if failed is None and judged == DIFFERENT:
                failed = other, schedule
                break
        return self._found(self._explain(*failed) if failed is not None else None, numerical)

    def _explain(self, ending: Ending, schedule: Schedule) -> Failure:
        """Carry the schedule out again."""
        if ending.verdict is not None or not self._endings.varied:
            return self._failure(ending, schedule, 0, 0)
        again = [self._run(schedule.seed, schedule)[0] for _ in range(REPLAYS)]
        replayed = sum(self._endings.judge(one) == DIFFERENT for one in again)
        return self._failure(ending, schedule, replayed, REPLAYS)

    def _failure(self, ending: Ending, schedule: Schedule, replayed: int, replays: int) -> Failure:
        return Failure(
            schedule=schedule,
            outcome=ending.text,
            expected=self._endings.expected_text,
            traceback=ending.traceback,
            verdict=ending.verdict,
            interleaving=_told(schedule, self._usual),
            replayed=replayed,
            replays=replays,
            always=not self._endings.varied,
            exception=ending.packed if ending.kind == "raised" else b"",
            kind=ending.kind,
        )

    def _found(self, failure: Failure | None, numerical: Schedule | None) -> Exploration:
        usual = self._endings.usual
        return Exploration(
            value=usual.value() if usual is not None and usual.kind == "returned" else None,
            runs=self._runs,
            elapsed_s=time.monotonic() - self._began_s,
            searched=(Searched(f"random {self._kind}", self._runs - 1),),
            outcomes=self._endings.seen(),
            failure=failure,
            numerical=numerical,
            outside=f"workers run freely but for {_WHAT[self._kind]}",
            seed=self._plan.seed,
        )

    def _run(self, seed: int | None, schedule: Schedule) -> tuple[Ending, Schedule]:
        """Run once; how it ended, and the schedule that it went by."""
        group = self._workers()
        function, args, kwargs = self._call
        if self._kind == "matches":
            forced: dict[int, list[Match]] = {}
            for rank, _, source, tag in schedule.matches:
                forced.setdefault(rank, []).append((source, tag))
            call = pack_call(run_matched, (seed, forced, function, *args), kwargs)
        else:
            call = pack_call(run_delayed, (seed, function, *args), kwargs)
        outcome = group.run(call, limit_s=_RUN_LIMIT_S)
        self._runs += 1
        if self._show is not None:
            self._show(f"{self._runs} of at most {self._plan.runs} runs, {time.monotonic() - self._began_s:.0f} s")
        return self._read(outcome, schedule)

    def _workers(self) -> WorkerGroup:
        group = self._group
        if group is not None and (not group.healthy() or group.clean() is not None):
            group.close()
            group = None
        self._group = group or self._start()
        return self._group

    def _read(self, outcome: Outcome, schedule: Schedule) -> tuple[Ending, Schedule]:
        if outcome.verdict is not None:
            return stuck(outcome.verdict), schedule
        try:
            values = outcome.values()
        except Exception as error:
            return raised(type(error).__name__, str(error), str(error.__cause__ or error), pack_error(error)), schedule
        if self._kind == "delays":
            return returned(pack(values[0])), schedule
        noted = enumerate(matches for _, matches, _ in values)
        matches = tuple((rank, n, *match) for rank, found in noted for n, match in enumerate(found))
        return returned(pack(values[0][0])), replace(schedule, matches=matches)


_WHAT = {
    "matches": "which message a receive from anybody gets",
    "delays": "tasks that take up to 50 ms longer",
}


def _told(schedule: Schedule, usual: Schedule) -> str:
    """Which rank received from whom, beside the usual."""
    lines = []
    for rank in sorted({rank for rank, *_ in schedule.matches}):
        now, before = (
            ", ".join(f"rank {source} (tag {tag})" for r, _, source, tag in one.matches if r == rank)
            for one in (schedule, usual)
        )
        if now != before:
            lines += [f"  rank {rank} receives from {now}", f"    in the usual run from {before or 'nobody'}"]
    return "\n".join(lines)
