"""What reports are made of: one record per test, put together from the reports of its phases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_parallel_lab.model.gate import UNDECIDED, GateRun
from pytest_parallel_lab.report.attachments import Attachment, attachments_on

OUTCOMES = ("failed", "error", "xpassed", "undecided", "passed", "xfailed", "skipped")
"""From the one that most needs a look to the one that least does."""
_BAD = frozenset(["failed", "error"])
_MOST_DETAILS = 6000


@dataclass
class Record:
    """What is known of one test.

    Attributes:
        nodeid: of the test.
        outcome: one of OUTCOMES.
        raised: the type of the exception that it failed with; "" where nothing is known.
        message: why it failed or was skipped, in one line.
        details: the whole, as the terminal shows it.
        duration_s: of all phases.
        problem: what is computed.
        implementation: of it; "" where the test's parameters have none.
        backends: that it is marked with.
        workers: of its parameters; None where they do not say.
        runs: where it has run something: pairs of backend and workers.
        attachments: curves, timelines and all that is shown, in order.
        begun: whether it was set up, and nothing has been heard of its call yet.
    """

    nodeid: str
    outcome: str = "passed"
    raised: str = ""
    message: str = ""
    details: str = ""
    duration_s: float = 0.0
    problem: str = ""
    implementation: str = ""
    backends: tuple[str, ...] = ()
    workers: int | None = None
    runs: tuple[tuple[str, int], ...] = ()
    attachments: list[Attachment] = field(default_factory=list)
    begun: bool = False

    @property
    def verdict(self) -> str:
        """The outcome, or the name of what it failed with, such as Deadlock."""
        return self.raised if self.raised and self.outcome in _BAD else self.outcome

    @property
    def bad(self) -> bool:
        """Whether it failed, or could not be set up or torn down."""
        return self.outcome in _BAD

    @property
    def parallel(self) -> bool:
        """Whether it has to do with parallel runs at all."""
        return bool(self.backends or self.runs or self.attachments)

    def places(self) -> list[tuple[str, int | None]]:
        """The backends and worker counts that it says something about; ("", None) where there are none."""
        ran = dict.fromkeys(self.runs)
        parameters = [(name, self.workers) for name in self.backends if name not in {backend for backend, _ in ran}]
        return [*ran, *parameters] or [("", None)]

    def add(self, report: pytest.TestReport) -> None:
        """Take in the report of one phase."""
        self.duration_s += report.duration
        for kind, data in attachments_on(report):
            if kind == "test":
                self._learn(data)
            else:
                self.attachments.append((kind, data))
                if kind == "curve":
                    ran = [(data["backend"], point["workers"]) for point in data["points"]]
                    self.runs = tuple(dict.fromkeys([*self.runs, *ran]))
        outcome = _outcome(report)
        self.begun = report.when == "setup" and outcome == "passed"
        if outcome != "passed" and not self.bad:
            self.outcome = outcome
            self.message, self.details = _told(report)

    def close(self) -> None:
        """Take note that nothing more will be heard: a test that was running then was interrupted."""
        if self.begun:
            self.begun = False
            self.outcome, self.raised, self.message = "error", "interrupted", "the session ended while this test ran"

    def _learn(self, facts: dict[str, Any]) -> None:
        for name, value in facts.items():
            if name == "runs":
                self.runs = tuple(dict.fromkeys([*self.runs, *((backend, workers) for backend, workers in value)]))
            elif name == "raised":
                self.raised = self.raised or value
            else:
                setattr(self, name, tuple(value) if isinstance(value, list) else value)


@dataclass
class Session:
    """All that a report says.

    Attributes:
        title: what was tested.
        records: of all tests, in the order in which they ended.
        facts: of the machine and the session, as (what, value).
        started: when, in words.
        duration_s: of the whole session.
        ending: why it ended before all tests had run; "" where it did not.
        not_run: how many tests were left.
        gate: what it found; None in a session without one.
    """

    title: str
    records: list[Record] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    started: str = ""
    duration_s: float = 0.0
    ending: str = ""
    not_run: int = 0
    gate: GateRun | None = None

    def counts(self) -> dict[str, int]:
        """How many tests had each outcome; those that none had are left out."""
        counted = Counter(record.outcome for record in self.records)
        return {outcome: counted[outcome] for outcome in OUTCOMES if counted[outcome]}

    def ordered(self) -> list[Record]:
        """The records, those that need a look first, else as they ran."""
        return sorted(self.records, key=lambda record: not record.bad)

    def attached(self, kind: str) -> list[tuple[Record, dict[str, Any]]]:
        """All attachments of a kind, each with its test; those of failed tests first."""
        return [(record, data) for record in self.ordered() for k, data in record.attachments if k == kind]

    def summary(self) -> str:
        """The outcomes in one line."""
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.counts().items())
        left = f", {self.not_run} not run" if self.not_run else ""
        return f"{counted or 'no tests ran'}{left}, in {seconds(self.duration_s)}"

    def with_gate(self, gate: GateRun | None) -> Session:
        """The session with what its gate found: what is undecided was not skipped, and what failed by it says why."""
        self.gate = gate
        verdicts = {test.nodeid: test.verdict for test in gate.tests} if gate else {}
        for record in self.records:
            verdict = verdicts.get(record.nodeid, "")
            if record.outcome == "skipped" and verdict == UNDECIDED:
                record.outcome = UNDECIDED
            elif verdict and record.message.startswith(f"Failed: {verdict} "):
                record.raised, record.message = verdict, record.message.removeprefix("Failed: ")
        return self


def worst(outcomes: Iterable[str]) -> str:
    """The outcome that most needs a look."""
    return min(outcomes, key=lambda outcome: OUTCOMES.index(outcome))


def seconds(value: float) -> str:
    """A time in the unit that suits it."""
    if value >= 120:
        return f"{int(value // 60)} min {value % 60:.0f} s"
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 0.9995:  # which is shown as 1
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e6:.2g} µs" if value else "0 s"


def _outcome(report: pytest.TestReport) -> str:
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return "xpassed" if report.when == "call" and hasattr(report, "wasxfail") else "passed"


def _told(report: pytest.TestReport) -> tuple[str, str]:
    """Why: in one line, and in full."""
    longrepr: Any = report.longrepr
    if isinstance(longrepr, tuple):
        path, line, reason = longrepr
        first, _, rest = str(reason).removeprefix("Skipped: ").partition("\n")
        return first, "\n".join(filter(None, (rest, f"{path}:{line}")))
    details = report.longreprtext
    crash = getattr(longrepr, "reprcrash", None)
    text = crash.message if crash is not None else next(iter(details.strip().splitlines()[-1:]), "")
    if getattr(report, "wasxfail", ""):
        text = report.wasxfail or text
    message = text.strip().partition("\n")[0].removeprefix("pytest_parallel_lab.")
    if len(details) > _MOST_DETAILS:
        half = _MOST_DETAILS // 2
        left = len(details) - 2 * half
        details = f"{details[:half]}\n… {left} characters left out: see the terminal …\n{details[-half:]}"
    return message[:400], details
