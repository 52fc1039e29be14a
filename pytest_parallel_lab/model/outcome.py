"""What became of a parallel run: one fate per worker."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any, Union

from pytest_parallel_lab.model.errors import Deadlock, PotentialDeadlock, TimedOut, WorkerDied, WorkerRaised
from pytest_parallel_lab.model.lock_order import Potential
from pytest_parallel_lab.model.timeline import Section, joined
from pytest_parallel_lab.model.verdict import Verdict, how_it_ended


@dataclass(frozen=True)
class Returned:
    """The worker came to its end and returned ``value``; its section tells when it did what, if that was noted."""

    value: Any
    elapsed_s: float
    section: Section | None = None


@dataclass(frozen=True)
class Raised:
    """The worker raised; ``exception`` is None where it could not travel between processes."""

    type_name: str
    traceback: str
    exception: BaseException | None = None


@dataclass(frozen=True)
class Died:
    """The worker's process ended; ``status`` is its exit code, or minus the signal that ended it.

    It is None where nobody could tell.
    """

    status: int | None

    @property
    def reason(self) -> str:
        """How the process ended, in words."""
        return "died (exit status unknown)" if self.status is None else how_it_ended(self.status)


@dataclass(frozen=True)
class Unfinished:
    """The worker was still busy when the run was given up; ``stack`` is where."""

    stack: str


@dataclass(frozen=True)
class Served:
    """The worker did tasks for the runner that owns it and has no fate of its own."""


Fate = Union[Returned, Raised, Died, Unfinished, Served]


@dataclass(frozen=True)
class Worker:
    """Who a worker is: ``role`` is its backend's word for it (rank, engine, worker, runner)."""

    role: str
    index: int
    size: int
    pid: int
    host: str

    @property
    def label(self) -> str:
        """The worker's short name, such as ``rank 1``."""
        return self.role if self.role == "runner" else f"{self.role} {self.index}"

    @property
    def heading(self) -> str:
        """Who and where, for the line above what the worker says."""
        place = f"on {self.host} (pid {self.pid})"
        return f"{self.label} {place}" if self.role == "runner" else f"{self.label} of {self.size} {place}"


@dataclass(frozen=True)
class WorkerReport:
    """One worker's part in a run: who it is, what became of it and what it printed."""

    worker: Worker
    fate: Fate
    output: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of one run.

    Attributes:
        backend: the backend's name.
        workers: how many workers the run had.
        reports: one per process that took part; the first one's value is the result.
        facts: what else is known, such as BLAS threads per worker.
        shared_memory: how full it was where the run did not go well, with what to do about it.
        verdict: why the run did not come to its end, where it is a deadlock or a time-out.
        potential: why another run may not, where this one was traced and went well.
        site: what the site says, such as its scheduler, where a worker died there.
    """

    backend: str
    workers: int
    reports: tuple[WorkerReport, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    shared_memory: str = ""
    verdict: Verdict | None = None
    potential: tuple[Potential, ...] = ()
    site: str = ""

    @property
    def elapsed_s(self) -> float:
        """Seconds in the parallel section: the maximum over the workers that measured it."""
        return max((r.fate.elapsed_s for r in self.reports if isinstance(r.fate, Returned)), default=0.0)

    @property
    def section(self) -> Section | None:
        """When the workers did what, where that was noted (``Settings.spans``)."""
        told = [r.fate.section for r in self.reports if isinstance(r.fate, Returned) and r.fate.section is not None]
        return joined(told) if len(told) > 1 else next(iter(told), None)

    @property
    def intact(self) -> bool:
        """Whether every worker ended its part, so that the same workers can be asked again."""
        return not any(isinstance(r.fate, (Died, Unfinished)) for r in self.reports)

    def values(self) -> list[Any]:
        """One value per worker that returns one.

        Raises:
            Deadlock: it is proved that nothing in the run can move any more.
            TimedOut: the limit passed.
            PotentialDeadlock: all went well, but another run may hang.
            WorkerDied: a process ended in the middle of the run.
            WorkerRaised: a worker raised something that cannot travel between processes.
            BaseException: what the first worker to fail raised, with a WorkerRaised as its cause.
        """
        __tracebackhide__ = True
        if self.verdict is not None:
            raise (Deadlock if self.verdict.proved else TimedOut)(self.verdict)
        raised = [r.fate for r in self.reports if isinstance(r.fate, Raised)]
        died = any(isinstance(r.fate, Died) for r in self.reports)
        if raised and not died:
            cause = WorkerRaised(describe(self), self)
            if not isinstance(raised[0].exception, Exception):  # SystemExit must not end the caller too
                raise cause
            raise raised[0].exception from cause
        if died or not all(isinstance(r.fate, (Returned, Served)) for r in self.reports):
            raise WorkerDied(describe(self), self)
        if self.potential:
            raise PotentialDeadlock(self.potential)
        return [r.fate.value for r in self.reports if isinstance(r.fate, Returned)]

    def result(self) -> Any:
        """The result of the run: what the first worker returned. Raises as ``values``."""
        __tracebackhide__ = True
        return self.values()[0]


def describe(outcome: Outcome) -> str:
    """Tell what every worker of a failed run was doing, the ones at fault first."""
    order = (Died, Raised, Unfinished, Returned)
    told = [r for r in outcome.reports if not isinstance(r.fate, Served)]
    unknown = Died(None)
    reports = sorted(told, key=lambda r: (order.index(type(r.fate)), r.fate == unknown))
    first = reports[0]
    lines = [f"{outcome.backend}: {first.worker.label} {_short(first.fate)}"]
    for report in reports:
        lines += ["", f"### {report.worker.heading} {_short(report.fate)}"]
        if isinstance(report.fate, Raised):
            lines.append(report.fate.traceback.rstrip())
        elif isinstance(report.fate, Unfinished) and report.fate.stack:
            lines.append(report.fate.stack.rstrip())
        elif isinstance(report.fate, Died) and report.fate.status == -signal.SIGBUS:
            lines.append(f"A bus error is most often shared memory that cannot grow. {outcome.shared_memory}")
    if outcome.site:
        lines += ["", outcome.site]
    return "\n".join(lines)


def _short(fate: Fate) -> str:
    if isinstance(fate, Raised):
        return f"raised {fate.type_name}"
    if isinstance(fate, Died):
        return f"{fate.reason} in the middle of the run"
    return "had not finished" if isinstance(fate, Unfinished) else "returned"
