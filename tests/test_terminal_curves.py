"""Curves at the end of a session: after the tests, once, as much as is wanted, and with projections on demand."""

from __future__ import annotations

import pytest

from tests.conftest import Run

TESTS = """
    import pytest
    from pytest_parallel_lab.model.scaling_curve import ScalingCurve, ScalingPoint, WorkerTimes
    from pytest_parallel_lab.report.attachments import attach

    def measured(backend, **given):
        busy = WorkerTimes(0.9, 0.05, 0.05, 0.01)
        points = tuple(
            ScalingPoint(p, tuple(1 / p + i / 1000 for i in range(7)), ((busy,) * p,) * 3, p > 2) for p in (1, 2, 4)
        )
        tasks = tuple(tuple(0.009 + i / 1e5 for _ in range(100)) for i in range(3))
        serial = tuple(0.95 + i / 1000 for i in range(7))
        facts = {"warnings": ["the machine is busy"]}
        found = dict(task_times_s=tasks, serial_times_s=serial, machine=facts, interleaved=True)
        return ScalingCurve("pool_map", backend, "strong", points, **{**found, **given}).to_json()

    def test_first(request):
        attach(request.node, "curve", measured("processes"))

    def test_second(request):
        attach(request.node, "curve", measured("threads"))
        attach(request.node, "table", {"title": "not a curve", "header": [], "rows": []})
        assert False

    def test_without(request):
        pass
"""
GREEN = """
    def test_green(request):  # whose communication is not measured, which would take half a second
        attach(request.node, "curve", measured("green"))
"""


@pytest.fixture
def curves(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    pytester.makepyfile(test_it=TESTS, test_green=TESTS.partition("    def test_first")[0] + GREEN)


@pytest.mark.usefixtures("curves")
@pytest.mark.parametrize("args", [[], ["-n2"]], ids=["here", "xdist"])
def test_curves_come_after_the_tests_in_their_order(args: list[str], run_pytest: Run) -> None:
    if args:
        pytest.importorskip("xdist")
    result = run_pytest("test_it.py", *args)
    result.assert_outcomes(passed=2, failed=1)
    told = result.stdout.str()
    assert told.count(" scaling ==") == 1
    assert told.index("FAILURES") < told.index(" scaling ==") < told.index("short test summary")
    curves = told.split(" scaling ==")[1].split("short test summary")[0]
    assert curves.count("pool_map on processes: strong scaling") == 1
    assert curves.count("pool_map on threads: strong scaling") == 1
    assert curves.count("test_it.py::test_first") == 1
    if not args:
        assert curves.index("test_it.py::test_first") < curves.index("test_it.py::test_second")
    assert "warning: the machine is busy" in curves
    assert "not a curve" not in curves
    assert "projection" not in curves
    assert "\x1b" not in told


@pytest.mark.usefixtures("curves")
def test_quiet_has_a_line_for_each(run_pytest: Run) -> None:
    told = run_pytest("test_it.py", "-q").stdout.str()
    assert " scaling ==" not in told
    lines = [line for line in told.splitlines() if line.startswith("scaling: ")]
    for line, backend in zip(lines, ("processes", "threads"), strict=True):
        assert line.startswith(
            f"scaling: pool_map ({backend}, strong), 2 workers: speed-up 1.89 [1.89, 1.90], time 0.5"
        )
    assert "scaling" not in run_pytest("test_it.py", "-qq", "--tb=no").stdout.str()


@pytest.mark.usefixtures("curves")
def test_nothing_is_said_where_nothing_was_measured(run_pytest: Run) -> None:
    for args in (["-k", "without"], ["-k", "without", "--parallel-project=64"], ["--collect-only"]):
        assert "scaling" not in run_pytest(*args).stdout.str()


@pytest.mark.usefixtures("curves")
@pytest.mark.parametrize("columns", [40, 120])
def test_it_fits_the_terminal(columns: int, run_pytest: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    told = run_pytest("--parallel-project=64,1000", "-k", "first or second").stdout.str()
    curves = told.split(" scaling =")[1].split(" short test summary")[0].splitlines()[1:-1]
    assert len(curves) > 40
    assert max(map(len, curves)) <= columns


@pytest.mark.usefixtures("curves")
@pytest.mark.parametrize(
    ("environ", "colour", "ascii_only"),
    [
        ({"PYTHONIOENCODING": "utf-8", "FORCE_COLOR": "1"}, True, False),
        ({"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1"}, False, False),
        ({"PYTHONIOENCODING": "ascii"}, False, True),
        ({"PYTHONIOENCODING": "latin-1"}, False, True),
    ],
)
def test_colour_and_letters_are_those_of_the_terminal(
    environ: dict[str, str], colour: bool, ascii_only: bool, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    told = run_pytest("test_green.py", "--parallel-project=64").stdout.str()
    warning = next(line for line in told.splitlines() if "the machine is busy" in line)
    assert ("\x1b[33m" in warning) is colour
    assert ("█" not in told) is ascii_only
    assert told.isascii() is ascii_only
    assert "####" in told or not ascii_only
    assert "\\u" not in told


@pytest.mark.usefixtures("curves")
@pytest.mark.parametrize("args", [[], ["-n2"]], ids=["here", "xdist"])
def test_projections_follow_their_curve(args: list[str], run_pytest: Run) -> None:
    if args:
        pytest.importorskip("xdist")
    told = run_pytest("-k", "first", "--parallel-project=2,64,1000", *args).stdout.str()
    projected = told.split("projection, not measured: 100 tasks of pool_map")[1]
    for count in (2, 64, 1000):
        for decomposition in ("block", "cyclic", "dynamic"):
            assert any(line.split()[:2] == [str(count), decomposition] for line in projected.splitlines())
    assert "assumed:" in projected
    assert "900 workers have nothing to do" in projected
    assert "communication of processes, 2 workers" in projected
    assert "in brackets the 95 % interval of one run" in projected


@pytest.mark.usefixtures("curves")
def test_projections_can_be_asked_for_in_the_ini_file(run_pytest: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nparallel_project = 64")
    assert "projection, not measured" in run_pytest("test_green.py").stdout.str()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("64,many", "--parallel-project: 'many' is not a number of workers"),
        ("0", "--parallel-project: '0' is not a number of workers"),
        ("", "--parallel-project: is empty; give COUNTS"),
        ("1e5", "--parallel-project: '1e5' is not a number of workers; give whole numbers"),
    ],
)
def test_counts_that_mean_nothing_are_refused(value: str, told: str, run_pytest: Run) -> None:
    result = run_pytest(f"--parallel-project={value}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{told}*"])


def test_a_curve_that_cannot_be_projected_says_why(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        test_it=TESTS
        + """
    def test_mpi(request):
        attach(request.node, "curve", measured("mpi", task_times_s=()))
    """
    )
    told = " ".join(run_pytest("-k", "mpi", "--parallel-project=64").stdout.str().split())
    assert "no projection to 64 workers: it starts from the times of tasks on one worker, and ranks" in told
    assert "communication of mpi" not in told


@pytest.mark.usefixtures("curves")
def test_an_unknown_backend_is_projected_without_communication(run_pytest: Run) -> None:
    told = " ".join(run_pytest("test_green.py", "--parallel-project=64").stdout.str().split())
    assert "projection, not measured" in told
    assert "the master answers at once" in told
    assert "what messages cost was not measured: backend: unknown backend 'green'" in told
