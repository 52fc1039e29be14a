"""The HTML report: whatever tests are called and say, nothing of it becomes part of the page."""

from __future__ import annotations

import html
import re
import xml.dom.minidom
from html.parser import HTMLParser
from typing import Any

import pytest

from pytest_parallel_lab.report import html as page
from pytest_parallel_lab.report.attachments import KINDS
from pytest_parallel_lab.report.curves import panels
from pytest_parallel_lab.report.html import render
from tests.reports import HOSTILE, curve, deadlock, exploration, large_session, record, rich_session, session, timeline

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

VOID = {"wbr", "meta", "link", "input", "img", "br", "hr"}
OUTSIDE = re.compile(r"""(?:https?:)?//[^\s"'<>]+""")


class Page(HTMLParser):
    """The tags of a page, with their attributes; complains of what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def rich() -> str:
    return render(rich_session())


def test_one_of_everything(rich: str) -> None:
    found = Page(rich)
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"] for attributes in found.all("a")}
    assert {link.removeprefix("#") for link in links} <= set(ids)
    for part in ("overview", "gate", "scaling", "timelines", "deadlocks", "explorations", "added", "tests", "machine"):
        assert part in ids
        assert f"#{part}" in links
    text = html.unescape(rich)
    for words in (
        "2 failed, 5 passed, 1 skipped, in 1.5 s",
        "matmul: strong scaling, 1,000 rows",
        "pi: weak scaling, 1,000 rows for each worker",
        "Amdahl: serial fraction 0.",
        "--parallel-replay=o,h89,r0,7=main.p2",
        "process 1 waits for process 2",
        "mpi: no mpiexec on PATH",
        "bank, mpi, 3 workers: 1 skipped",
        "bank, processes, 2 workers: 1 failed (Deadlock)",
        "1.61",
    ):
        assert words in text


def test_nothing_is_loaded(rich: str) -> None:
    found = Page(rich)
    for _, attributes in found.tags:
        for name in ("src", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(OUTSIDE.findall(re.sub(r"base64,[\w+/=]+", "", rich))) <= names
    assert "@import" not in rich


def test_figures_have_descriptions_and_tables_headings(rich: str) -> None:
    found = Page(rich)
    for attributes in found.all("svg"):
        assert attributes.get("aria-hidden") == "true" or attributes.get("aria-label")
    assert all(attributes["alt"] for attributes in found.all("img"))
    assert len(found.all("caption")) == len(found.all("table"))
    assert all("scope" in attributes for attributes in found.all("th"))
    assert len(found.all("figure")) >= 3 * 2 + 1 + 1


def hostile_attachments() -> list[tuple[str, dict[str, Any]]]:
    waits = [
        {**wait, "who": HOSTILE + wait["who"], "what": HOSTILE, "held_by": HOSTILE} for wait in deadlock()["waits"]
    ]
    race = exploration(outcome=HOSTILE, expected=HOSTILE, interleaving=HOSTILE, traceback=HOSTILE, schedule=HOSTILE)
    return [
        ("curve", curve(HOSTILE, HOSTILE, unit=HOSTILE, machine={"warnings": [HOSTILE]}).to_json()),
        ("timeline", {"title": HOSTILE, "spans": [[HOSTILE, 0.0, 1.0, "compute", HOSTILE]]}),
        ("deadlock", {**deadlock(), "evidence": HOSTILE, "report": HOSTILE, "again": HOSTILE, "waits": waits}),
        ("exploration", {**race, "function": HOSTILE, "evidence": [HOSTILE], "outcomes": [[HOSTILE, 3, HOSTILE]]}),
        ("table", {"title": HOSTILE, "header": [HOSTILE], "rows": [[HOSTILE]]}),
        ("figure", {"title": HOSTILE, "svg": f"<svg xmlns='http://www.w3.org/2000/svg'>{HOSTILE}</svg>"}),
    ]


def test_hostile_texts_stay_texts() -> None:
    attachments = hostile_attachments()
    assert {kind for kind, _ in attachments} == KINDS - {"test"}
    everywhere = dict.fromkeys(("nodeid", "raised", "message", "details", "problem", "implementation"), HOSTILE)
    hostile = record(outcome="failed", backends=(HOSTILE,), runs=((HOSTILE, 3),), attachments=attachments, **everywhere)
    whole = render(session(hostile, title=HOSTILE, facts=[(HOSTILE, HOSTILE)], ending=HOSTILE, started=HOSTILE))
    found = Page(whole)
    assert len(found.all("script")) == 1
    assert "49" not in re.findall(r"[^\d.](49)[^\d.]", html.unescape(whole))
    (image,) = found.all("img")
    assert image["src"].startswith("data:image/svg+xml;base64,")  # a browser runs nothing in it
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on")]


def test_no_tests_at_all() -> None:
    text = render(session(facts=[]))
    Page(text)
    assert "no tests ran" in text
    assert 'id="scaling"' not in text


def test_surrogates_and_control_characters(tmp_path: Any) -> None:
    from pytest_parallel_lab.report.write import report

    strange = record("test_\udcff\x00\x1b[31m", "failed", details="\ud800", message="\x07")
    report(session(strange), tmp_path / "report.html")
    assert "\\udcff" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_of_500_tests_the_file_is_small() -> None:
    whole = large_session(500)
    text = render(whole)
    found = Page(text)
    assert len([one for one in found.all("details") if one.get("class") == "test"]) == 500
    drawn = min(page.MOST_DRAWN, len(panels(whole.attached("curve"))))
    assert len([one for one in found.all("figure") if "over workers" in one.get("aria-label", "")]) == 3 * drawn
    assert len(text) < 4_000_000


def test_more_curves_than_are_drawn_have_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_DRAWN", 1)
    text = render(rich_session())
    assert text.count("Not drawn, to keep the report light") == 1
    assert len([one for one in Page(text).all("figure") if "over workers" in one.get("aria-label", "")]) == 3


def test_long_timelines_stay_small() -> None:
    whole = timeline(4, 20_000)
    text = render(session(record(attachments=[("timeline", whole)])))
    assert len(text) < 1_000_000
    Page(text)


def test_what_tests_run_elsewhere_is_quoted() -> None:
    text = html.unescape(render(session(record("test_it[a b'; rm -rf]"))))
    assert """pytest 'test_lab.py::test_it[a b'"'"'; rm -rf]'""" in text


def test_the_curves_are_well_formed_xml() -> None:
    from pytest_parallel_lab.report.plots import scaling_figures

    (panel,) = panels([(record(), curve("<b>&amp;", machine={}).to_json())])
    for _, svg in scaling_figures(panel):
        namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        xml.dom.minidom.parseString(svg.replace("<svg ", f"<svg {namespaces} ", 1))
