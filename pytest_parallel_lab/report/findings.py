"""Explorations and deadlocks as the plain data that reports are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab.model.errors import Race, Stuck
from pytest_parallel_lab.report.attachments import attach, attachments_of, page_wanted, wanted

if TYPE_CHECKING:
    from pytest_parallel_lab.model.exploration import Exploration
    from pytest_parallel_lab.model.lock_order import Potential
    from pytest_parallel_lab.model.timeline import Section
    from pytest_parallel_lab.model.verdict import Verdict
    from pytest_parallel_lab.model.wait_for import Wait

_MOST_TEXT = 8000
_MOST_OUTCOMES = 20
_MOST_WAITS = 40
_MOST_SPANS = 2000  # of one timeline
_MOST_TIMELINES = 20  # of one test


def attach_exploration(item: pytest.Item, function: str, found: Exploration) -> None:
    """Keep what an exploration has found, and the deadlock that it ran into if it did."""
    if not wanted(item.config):
        return
    attach(item, "exploration", exploration_data(function, found))
    if found.failure is not None and found.failure.verdict is not None:
        attach_verdict(item, found.failure.verdict)


def attach_verdict(item: pytest.Item, verdict: Verdict) -> None:
    """Keep why a run did not come to its end."""
    if wanted(item.config):
        attach(item, "deadlock", deadlock_data(verdict))


def attach_potential(item: pytest.Item, found: Iterable[Potential]) -> None:
    """Keep why another run may not come to its end."""
    if wanted(item.config):
        for one in found:
            attach(item, "deadlock", potential_data(one))


def attach_timeline(item: pytest.Item, title: str, section: Section) -> None:
    """Keep when the workers of a run did what; of the first runs of a test."""
    kept = sum(1 for kind, _ in attachments_of(item) if kind == "timeline")
    if page_wanted(item.config) and kept < _MOST_TIMELINES:
        attach(item, "timeline", timeline_data(title, section))


def attach_raised(item: pytest.Item, error: BaseException) -> None:
    """Keep what an error tells that no fixture has kept."""
    kept = {kind for kind, _ in attachments_of(item)}
    if isinstance(error, Stuck) and "deadlock" not in kept:
        attach_verdict(item, error.verdict)
    elif isinstance(error, Race) and "exploration" not in kept:
        attach_exploration(item, item.name, error.exploration)


def exploration_data(function: str, found: Exploration) -> dict[str, Any]:
    """What was explored, how, and what came of it.

    Returns:
        ``function``, ``statement``, ``runs``, ``elapsed_s``, ``seed``, ``exhausted``, ``searched`` (``[what, runs,
        of]``), ``outcomes`` (``[text, runs, schedule]``, the most frequent first), ``other_outcomes`` (how many are
        left out), ``evidence``, ``failure``: None, or ``outcome``, ``expected``, ``why``, ``kind``, ``schedule``,
        ``interleaving``, ``traceback``, ``latent``, ``replayed``, ``replays``.
    """
    outcomes = sorted(found.outcomes, key=lambda seen: -seen.runs)
    failure = found.failure
    told = failure and {
        "outcome": _cut(failure.outcome, 600),
        "expected": _cut(failure.expected, 600),
        "why": failure.why,
        "kind": failure.kind,
        "schedule": str(failure.schedule),
        "interleaving": _cut(failure.interleaving),
        "traceback": _cut(failure.traceback),
        "latent": failure.latent,
        "replayed": failure.replayed,
        "replays": failure.replays,
    }
    return {
        "function": function,
        "statement": found.statement(),
        "runs": found.runs,
        "elapsed_s": found.elapsed_s,
        "seed": found.seed,
        "exhausted": found.exhausted,
        "searched": [[part.what, part.runs, part.of] for part in found.searched],
        "outcomes": [[_cut(one.text, 300), one.runs, str(one.schedule)] for one in outcomes[:_MOST_OUTCOMES]],
        "other_outcomes": max(0, len(outcomes) - _MOST_OUTCOMES),
        "evidence": [_cut(one, 600) for one in found.evidence[:_MOST_OUTCOMES]],
        "failure": told,
    }


def deadlock_data(verdict: Verdict) -> dict[str, Any]:
    """Why a run did not come to its end.

    Returns:
        ``verdict`` ("deadlock", "time-out" or "potential deadlock"), ``evidence``, ``after``, ``again``,
        ``unproved``, ``report`` (all processes with their stacks), and ``waits``: each with ``who``, ``what``,
        ``operation``, ``at``, ``held_by``, ``taken_at``, ``does``, and ``in_cycle``; those of the cycle first.
    """
    cycle = verdict.cycle
    inside = {wait.who for wait in cycle}
    rest = [wait for wait in verdict.waits if wait.who not in inside]
    return {
        "verdict": "deadlock" if verdict.proved else "time-out",
        "evidence": verdict.evidence,
        "after": verdict.after,
        "again": verdict.again,
        "unproved": list(verdict.unproved),
        "waits": _waits(cycle, in_cycle=True) + _waits(rest[:_MOST_WAITS]),
        "other_waits": max(0, len(rest) - _MOST_WAITS),
        "report": _cut(verdict.full()),
    }


def potential_data(found: Potential) -> dict[str, Any]:
    """Why another run may hang; keys as in ``deadlock_data``."""
    return {
        "verdict": "potential deadlock",
        "evidence": found.what,
        "after": "",
        "again": "",
        "unproved": [],
        "waits": _waits(found.waits, in_cycle=len(found.waits) > 1),
        "other_waits": 0,
        "report": "",
    }


def timeline_data(title: str, section: Section) -> dict[str, Any]:
    """When the workers of a run did what; of very many spans the longest ones.

    Returns:
        ``title`` and ``spans``: each ``[worker, start_s, end_s, kind, name]``.
    """
    spans = section.timeline()
    if len(spans) > _MOST_SPANS:
        longest = sorted(range(len(spans)), key=lambda i: -spans[i].seconds)[:_MOST_SPANS]
        spans = [spans[i] for i in sorted(longest)]
    return {"title": title, "spans": [[f"worker {s.worker}", s.start_s, s.end_s, s.kind, s.name] for s in spans]}


def _waits(waits: Iterable[Wait], *, in_cycle: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "who": wait.who,
            "what": wait.what,
            "operation": wait.operation,
            "at": str(wait.at or ""),
            "held_by": wait.held_by,
            "taken_at": str(wait.taken_at or ""),
            "does": wait.does,
            "in_cycle": in_cycle,
        }
        for wait in waits
    ]


def _cut(text: str, most: int = _MOST_TEXT) -> str:
    """Leave out the middle of what is too long: begin and end tell most."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
