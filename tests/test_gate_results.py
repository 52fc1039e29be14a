"""A session whose gate has found all there is to find: outcomes, terminal, JUnit, files, annotations, exit status."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_parallel_lab.gating.session import JudgingSession
from pytest_parallel_lab.model.gate import GateRun, from_json
from tests.gates import gated, judged, reading, rich_gate

Gate = Callable[..., pytest.RunResult]
SPEED = """
    import pytest

    def test_same(benchmark): pass
    @pytest.mark.parametrize("how", [pytest.param(0, id="pool_map-processes-2w")])
    def test_slow(benchmark, how): pass
    def test_noisy(benchmark): pass
    def test_wrong(benchmark): pass
    def test_new(benchmark): pass
    def test_fast(benchmark): pass
    def test_curve(benchmark): pass
"""
RICH = rich_gate()  # here, as what a session in this process imports first is gone after it: numpy bears that once
SAME = judged(gated("test_same", reading()))
JSON, MARKDOWN = "--parallel-gate-json", "--parallel-gate-markdown"


@pytest.fixture
def gate(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Run pytest in this process with a gate that is not measured but made by hand."""
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    pytester.mkdir("tests").joinpath("test_speed.py").write_text(SPEED.replace("\n    ", "\n"))

    def run(*args: str, found: GateRun = RICH) -> pytest.RunResult:
        monkeypatch.setattr(JudgingSession, "_measured", lambda *_: found)
        return pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider", "--parallel-gate=main", *args)

    return run


def test_it_is_told_where_people_look(gate: Gate, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("COLUMNS", "110")
    files = [f"{JSON}=gate.json", f"{MARKDOWN}=gate.md", "--parallel-report=out.html", "--junitxml=junit.xml"]
    result = gate(*files)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=3, passed=2, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "tests/test_speed.py .FUFs.F*",
            "regressed against main (1f3a5c7e9b): time +7.* (longer)",
            "*= gate =*",
            "9999999999-dirty against main (1f3a5c7e9b): 20 launches of each version in 61.5 s*",
            "test_slow?pool_map-processes-2w?  regressed  time *",
            "warning: cores are busy with others: load average 1.3",
            "1 wrong, 2 regressed, 1 undecided, 1 not gated, 2 passed of 7 tests (1 better)",
            "parallel gate: */gate.json",
            "parallel gate: */gate.md",
            "::error file=tests/test_speed.py,line=7,title=gate%3A wrong%3A test_wrong::wrong against main *%0ANext: *",
            "::warning file=tests/test_speed.py,line=7,title=gate%3A undecided%3A test_noisy::undecided *",
            "*3 failed, 2 passed, 1 skipped, 1 undecided in *",
        ]
    )
    assert from_json(json.loads((pytester.path / "gate.json").read_text())) == RICH
    assert (pytester.path / "gate.md").read_text().startswith("<!-- pytest-parallel-lab: gate -->\n")
    assert "## ❌ Gate: 1 wrong, 2 regressed" in (pytester.path / "summary.md").read_text()
    page = (pytester.path / "out.html").read_text()
    assert "3 failed, 1 undecided, 2 passed, 1 skipped" in page
    assert page.count("Losses of 7 readings") == 1
    (case,) = ElementTree.parse(pytester.path / "junit.xml").findall(".//testcase[@name='test_curve']")
    properties = {one.get("name"): one.get("value") for one in case.findall("properties/property")}
    assert properties["gate"] == properties["gate_efficiency_2w"] == "regressed"
    assert float(properties["gate_efficiency_2w_loss"] or 0) == pytest.approx(1.2, rel=0.02)
    failure = case.find("failure")
    assert failure is not None
    assert (failure.text or "").startswith("regressed against main (1f3a5c7e9b): efficiency with 2 workers +2")


