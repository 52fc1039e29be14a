"""The step summary: what it says, and that nothing tests are called becomes markup."""

from __future__ import annotations

from pathlib import Path

from pytest_parallel_lab.report import write
from pytest_parallel_lab.report.markdown import render
from pytest_parallel_lab.report.markdown_table import escape
from tests.reports import HOSTILE, curve, large_session, record, rich_session, session


def test_one_of_everything() -> None:
    text = render(rich_session())
    lines = text.splitlines()
    assert lines[0] == "## Parallel runs of lab"
    assert "2 failed, 5 passed, 1 skipped, in 1.5 s" in lines
    assert "| problem | processes | mpi | no backend |" in lines
    assert "| bank | 2w ❌ 1 Deadlock | 3w ⚪ 1 | ❌ 1/2 Race |" in lines
    assert "- `test_lab.py::test_transfer`: AssertionError: not this" in lines
    assert "### matmul: strong scaling, 1,000 rows" in lines
    row = next(line for line in lines if line.startswith("| pool\\_map | processes | 6 |"))
    assert row.endswith("| oversubscribed |")
    assert row.count("|") == 10


def test_every_row_of_a_table_has_its_header_s_cells() -> None:
    hostile = record(HOSTILE, "failed", raised=HOSTILE, problem=HOSTILE, backends=(HOSTILE,))
    hostile.attachments.append(("curve", curve(HOSTILE, HOSTILE, unit="|").to_json()))
    columns = 0
    for line in render(session(hostile, title=HOSTILE)).splitlines():
        bars = line.replace("\\|", "").count("|")
        if not line.startswith("|"):
            columns = 0
        elif not columns:
            columns = bars
        else:
            assert bars == columns, line
        assert "<script" not in line.replace("\\<", "") or line.startswith("- `")


def test_texts_stay_in_one_line_and_as_they_are() -> None:
    assert escape("a|b\n# *c* `d` <e> @f [g](h) i_j #12") == r"a\|b \# \*c\* \`d\` \<e\> \@f \[g\](h) i\_j \#12"


def test_an_interrupted_session_says_so() -> None:
    text = render(session(record(), ending="interrupted: KeyboardInterrupt", not_run=7))
    assert "1 passed, 7 not run, in 1.5 s" in text
    assert "**Not all tests ran: interrupted: KeyboardInterrupt**" in text


def test_many_failures_are_counted() -> None:
    text = render(session(*(record(f"test_{i}", "failed") for i in range(60))))
    assert text.count("\n- `") == 50
    assert "- and 10 more" in text


def test_it_is_appended_and_never_too_long(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    write.summary(rich_session(), path)
    assert path.read_text().startswith("before\n## Parallel runs of lab\n")
    for one in (whole := large_session(3000)).records:
        one.problem = one.nodeid * 10
    write.summary(whole, path)
    assert path.stat().st_size < 1_000_000
    assert path.read_text().endswith("… the rest is left out\n")
