"""What tests hand to reports: plain data kept with the test, which travels on its TestReport."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

KINDS = frozenset(["curve", "deadlock", "exploration", "figure", "table", "test", "timeline"])
SPAN_KINDS = ("start-up", "compute", "communication", "waiting")
"""What a worker does in a span of a timeline."""

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The environment variable that names the file for a summary in Markdown."""


Attachment = tuple[str, dict[str, Any]]

_ON_REPORT = "parallel_lab"
_ATTACHED = pytest.StashKey[list[Attachment]]()
_TRAVELLED = pytest.StashKey[int]()


def wanted(config: pytest.Config) -> bool:
    """Whether anything will be reported at all; else nothing is kept for it."""
    asked = config.getoption("--parallel-report") or config.getoption("--parallel-plots")
    return bool(asked or os.environ.get(STEP_SUMMARY))


def page_wanted(config: pytest.Config) -> bool:
    """Whether there will be a page with figures and timelines, beyond a summary or the plots of curves."""
    return bool(config.getoption("--parallel-report"))


def attach(item: pytest.Item, kind: str, data: dict[str, Any]) -> None:
    """Keep data for the reports with a test, in the order in which they come.

    Args:
        item: the test, a fixture's ``request.node``.
        kind: "curve": ``ScalingCurve.to_json()``. "timeline": ``{"title": str, "spans": [[worker, start_s,
            end_s, kind, name], ...]}``, kinds as in ``SPAN_KINDS``. "exploration" and "deadlock": see
            ``findings``. "figure": ``{"title", "svg"}``. "table": ``{"title", "header", "rows"}``. "test": what is
            known of the test itself, see ``facts``.
        data: what ``json`` can write; it is copied.

    Raises:
        ValueError: there is no such kind.
        TypeError: data that ``json`` cannot write.
    """
    if kind not in KINDS:
        raise ValueError(f"{item.nodeid}: nothing of kind {kind!r} can be attached, but {', '.join(sorted(KINDS))}")
    try:
        copied = json.loads(json.dumps(data))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{item.nodeid}: what is attached as {kind!r} must be plain data: {error}") from error
    _kept(item).append((kind, copied))


def attachments_of(item: pytest.Item) -> list[Attachment]:
    """All that was attached to a test, in order."""
    return list(_kept(item))


def attachments_on(report: pytest.TestReport) -> list[Attachment]:
    """What was attached in a report's phase of a test: the call, and what came before or after it."""
    return [(kind, data) for kind, data in getattr(report, _ON_REPORT, ())]


def send_along(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put on a report what was attached since the one before, as plain lists: they survive pytest-xdist."""
    attached = _kept(item)
    new = attached[item.stash.get(_TRAVELLED, 0) :]
    item.stash[_TRAVELLED] = len(attached)
    if new:
        vars(report)[_ON_REPORT] = [[kind, data] for kind, data in new]


def _kept(item: pytest.Item) -> list[Attachment]:
    return item.stash.setdefault(_ATTACHED, [])
