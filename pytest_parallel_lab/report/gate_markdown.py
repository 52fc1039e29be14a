"""A gate in Markdown: for a comment on a pull request, and for the page of a CI job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED, UNDECIDED, WRONG, GateRun
from pytest_parallel_lab.report.gate_rows import (
    HEADER,
    Row,
    needs_a_look,
    rows_of,
    told_alarms,
    told_counts,
    told_load,
    told_measuring,
    told_title,
)
from pytest_parallel_lab.report.gate_text import explain
from pytest_parallel_lab.report.markdown_table import escape, table
from pytest_parallel_lab.report.session_facts import told

MARKER = "<!-- pytest-parallel-lab: gate -->"
"""The first line of a comment: a bot finds the comment of the run before by it, and replaces it."""
MOST_ROWS = 100
"""Of each table, and less where the comment would be too long."""
MOST_COMMENT = 65_000
"""GitHub refuses a comment of more than 65536 characters."""
_MOST_EXPLAINED = 20
_MARKS = {WRONG: "❌", REGRESSED: "❌", UNDECIDED: "❔", NOT_GATED: "⚪", PASSED: "✅"}


def comment(run: GateRun) -> str:
    """All of a gate, after the marker; less of it where it would be too long for a comment."""
    text = "\n".join([MARKER, *section(run), ""])
    rows = MOST_ROWS
    while len(text) > MOST_COMMENT and rows:
        text = "\n".join([MARKER, *section(run, rows, details=False), ""])
        rows //= 2
    return text


def section(run: GateRun, most: int = MOST_ROWS, *, details: bool = True) -> Iterator[str]:
    """The lines of a gate: what needs a look as a table, all else folded away.

    Args:
        run: as found.
        most: so many rows of each table.
        details: with what passed, the explanations and how it was judged.
    """
    rows = rows_of(run)
    looked_at = [row for row in rows if row.verdict in (WRONG, REGRESSED, UNDECIDED)]
    rest = [row for row in rows if row not in looked_at]
    worst = rows[0].verdict if rows else PASSED
    yield f"## {_MARKS[worst]} Gate: {escape(told_counts(run))}"
    yield ""
    yield f"{escape(told_title(run))}, {escape(told_measuring(run))}."
    for warning in run.warnings:
        yield from ["", f"⚠️ {escape(warning)}"]
    if looked_at:
        yield from ["", *_table(looked_at, most)]
    if not details:
        yield from ["", "The details are left out, to keep this short: see the log, or the file in JSON."]
        return
    if rest:
        yield from _folded(f"{len(rest)} more", _table(rest, most))
    if needs_a_look(run):
        yield from _folded("What happened, and what to do next", _explained(run))
    yield from _folded("How it was measured and judged", _how(run))


def _table(rows: Sequence[Row], most: int) -> Iterator[str]:
    yield from table(["", *HEADER], ([_MARKS[row.verdict], *row.cells] for row in rows[:most]))
    if len(rows) > most:
        yield from ["", f"and {len(rows) - most} more"]
    noted = {row.test.nodeid: row.test for row in rows[:most] if row.test.why}
    yield from ["", *(f"- {escape(test.nodeid)}: {escape(test.why)}" for test in noted.values())] if noted else []


def _explained(run: GateRun) -> Iterator[str]:
    tests = needs_a_look(run)
    for test in tests[:_MOST_EXPLAINED]:
        yield from ["", f"**{escape(test.nodeid)}**", ""]
        yield from (f"- {escape(line)}" for line in explain(test, run).splitlines())
    if len(tests) > _MOST_EXPLAINED:
        yield from ["", f"and {len(tests) - _MOST_EXPLAINED} more"]


def _how(run: GateRun) -> Iterator[str]:
    facts = [f"{name}: {value}" for name, value in told(dict(run.machine))]
    for text in (told_alarms(run), run.method, told_load(run), f"seed {run.seed}", *facts):
        if text:
            yield f"- {escape(text)}"


def _folded(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield from ["", "<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]
