"""What the launches of a gate come to: readings of every test, and why some have none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from pytest_parallel_lab.gate.lockstep import Section, Turn
from pytest_parallel_lab.model.agreement import check_agreement
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import Mismatch
from pytest_parallel_lab.model.gate import UNDECIDED, GatedTest, Reading
from pytest_parallel_lab.model.gate_decisions import Rule

BASELINE, CURRENT = "baseline", "current"
SERIAL = "serial"
"""What the reference's time is called among those of a curve."""

_Key = tuple[int, str, "int | None"]  # which section of the test, metric, workers


@dataclass(frozen=True)
class Asked:
    """What is to be gated of one test.

    Attributes:
        nodeid: of the test.
        threshold: the loss that fails it.
        metrics: what is gated.
        answers: whether both versions have to return the same.
        rtol: relative tolerance of that.
        atol: absolute tolerance of it.
        path: of its file.
        line: from 1.
    """

    nodeid: str
    threshold: float = 0.05
    metrics: tuple[str, ...] = ("time",)
    answers: bool = True
    rtol: float = 1e-6
    atol: float = 0.0
    path: str = ""
    line: int = 1

    @property
    def file(self) -> str:
        """The file that it is collected from, relative to the root; it may be written elsewhere."""
        return self.nodeid.partition("::")[0]


@dataclass
class _Entry:
    asked: Asked
    readings: dict[_Key, Reading] = field(default_factory=dict)
    why: str = ""
    wrong: bool = False
    out: bool = False

    @property
    def open(self) -> bool:
        """Whether something is still to be found out."""
        verdicts = [one.verdict for one in self.readings.values()]
        return not self.out and (not verdicts or UNDECIDED in verdicts)


class Tally:
    """All tests of a gate, and what is known of them so far."""

    def __init__(self, asked: Sequence[Asked], rule: Rule) -> None:
        self._entries = {one.nodeid: _Entry(one) for one in asked}
        self._rule = rule

    def open(self) -> list[Asked]:
        """Tests that something is still to be found out of."""
        return [one.asked for one in self._entries.values() if one.open]

    def leave_out(self, nodeid: str, why: str, *, wrong: bool = False) -> None:
        """Measure a test no more.

        Args:
            nodeid: of the test.
            why: what is to be said of it.
            wrong: whether it fails for that.
        """
        entry = self._entries[nodeid]
        entry.out, entry.why, entry.wrong = True, why, wrong

    def wants_answers(self, nodeid: str) -> bool:
        """Whether it is still to be seen that both versions of a test return the same."""
        entry = self._entries[nodeid]
        return entry.asked.answers and not entry.readings

    def take(self, nodeid: str, turn: Turn) -> None:
        """Take in what a launch came to for a test."""
        asked = self._entries[nodeid].asked
        base, current = turn.ended[BASELINE], turn.ended[CURRENT]
        if current.outcome == "failed":
            self.leave_out(nodeid, f"the test itself fails in the current version:\n{current.text}", wrong=True)
        elif base.outcome == "failed":
            self.leave_out(nodeid, f"it fails in the baseline, with which nothing can be compared:\n{base.text}")
        elif current.outcome == "skipped" or base.outcome == "skipped":
            which, one = (CURRENT, current) if current.outcome == "skipped" else (BASELINE, base)
            self.leave_out(nodeid, f"it is skipped in the {which} version: {one.text}")
        elif not turn.sections:
            self.leave_out(nodeid, "it has not measured anything, or not the same in both versions")
        elif any(section.facts.get("oversubscribed") for section in turn.sections):
            most = max(section.facts["workers"] for section in turn.sections)
            self.leave_out(nodeid, f"it is oversubscribed: {most} workers on {usable_cores()} usable cores")
        else:
            for number, section in enumerate(turn.sections, 1):
                self._compare(asked, section)
                self._add(asked, number, section)

    def look(self, *, last: bool) -> None:
        """Judge all readings."""
        places = [(entry, key) for entry in self._entries.values() for key in entry.readings]
        judged = self._rule.judge([entry.readings[key] for entry, key in places], last=last)
        for (entry, key), reading in zip(places, judged):
            entry.readings[key] = reading

    def tests(self) -> tuple[GatedTest, ...]:
        """What was found, in the order in which it was asked for."""
        return tuple(
            GatedTest(
                nodeid, tuple(one.readings.values()), one.why, one.wrong, path=one.asked.path, line=one.asked.line
            )
            for nodeid, one in self._entries.items()
        )

    def _compare(self, asked: Asked, section: Section) -> None:
        """See that both versions returned the same, where a launch tells what they returned."""
        base, current = (section.answers.get(name) for name in (BASELINE, CURRENT))
        if base is None or current is None:
            return
        try:
            check_agreement(current.load(), base.load(), "the current version", rtol=asked.rtol, atol=asked.atol)
        except Mismatch as error:
            told = str(error).replace("the reference", "the baseline")
            self.leave_out(asked.nodeid, f"the two versions differ: {told}", wrong=True)
        except Exception as error:  # what == of any class of users, or its unpickling, may raise
            note = f"what it returns could not be compared ({type(error).__name__}: {error})"
            self._entries[asked.nodeid].why = note

    def _add(self, asked: Asked, number: int, section: Section) -> None:
        readings = self._entries[asked.nodeid].readings
        for metric, workers, base, current in _measured(section):
            if metric in asked.metrics:
                key = (number, metric, workers)
                old = readings.get(key) or Reading(metric, (), (), asked.threshold, workers, part=number)
                readings[key] = replace(old, base=(*old.base, base), current=(*old.current, current))


def _measured(section: Section) -> Iterator[tuple[str, int | None, float, float]]:
    """Metric, workers, and the value of each version."""
    base, current = section.values[BASELINE], section.values[CURRENT]
    for what in base:
        if what == SERIAL or what not in current:
            continue
        workers = int(what) if what else None
        yield "time", workers, base[what], current[what]
        if workers is not None and workers > 1 and SERIAL in base and SERIAL in current:
            yield "efficiency", workers, base[SERIAL] / base[what] / workers, current[SERIAL] / current[what] / workers
    peaks = section.memory_bytes[BASELINE], section.memory_bytes[CURRENT]
    if peaks[0] is not None and peaks[1] is not None:
        yield "memory", None, peaks[0], peaks[1]
