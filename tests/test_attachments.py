"""What a test attaches arrives with its reports, also from another process."""

from __future__ import annotations

import pytest

from tests.conftest import Run

COLLECTS = """
    from pytest_parallel_lab.report.attachments import attachments_on

    def pytest_runtest_logreport(report):
        for kind, data in attachments_on(report):
            print(f"SEEN {report.nodeid} {report.when} {kind} {data}")
"""
ATTACHES = """
    import pytest
    from pytest_parallel_lab.report.attachments import attach, attachments_of

    @pytest.fixture
    def early(request):
        attach(request.node, "table", {"title": "early", "rows": [(1, 2.5)]})
        yield
        attach(request.node, "table", {"title": "late"})

    def test_it(request, early):
        attach(request.node, "figure", {"title": "in"})
        attach(request.node, "figure", {"title": "between"})
        assert [data["title"] for _, data in attachments_of(request.node)] == ["early", "in", "between"]

    def test_nothing(): pass
"""


@pytest.mark.parametrize("processes", [(), ("-n1",)], ids=["here", "xdist"])
def test_each_phase_has_its_own(pytester: pytest.Pytester, run_pytest: Run, processes: tuple[str, ...]) -> None:
    pytester.makeconftest(COLLECTS)
    pytester.makepyfile(test_at=ATTACHES)
    result = run_pytest("-s", *processes)
    result.assert_outcomes(passed=2)
    seen = [line[line.index("SEEN") :] for line in result.outlines if "SEEN" in line]
    assert seen == [
        "SEEN test_at.py::test_it setup table {'title': 'early', 'rows': [[1, 2.5]]}",
        "SEEN test_at.py::test_it call figure {'title': 'in'}",
        "SEEN test_at.py::test_it call figure {'title': 'between'}",
        "SEEN test_at.py::test_it teardown table {'title': 'late'}",
    ]


def test_what_cannot_be_kept_is_refused(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import pytest
        from pytest_parallel_lab.report.attachments import attach

        def test_no_such_kind(request):
            with pytest.raises(ValueError, match=r"test_no_such_kind: nothing of kind 'curves' can be .* curve, "):
                attach(request.node, "curves", {})

        def test_no_plain_data(request):
            with pytest.raises(TypeError, match=r"test_no_plain_data: what is attached as 'table' must be plain data"):
                attach(request.node, "table", {"rows": object()})
    """)
    run_pytest().assert_outcomes(passed=2)
