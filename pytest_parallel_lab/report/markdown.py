"""The summary in Markdown, for the page of a CI job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_parallel_lab.report import gate_markdown
from pytest_parallel_lab.report.curves import HEADER, panels, table_rows
from pytest_parallel_lab.report.markdown_table import escape, table
from pytest_parallel_lab.report.overview import Cell, overview
from pytest_parallel_lab.report.records import Record, Session

_MOST_FAILED = 50
_MARKS = {
    "failed": "❌",
    "error": "❌",
    "xpassed": "❌",
    "passed": "✅",
    "xfailed": "🟡",
    "undecided": "❔",
    "skipped": "⚪",
}


def render(session: Session) -> str:
    """The summary: verdicts, what failed, and the curves."""
    return "\n".join([*_lines(session), ""])


def _lines(session: Session) -> Iterator[str]:
    yield f"## Parallel runs of {escape(session.title)}"
    yield ""
    yield escape(session.summary())
    if session.ending:
        yield ""
        yield f"**Not all tests ran: {escape(session.ending)}**"
    grid = overview(record for record in session.records if record.parallel)
    if grid.rows:
        yield ""
        yield from table(
            ["problem", *(backend or "no backend" for backend in grid.backends)],
            ([row.problem, *(_cells(row.cells[backend]) for backend in grid.backends)] for row in grid.rows),
        )
    yield from _failures([record for record in session.ordered() if record.bad])
    if session.gate is not None:
        yield from ["", *gate_markdown.section(session.gate)]
    for panel in panels(session.attached("curve")):
        yield ""
        yield f"### {escape(panel.title)}"
        yield ""
        yield from table([title or "note" for title in HEADER], table_rows(panel.series))
        fits = [f"- {escape(text)}" for text in panel.fits]
        yield from ["", *fits] if fits else []


def _cells(cells: Sequence[Cell]) -> str:
    """``1w ✅ 12, 2w ❌ 3/12``: by worker count, how many tests, and the worst that came of them."""
    told = []
    for cell in cells:
        verdicts = f" {', '.join(cell.verdicts)}" if cell.verdicts else ""
        count = "" if cell.workers is None else f"{cell.workers}w "
        told.append(f"{count}{_MARKS[cell.worst]} {cell.number}{verdicts}")
    return ", ".join(told)


def _failures(records: Sequence[Record]) -> Iterator[str]:
    if not records:
        return
    yield ""
    yield "### Failed"
    yield ""
    for record in records[:_MOST_FAILED]:
        yield f"- `{_code(record.nodeid)}`: {escape(record.message or record.verdict)}"
    if len(records) > _MOST_FAILED:
        yield f"- and {len(records) - _MOST_FAILED} more"


def _code(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")
