"""What a gate leaves: JSON that its schema describes, Markdown, annotations, and the session's part of reports."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab.model.gate import REGRESSED, UNDECIDED, GatedTest, GateRun, Reading, from_json, to_json
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report import gate_markdown, markdown, write
from pytest_parallel_lab.report.annotations import annotations_of
from pytest_parallel_lab.report.gate_layout import MOST_LANES, WIDTH, lay_out
from pytest_parallel_lab.report.gate_rows import rows_of
from pytest_parallel_lab.report.gate_text import explain
from tests.gates import gated, judged, reading, rich_gate
from tests.reports import HOSTILE, record, session

SCHEMA = Path(__file__).parents[1] / "docs/gate.schema.json"
FEW = Reading("time", (1.0,), (1.1,), 0.05, loss=Estimate(1.1, 0.0, float("inf"), 1.0))
WORKFLOW = {"GITHUB_ACTIONS": "true"}


def test_the_schema_describes_what_is_written(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    few = GatedTest("t", (FEW, replace(FEW, loss=None, base=(), current=())))
    for number, run in enumerate((rich_gate(), judged(), replace(rich_gate(), tests=(few,)))):
        path = tmp_path / f"{number}.json"
        assert write.gate_json(run, path) == str(path)
        written = json.loads(path.read_text(), parse_constant=pytest.fail)
        validator(schema).validate(written)
        assert from_json(written) == run


def test_the_schema_has_every_member_and_no_other() -> None:
    schema = json.loads(SCHEMA.read_text())
    written = to_json(rich_gate())
    of_test, of_reading = (schema["$defs"][kind] for kind in ("test", "reading"))
    test = written["tests"][1]
    for known, data in ((schema, written), (of_test, test), (of_reading, test["readings"][0])):
        assert list(known["properties"]) == known["required"]
        assert set(known["properties"]) == set(data)
    assert {field.name for field in fields(Estimate)} == set(schema["$defs"]["estimate"]["properties"])
    assert set(schema["properties"]["counts"]["properties"]) == set(written["counts"])


@pytest.mark.parametrize("wrong", [{"version": 2}, {"tests": [{}]}, {"false_alarms": 5}, {"format": "another"}])
def test_the_schema_refuses_what_it_does_not_describe(wrong: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(json.dumps(to_json(rich_gate()))), **wrong}, json.loads(SCHEMA.read_text()))


def test_a_comment_for_a_pull_request(tmp_path: Path) -> None:
    path = tmp_path / "gate.md"
    write.gate_markdown(rich_gate(), path)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [
        "<!-- pytest-parallel-lab: gate -->",
        "## ❌ Gate: 1 wrong, 2 regressed, 1 undecided, 1 not gated, 2 passed of 7 tests (1 better)",
        "",
    ]
    assert lines[3] == "9999999999-dirty against main (1f3a5c7e9b), 20 launches of each version in 61.5 s."
    assert "⚠️ cores are busy with others: load average 1.3" in lines
    folded = lines.index("<details>")
    table = [line for line in lines[:folded] if line.startswith("|")]
    assert table[0] == "|  | verdict | test | of | loss | base | now | threshold |"
    assert [line.split("|")[2].strip() for line in table[2:]] == ["wrong", "regressed", "regressed", "undecided"]
    assert re.match(
        r"\| ❌ \| regressed \| .*test\\_slow\\\[pool\\_map-processes-2w\\\] \| time \| \+7\.\d % ", table[4]
    )
    assert "- tests/test\\_speed.py::test\\_wrong: the base gives 3, this version 4" in lines[:folded]
    assert [line for line in lines if line.startswith("<summary>")] == [
        "<summary>5 more</summary>",
        "<summary>What happened, and what to do next</summary>",
        "<summary>How it was measured and judged</summary>",
    ]
    assert lines.count("<details>") == lines.count("</details>") == 3
    assert "- load average 0.4 to 1.3" in lines
    assert "- seed 7" in lines
    assert any(line.startswith("- loss: Hodges-Lehmann estimate of the log ratios") for line in lines)


@pytest.mark.parametrize(
    ("tests", "heading"),
    [
        ([gated("test_same", reading())], "## ✅ Gate: 1 passed of 1 test"),
        (
            [gated("test_noisy", reading(1.03, 0.2)), gated("t", reading())],
            "## ❔ Gate: 1 undecided, 1 passed of 2 tests",
        ),
        ([gated("test_new", why="new")], "## ⚪ Gate: 1 not gated of 1 test"),
        ([], "## ✅ Gate: nothing gated of 0 tests"),
    ],
)
def test_the_heading_says_the_worst(tests: list[GatedTest], heading: str) -> None:
    assert next(gate_markdown.section(judged(*tests))) == heading


def test_a_comment_is_never_too_long_and_hostile_names_stay_text() -> None:
    bad = Reading("time", (1.0,), (1.1,), 0.05, loss=Estimate(1.1, 1.05, 1.2), verdict=REGRESSED)
    many = tuple(GatedTest(f"{HOSTILE}{number}" + "x" * 150, (bad,), why=HOSTILE) for number in range(150))
    text = gate_markdown.comment(replace(rich_gate(), tests=many, warnings=(HOSTILE,)))
    assert len(text) <= gate_markdown.MOST_COMMENT
    assert text.startswith(f"{gate_markdown.MARKER}\n## ❌ Gate: 150 regressed of 150 tests")
    assert "\nand 100 more\n" in text
    assert "The details are left out, to keep this short: see the log, or the file in JSON." in text
    assert "<script" not in text.replace("\\<", "")
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 9, line


def test_annotations_are_as_github_wants_them() -> None:
    why = "100 % wrong:\r\n1, not 2"
    run = judged(gated("test_it[a,b:c]", wrong=True, why=why), GatedTest("nowhere", (reading(1.2),)))
    assert annotations_of(run, Path("/r"), {}) == []
    first, second = annotations_of(run, Path("/r"), WORKFLOW)
    assert first == (
        "::error file=tests/test_speed.py,line=7,title=gate%3A wrong%3A test_it[a%2Cb%3Ac]::"
        "wrong against main (1f3a5c7e9b): 100 %25 wrong:%0D%0A1, not 2%0A"
        "Next: find out which of the two answers is right; how long they took is not compared until they agree."
    )
    assert second.startswith("::error title=gate%3A regressed%3A nowhere::regressed against main")
    assert "\n" not in second


def test_annotations_of_what_needs_a_look_only_and_the_worst_first() -> None:
    lines = annotations_of(rich_gate(), Path("/r"), WORKFLOW)
    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 3 + ["::warning"]
    assert "gate%3A undecided%3A test_noisy::undecided against" in lines[-1]


@pytest.mark.parametrize(
    ("root", "file"), [("/w/repo/sub", "sub/tests/test_speed.py"), ("/elsewhere", "tests/test_speed.py")]
)
def test_annotations_name_files_as_the_repository_does(root: str, file: str) -> None:
    lines = annotations_of(rich_gate(), Path(root), {**WORKFLOW, "GITHUB_WORKSPACE": "/w/repo"})
    assert all(f" file={file},line=7," in line for line in lines)


def gated_session(run: GateRun) -> Any:
    """A session whose tests came out as the gate says."""
    records = []
    for test in run.tests:
        bad, passed = test.verdict in ("wrong", REGRESSED), test.verdict == "passed"
        told = explain(test, run)
        records.append(
            record(
                nodeid=test.nodeid,
                outcome="failed" if bad else "passed" if passed else "skipped",
                raised="Failed" if bad else "",
                message="" if passed else ("Failed: " if bad else "") + told.partition("\n")[0],
                details="" if passed else told,
                problem="speed",
            )
        )
    return session(*records).with_gate(run)


def test_what_is_undecided_was_not_skipped() -> None:
    whole = gated_session(rich_gate())
    assert whole.counts() == {"failed": 3, "undecided": 1, "passed": 2, "skipped": 1}
    verdicts = {one.nodeid.partition("::")[2]: one.verdict for one in whole.records}
    assert verdicts["test_wrong"] == "wrong"
    assert verdicts["test_curve"] == "regressed"
    assert verdicts["test_noisy"] == "undecided"
    assert verdicts["test_new"] == "skipped"
    assert whole.ordered()[0].message.startswith("regressed against main")


def test_the_step_summary_has_the_gate() -> None:
    lines = markdown.render(gated_session(rich_gate())).splitlines()
    assert "3 failed, 1 undecided, 2 passed, 1 skipped, in 1.5 s" in lines
    assert "## ❌ Gate: 1 wrong, 2 regressed, 1 undecided, 1 not gated, 2 passed of 7 tests (1 better)" in lines
    assert gate_markdown.MARKER not in lines
    assert not any(line.startswith("## ❌ Gate") for line in markdown.render(session(record())).splitlines())


def test_the_plot_holds_all_it_shows() -> None:
    rows = rows_of(rich_gate())
    forest = lay_out(rows)
    assert len(forest.lanes) == sum(row.reading is not None for row in rows)
    assert all(-0.01 <= x <= WIDTH + 0.01 for x, _ in forest.ticks)
    assert next(x for x, text in forest.ticks if text == "0") == forest.same
    assert len({lane.mark[lane.mark.index("m") :] for lane in forest.lanes}) == 3
    wide = replace(FEW, loss=Estimate(1.1, 0.01, 50.0), verdict=UNDECIDED)
    (lane,) = lay_out(rows_of(replace(rich_gate(), tests=(GatedTest("t", (wide,)),)))).lanes
    assert lane.bar.startswith("M 0.0 12 H 560.0 M 6.0 8 l -6 4")
    assert lane.bar.endswith(f"M {WIDTH - 6:.1f} 8 l 6 4 l -6 4")
    (lane,) = lay_out(rows_of(replace(rich_gate(), tests=(GatedTest("t", (FEW,)),)))).lanes
    assert lane.bar == ""


def test_a_plot_of_very_many_readings_stays_light() -> None:
    test = GatedTest("t", (replace(FEW, verdict=UNDECIDED),) * (MOST_LANES + 5))
    assert lay_out(rows_of(replace(rich_gate(), tests=(test,)))).left_out == 5
    assert lay_out([]).lanes == []


def test_the_page_has_the_gate() -> None:
    pytest.importorskip("jinja2")
    from pytest_parallel_lab.report.html import render
    from tests.test_report_html import Page

    text = render(gated_session(rich_gate()))
    found = Page(text)
    assert "#gate" in [attributes["href"] for attributes in found.all("a")]
    assert "Losses of 7 readings with their intervals" in text
    assert '<span class="verdict undecided">undecided</span>' in text
    assert len(found.all("caption")) == len(found.all("table"))
    for words in (
        "the base gives 3, this version 4",
        "2 passed of 7 tests (1 better)",
        "load average 0.4 to 1.3",
    ):
        assert words in text
    assert 'id="gate"' not in render(session(record()))
    hostile = GatedTest(HOSTILE, (replace(FEW, verdict=UNDECIDED),), why=HOSTILE, path=HOSTILE)
    shown = render(gated_session(replace(rich_gate(), tests=(hostile,), base=HOSTILE, warnings=(HOSTILE,))))
    assert len(Page(shown).all("script")) == 1
    Page(render(gated_session(judged())))
