"""The HTML report: one file that needs nothing else."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.report import timeline_layout, waits_layout
from pytest_parallel_lab.report.curves import FITTED, HEADER, Panel, panels, table_rows
from pytest_parallel_lab.report.gate_page import gate_page
from pytest_parallel_lab.report.overview import SYMBOLS, overview
from pytest_parallel_lab.report.records import OUTCOMES, Record, Session, seconds

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_DRAWN = 24
"""Panels of curves that are drawn; of others there are the tables, or opening the report would take long."""
OPEN_PANELS = 6
_PAGE = Path(__file__).parent / "page"
_MOST_ROWS = 500


@dataclass
class Finding:
    """Something that a test has found or added, with its place in the page."""

    id: str
    kind: str
    title: str
    test: str
    record: Record
    data: dict[str, Any]
    drawn: Any = None


def render(session: Session) -> str:
    """The whole page."""
    environment = _environment()
    ids = {id(record): f"t{number}" for number, record in enumerate(session.ordered(), 1)}
    found = list(_findings(session, ids))
    of_test: dict[str, list[Finding]] = {}
    for finding in found:
        of_test.setdefault(finding.test, []).append(finding)
    shown = _panels(session)
    return environment.get_template("report.html").render(
        session=session,
        tests=[(ids[id(record)], record) for record in session.ordered()],
        of_test=of_test,
        overview=overview(session.records),
        symbols=SYMBOLS,
        outcomes=OUTCOMES,
        verdicts=sorted({record.verdict for record in session.records if record.bad}),
        gate=gate_page(session.gate) if session.gate is not None else None,
        ids={record.nodeid: ids[id(record)] for record in session.records},
        panels=shown,
        panel_of={nodeid: number for number, (panel, *_) in enumerate(shown, 1) for nodeid in panel.nodeids},
        timelines=[one for one in found if one.kind == "timeline"],
        deadlocks=[one for one in found if one.kind == "deadlock"],
        explorations=sorted(
            (one for one in found if one.kind == "exploration"),
            key=lambda one: (not one.record.bad, not one.data["failure"]),
        ),
        added=[one for one in found if one.kind in ("figure", "table")],
        header=HEADER,
        fitted=FITTED,
        open_panels=OPEN_PANELS,
        most_rows=_MOST_ROWS,
        timeline_width=timeline_layout.WIDTH,
    )


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seconds"] = seconds
    environment.filters["shell"] = shlex.quote
    environment.filters["nodeid"] = _nodeid
    environment.filters["data_url"] = _data_url
    environment.globals["include_text"] = lambda name: Markup((_PAGE / name).read_text(encoding="utf-8"))
    environment.globals["our_svg"] = Markup  # drawn by us: texts in it are escaped by matplotlib
    return environment


def _panels(session: Session) -> list[tuple[Panel, list[tuple[str, str]], list[tuple[str, ...]]]]:
    """Curves that belong together, their figures and the rows of their table."""
    found = panels(session.attached("curve"))
    if not found:
        return []
    from pytest_parallel_lab.report.plots import scaling_figures

    return [
        (panel, scaling_figures(panel) if number < MOST_DRAWN else [], list(table_rows(panel.series)))
        for number, panel in enumerate(found)
    ]


def _findings(session: Session, ids: dict[int, str]) -> Iterator[Finding]:
    """All that tests have found and added but curves, those of failed tests first."""
    number = 0
    for record in session.ordered():
        for kind, data in record.attachments:
            if kind == "curve":
                continue
            number += 1
            title = data.get("title") or data.get("function") or data.get("verdict", "")
            finding = Finding(f"x{number}", kind, str(title), ids[id(record)], record, data)
            if kind == "timeline":
                finding.drawn = timeline_layout.lay_out(data["spans"])
            elif kind == "deadlock":
                finding.drawn = waits_layout.lay_out(data["waits"])
            yield finding


def _nodeid(nodeid: str) -> Any:
    """A test's id with its file less prominent, and places where it may be broken."""
    from markupsafe import Markup, escape

    path, separator, name = nodeid.partition("::")
    if not separator:
        return escape(nodeid)
    directories = Markup("/<wbr>").join(path.split("/"))
    return Markup('<span class="path">{}::</span><wbr>{}').format(directories, name)


def _data_url(svg: str) -> str:
    """An SVG that is not ours, as an image: a browser runs no script in it and fetches nothing for it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
