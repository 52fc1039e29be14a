"""Watching ranks: they spin while they wait, so the evidence is what they have noted themselves."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pytest_parallel_lab.backends.collect import gather
from pytest_parallel_lab.backends.mpi.witness import Witness
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.model.mpi_waits import Ranks, RankState, stood_still
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.stacks import first_site
from pytest_parallel_lab.model.verdict import ProcessReport, Verdict
from pytest_parallel_lab.model.wait_for import Wait

_AFTER_S = 0.2
_EVERY_S = 0.25
_SELDOM_S = 1.0
_ANSWER_LIMIT_S = 0.5
# A rank that waits polls millions of times a second: in so much processor time it has taken in
# whatever had reached it.
_LEAST_CPU_S = 0.01
_LOOKS_BEFORE_SELDOM = 20


class RankWatch:
    """Asks the ranks of one run again and again what they are doing."""

    channel: Channel | None = None

    def __init__(self, witness: Witness, members: Sequence[Worker], reporters: Sequence[Channel]) -> None:
        """Prepare to watch; nothing happens yet."""
        self.next_s: float | None = time.monotonic() + _AFTER_S
        self.stuck: Ranks | None = None
        self._witness = witness
        self._members = members
        self._reporters = reporters
        self._before: list[RankState] = []
        self._before_s = 0.0
        self._looks = 0

    def look(self) -> bool:
        """Look once; whether the ranks are stuck for ever."""
        now = self.states()
        self._looks += 1
        interval_s = _EVERY_S if self._looks < _LOOKS_BEFORE_SELDOM else _SELDOM_S
        self.next_s = time.monotonic() + interval_s
        before, self._before = self._before, now
        since_s, self._before_s = self._before_s, time.monotonic()
        if len(now) != len(self._members) or len(before) != len(now):
            return False
        ranks = Ranks(now)
        stuck = ranks.stuck()
        if not stuck or Ranks(before).stuck() != stuck or not stood_still(before, now, stuck, _LEAST_CPU_S):
            return False
        self.stuck = ranks
        self._stood_s = time.monotonic() - since_s
        return True

    def states(self) -> list[RankState]:
        """What every rank has noted; fewer than all where one did not answer."""
        found: list[RankState] = []

        def note(_: int, message: Message | None) -> None:
            if message is not None and message.body["state"] is not None:
                found.append(message.body["state"])

        try:
            for reporter in self._reporters:
                reporter.send("state")
            gather(self._reporters, note, limit_s=_ANSWER_LIMIT_S)
        except ChannelClosed:
            pass
        return sorted(found, key=lambda state: state.rank)

    def stop(self) -> None:
        """End the watch: nothing to do, nobody is asked any more."""

    def judge(self, limit: str = "") -> Verdict:
        """The verdict on a run that did not end: what the watch proved, else a look now."""
        if self.stuck is None:
            for _ in range(2):
                if self.look():
                    break
                time.sleep(_EVERY_S)
        states = {state.rank: state for state in self._before}
        found = self._witness.stacks([w for w in self._members if not _finished(states.get(w.index))])
        processes = tuple(
            ProcessReport(
                w.label,
                w.pid,
                _doing(states.get(w.index)),
                stacks=found.get(w.index, ""),
                host=w.host if self._witness.away else "",
            )
            for w in self._members
        )
        if self.stuck is None:
            reasons = [
                f"rank {s.rank} is in no MPI call that is traced" for s in states.values() if not (s.call or s.finished)
            ]
            reasons += [f"rank {s.rank} has used MPI in ways that are not traced" for s in states.values() if s.opaque]
            reasons += [f"rank {w.index} does not answer" for w in self._members if w.index not in states]
            places = {w.label: first_site(found.get(w.index, "")) for w in self._members}
            waits = tuple(Wait(p.label, "", at=places[p.label], does=p.command) for p in processes)
            return Verdict(False, limit, waits, processes=processes, unproved=tuple(reasons))
        ranks = ", ".join(map(str, self.stuck.stuck()))
        evidence = (
            f"ranks {ranks} can never go on. What they wait for has not been sent and can no longer come, "
            f"and their counters stood still for {self._stood_s:.2f} s"
        )
        return Verdict(True, evidence, self.stuck.waits(), self.stuck.cycle(), processes)


def _finished(state: RankState | None) -> bool:
    return state is not None and state.finished


def _doing(state: RankState | None) -> str:
    if state is None:
        return "did not answer"
    if state.finished:
        return "has returned"
    return "is in no MPI call that is traced" if state.call is None else f"is in {state.call.operation}"
