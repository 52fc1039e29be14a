"""What every worker did at which time: computing, communicating, or waiting for others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

STARTUP, COMPUTE, COMMUNICATION, WAITING = KINDS = ("start-up", "compute", "communication", "waiting")


@dataclass(frozen=True)
class Span:
    """A worker did one thing for a while.

    Attributes:
        worker: its index.
        start_s: by a clock that all workers share.
        end_s: by the same clock.
        kind: one of KINDS.
        name: of the task or operation.
        meeting: what only all of its workers together can do, such as a collective: the same word for all.
    """

    worker: int
    start_s: float
    end_s: float
    kind: str
    name: str = ""
    meeting: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class Section:
    """The parallel section of one run.

    Attributes:
        workers: how many.
        start_s: by the clock of the spans.
        end_s: by the same clock.
        spans: what the workers told of, in any order.
        gaps: what a worker does that tells of nothing: a rank computes, a pool's worker waits for tasks.
        outstanding: tasks that had been handed out and were not done at the end.
        left_running: threads and processes that the implementation had started and that ran on.
    """

    workers: int
    start_s: float
    end_s: float
    spans: tuple[Span, ...] = ()
    gaps: str = WAITING
    outstanding: int = 0
    left_running: int = 0

    @property
    def elapsed_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s

    def later(self, seconds: float) -> Section:
        """The same, all of it later; as by another clock."""
        if not seconds:
            return self
        spans = tuple(replace(s, start_s=s.start_s + seconds, end_s=s.end_s + seconds) for s in self.spans)
        return replace(self, start_s=self.start_s + seconds, end_s=self.end_s + seconds, spans=spans)

    def timeline(self) -> list[Span]:
        """All that the workers did, without gaps, from 0 s on; by worker and time.

        A meeting begins when its last worker has come: until then the others wait.
        """
        told = _with_waits(self.spans)
        whole: list[Span] = []
        for worker in range(self.workers):
            now_s = self.start_s
            for span in sorted((s for s in told if s.worker == worker), key=lambda s: s.start_s):
                start_s = max(now_s, span.start_s)
                end_s = min(span.end_s, self.end_s)
                if end_s <= start_s:
                    continue
                if start_s > now_s:
                    whole.append(Span(worker, now_s, start_s, self.gaps))
                whole.append(replace(span, start_s=start_s, end_s=end_s))
                now_s = end_s
            if now_s < self.end_s:
                whole.append(Span(worker, now_s, self.end_s, self.gaps))
        return [replace(s, start_s=s.start_s - self.start_s, end_s=s.end_s - self.start_s) for s in whole]

    def seconds(self) -> list[dict[str, float]]:
        """Of every worker, the seconds that it spent on each kind."""
        sums: list[dict[str, float]] = [dict.fromkeys(KINDS, 0.0) for _ in range(self.workers)]
        for span in self.timeline():
            sums[span.worker][span.kind] += span.seconds
        return sums

    def task_times_s(self) -> tuple[float, ...]:
        """The seconds of every task, in the order in which they began; of workers that are handed tasks."""
        if self.gaps != WAITING:
            return ()
        tasks = sorted((s for s in self.spans if s.kind == COMPUTE), key=lambda s: s.start_s)
        return tuple(task.seconds for task in tasks)


def joined(sections: Sequence[Section]) -> Section:
    """The sections that all workers told of, each of itself, as one: from the first start to the last end."""
    return Section(
        len(sections),
        min(s.start_s for s in sections),
        max(s.end_s for s in sections),
        tuple(span for section in sections for span in section.spans),
        sections[0].gaps,
    )


def _with_waits(spans: Iterable[Span]) -> list[Span]:
    """Cut what workers spent in meetings into waiting for the last to come, and the meeting itself."""
    meetings: dict[str, list[Span]] = defaultdict(list)
    cut = []
    for span in spans:
        if span.meeting:
            meetings[span.meeting].append(span)
        else:
            cut.append(span)
    for met in meetings.values():
        begins_s = max(span.start_s for span in met)
        for span in met:
            began_s = min(begins_s, span.end_s)
            cut.append(replace(span, end_s=began_s, kind=WAITING))
            cut.append(replace(span, start_s=began_s))
    return cut
