"""The verdict on a run that does not come to its end: a deadlock or a time-out, with all the evidence."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pytest_parallel_lab.model.told import Site, Told
from pytest_parallel_lab.model.wait_for import Wait, WaitForGraph
from pytest_parallel_lab.model.waiting import OPEN, RUNNING, ProcessState, TreeState

_SHOWN_WAITS = 8


@dataclass(frozen=True)
class ThreadReport:
    """One thread: its label, what it does or waits for, and its Python stack, innermost frame first."""

    label: str
    doing: str
    stack: tuple[Site, ...] = ()


@dataclass(frozen=True)
class ProcessReport:
    """One process, rank or engine.

    Attributes:
        label: such as ``process 2 (Process-1)`` or ``rank 1``.
        pid: its pid.
        command: its command line in short, where it is a program of its own; what a rank does.
        threads: its threads; none where it has ended.
        exit_status: its exit code, or minus the signal that ended it; None while it lives.
        stacks: its stacks as faulthandler or py-spy wrote them, where Python could not tell.
        notes: what else it told, such as how its children ended.
        host: where it is, if not on this machine; its pid means nothing here then.
    """

    label: str
    pid: int
    command: str
    threads: tuple[ThreadReport, ...] = ()
    exit_status: int | None = None
    stacks: str = ""
    notes: tuple[str, ...] = ()
    host: str = ""

    def lines(self) -> Iterator[str]:
        """The process's part of the full report."""
        ended = "" if self.exit_status is None else f" {how_it_ended(self.exit_status)}"
        place = f" on {self.host}" if self.host else ""
        yield f"### {self.label}{place}, pid {self.pid}{ended}{f': {self.command}' if self.command else ''}"
        for thread in self.threads:
            yield f"{thread.label} {thread.doing}"
            yield from (f'  File "{site.path}", line {site.line}, in {site.function}' for site in thread.stack)
        if self.stacks:
            yield self.stacks.rstrip()


@dataclass(frozen=True)
class Verdict:
    """Why a run did not come to its end.

    Attributes:
        proved: a deadlock; else the limit passed.
        evidence: what the verdict rests on, in one sentence.
        waits: what every thread of the user's code waits for.
        cycle: the cycle among them, if there is one.
        processes: every process of the run.
        unproved: why a run that ran out of time is not proved to be a deadlock.
        after: the harm that came before.
        again: how to see it again.
    """

    proved: bool
    evidence: str
    waits: tuple[Wait, ...] = ()
    cycle: tuple[Wait, ...] = ()
    processes: tuple[ProcessReport, ...] = ()
    unproved: tuple[str, ...] = ()
    after: str = ""
    again: str = ""

    def short(self) -> str:
        """The verdict, the evidence and the cycle in a few lines."""
        after = f" after {self.after}" if self.after else ""
        lines = [f"{'deadlock' if self.proved else 'time-out'}{after}: {self.evidence}"]
        if self.cycle:
            lines += ["", *(f"  {wait}" for wait in self.cycle)]
            rest = [wait for wait in self.waits if wait.who not in {w.who for w in self.cycle}]
            if rest:
                lines += ["", "  waiting as well:", *self._some(rest)]
        elif self.waits:
            lines += ["", *self._some(self.waits)]
        ended = [p for p in self.processes if p.exit_status not in (None, 0)]
        if ended:
            lines += ["", *(f"  {p.label} {how_it_ended(p.exit_status or 0)}" for p in ended)]
        if self.unproved:
            lines += ["", "  not proved to be a deadlock:", *(f"    {reason}" for reason in self.unproved)]
        lines += self._notes()
        if self.again:
            lines += ["", "see it again:", f"  {self.again}"]
        return "\n".join(lines)

    def full(self) -> str:
        """The verdict, then every process and thread with its stack."""
        lines = [self.short()]
        for process in self.processes:
            lines += ["", *process.lines()]
        return "\n".join(lines)

    def _notes(self) -> list[str]:
        notes = [f"  {process.label}: {note}" for process in self.processes for note in process.notes]
        return ["", *notes] if notes else []

    def _some(self, waits: tuple[Wait, ...] | list[Wait]) -> Iterator[str]:
        yield from (f"  {wait}" for wait in waits[:_SHOWN_WAITS])
        if len(waits) > _SHOWN_WAITS:
            yield f"  ... and {len(waits) - _SHOWN_WAITS} more (-v shows all)"


def judge(
    state: TreeState, told: Mapping[int, Told], limit: str = "", names: Mapping[int, str] | None = None
) -> Verdict:
    """Give the verdict on a tree.

    Args:
        state: what the kernel showed.
        told: what the processes told.
        limit: the limit that has passed, in words, where it is no proof that ended the run.
        names: what processes are called, by pid, where it is not their number in the tree.
    """
    # Processes whose threads were not looked at only carry messages for the others.
    state = replace(state, processes=tuple(p for p in state.processes if p.threads or p.ended))
    graph = WaitForGraph(state, told, names)
    threads = sum(len(p.threads) for p in state.processes)
    count = (
        f"{_number(len([p for p in state.processes if not p.ended]), 'process', 'es')}, {_number(threads, 'thread')}"
    )
    if state.watched_s is not None:
        evidence = (
            f"nothing in this run can move any more. {count}: all wait without a time limit for each other, "
            f"and nothing moved in {state.watched_s:.2f} s"
        )
    else:
        evidence = f"{limit} ({count})"
    movers = state.movers() if not state.quiescent else []
    unproved = [f"{graph.label(p.pid)}{_thread_of(p, t.tid)} {t.why}" for p, t in movers if t.condition == OPEN]
    unproved += [f"{graph.label(p.pid)}{_thread_of(p, t.tid)} runs" for p, t in movers if t.condition == RUNNING]
    return Verdict(
        state.quiescent,
        evidence,
        graph.waits(),
        graph.cycle() if state.quiescent else (),
        tuple(_report(process, told.get(process.pid), graph) for process in state.processes),
        tuple(unproved[:_SHOWN_WAITS]),
    )


def _report(process: ProcessState, told: Told | None, graph: WaitForGraph) -> ProcessReport:
    label = graph.label(process.pid)
    if process.ended or told is None:
        return ProcessReport(label, process.pid, process.command, (), process.exit_status)
    threads = []
    for thread in process.threads:
        spoke = told.threads.get(thread.tid)
        wait = f"waits for {thread.wait.what} ({thread.wait.operation})" if thread.wait else thread.why
        name = "main thread" if thread.tid == process.pid else f"thread {spoke.name if spoke else thread.tid}"
        if spoke is not None and spoke.lock is not None:
            wait = f"waits for {spoke.lock}"
        if spoke is not None and spoke.operation:
            wait += f" in {spoke.operation}"
        threads.append(ThreadReport(name, wait, spoke.stack if spoke else ()))
    notes = [f"its child {pid} {how_it_ended(status)}" for pid, status in told.reaped if status]
    command = "" if told.name else process.command  # a fork's is that of the keeper
    return ProcessReport(label, process.pid, command, tuple(threads), None, told.raw, tuple(notes))


def _thread_of(process: ProcessState, tid: int) -> str:
    return "" if tid == process.pid else f", thread {tid},"


def _number(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}{plural if count != 1 else ''}"


def how_it_ended(status: int) -> str:
    """A process's exit status in words: a code, or minus a signal."""
    if status >= 0:
        return f"exited with code {status}"
    try:
        return f"was killed by signal {-status} ({signal.Signals(-status).name})"
    except ValueError:
        return f"was killed by signal {-status}"