def test_quiet_is_one_line_and_annotations_are_told_all_the_same(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = gate("-q")
    lines = [line for line in result.outlines if line.startswith("gate: ")]
    assert len(lines) == 1
    assert lines[0].startswith("gate: 9999999999-dirty against main (1f3a5c7e9b): 1 wrong, 2 regressed, ")
    result.stdout.no_fnmatch_line("*= gate =*")
    result = gate("-qq")
    result.stdout.no_fnmatch_line("gate: *")
    assert sum(line.startswith(("::error ", "::warning ")) for line in result.outlines) == 4


def test_what_passes_has_no_annotation_and_no_failure(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = gate("-k", "same or new", found=judged(gated("test_same", reading()), gated("test_new", why="new")))
    assert result.ret == 0
    result.stdout.fnmatch_lines(["1 not gated, 1 passed of 2 tests"])
    result.stdout.no_fnmatch_line("::*")


def test_sessions_without_a_gate_tell_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_alone="def test_it(): pass")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-q")
    result.assert_outcomes(passed=1)
    assert not any("gate" in line for line in result.outlines)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["{}=none/such/out"], "*{}: the directory */none/such does not exist; make it first"),
        (["{}=."], "*{}: '.' is a directory; give the name of a file in it"),
        (["{}="], "*{}: '.' is a directory; give the name of a file in it"),
    ],
)
@pytest.mark.parametrize("option", [JSON, MARKDOWN])
def test_files_that_cannot_be_are_refused_at_once(gate: Gate, option: str, options: list[str], told: str) -> None:
    result = gate(*(one.format(option) for one in options))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told.format(option)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_files_without_permission_are_refused_at_once(gate: Gate, pytester: pytest.Pytester) -> None:
    pytester.mkdir("locked").chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = gate(f"{JSON}=locked/out.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{JSON}: locked/out.json cannot be written; choose another place"])


def test_two_results_in_one_file_are_refused(gate: Gate) -> None:
    result = gate(f"{JSON}=out", f"{MARKDOWN}=./out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{MARKDOWN}: */out is already that of {JSON}; give another file"])


@pytest.mark.parametrize("option", [JSON, MARKDOWN])
def test_a_file_without_a_gate_is_refused(pytester: pytest.Pytester, option: str) -> None:
    result = pytester.runpytest_inprocess(f"{option}=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{option}: there is nothing to write without a gate; give --parallel-gate=BASE"])


def test_a_place_that_vanishes_fails_the_session_but_shows_its_results(gate: Gate, pytester: pytest.Pytester) -> None:
    pytester.mkdir("place")
    pytester.makeconftest("import os\ndef pytest_collection_finish(): os.rmdir('place')")
    result = gate(f"{JSON}=place/out.json", "-k", "same", found=SAME)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"{JSON}: */place/out.json could not be written: *No such file*"])
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR


def test_a_gate_that_never_was_is_told_and_leaves_no_file(gate: Gate, pytester: pytest.Pytester) -> None:
    result = gate(f"{JSON}=out.json", "-k", "nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines([f"{JSON}: */out.json was not written: no gate came to its end in this session"])
    assert not Path("out.json").exists()


def test_listing_tests_writes_nothing(gate: Gate) -> None:
    result = gate("--collect-only", f"{JSON}=out.json")
    assert result.ret == 0
    result.stdout.no_fnmatch_line(f"{JSON}*")
    assert not Path("out.json").exists()


def test_a_side_of_a_gate_reports_nothing(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_parallel_lab import gating

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    monkeypatch.setattr(gating, "register", lambda *_: None)  # would connect to the session that judges
    pytester.makepyfile("def test_it(parallel_backend): pass")
    options = ["--parallel-gate-side=socket", f"{JSON}=no/such", f"{MARKDOWN}=no/such", "--parallel-report=no/such"]
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--parallel-backends=serial", *options)
    result.assert_outcomes(passed=1)
    assert not any("no/such" in line or "summary" in line for line in result.outlines)
    assert not (pytester.path / "summary.md").exists()
