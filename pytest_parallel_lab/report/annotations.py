"""Annotations of a GitHub workflow: what failed, shown at its place in the pull request's files.

Source: GitHub Docs, "Workflow commands for GitHub Actions", and how `@actions/core` escapes them: a text has
``%``, line feeds and carriage returns percent-encoded, a property also ``:`` and ``,``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pytest_parallel_lab.model.gate import UNDECIDED, GateRun
from pytest_parallel_lab.report.gate_rows import needs_a_look
from pytest_parallel_lab.report.gate_text import explain

ACTIONS = "GITHUB_ACTIONS"
WORKSPACE = "GITHUB_WORKSPACE"
"""The environment variables that say that a workflow runs, and where the repository is."""


def annotations_of(run: GateRun, root: Path, environment: Mapping[str, str]) -> list[str]:
    """The lines to be printed: errors for what regressed or is wrong, warnings for what is undecided, worst first.

    Args:
        run: as found.
        root: that the paths of tests are relative to.
        environment: variables; none but those of a workflow lead to annotations.
    """
    if environment.get(ACTIONS) != "true":
        return []
    workspace = environment.get(WORKSPACE)
    lines = []
    for test in needs_a_look(run):
        level = "warning" if test.verdict == UNDECIDED else "error"
        name = test.nodeid.partition("::")[2] or test.nodeid
        given = {"title": f"gate: {test.verdict}: {name}"}
        if test.path:
            given = {"file": _in_workspace(test.path, root, workspace), "line": str(test.line), **given}
        told = ",".join(f"{key}={_property(value)}" for key, value in given.items())
        lines.append(f"::{level} {told}::{_text(explain(test, run))}")
    return lines


def _in_workspace(path: str, root: Path, workspace: str | None) -> str:
    """A path as GitHub knows it: the tests may be in a directory of the repository."""
    if not workspace:
        return path
    relative = os.path.relpath(root / path, workspace)
    return path if relative.startswith(os.pardir) else relative


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
