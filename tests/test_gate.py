"""The paired gate on a scratch repository with planted changes, and what it refuses."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest

from tests.conftest import wait_until_gone

Gate = Callable[..., pytest.RunResult]

PROGRAM = """
    def work(units):
        total = 0
        for unit in range(units * 1000):
            total += unit * unit % 7
        return total

    def slower(): return work(SLOW) and 1
    def same(): return work(4)
    def other(): return ANSWER
"""
TESTS = """
    import os
    import pytest
    import program
    from pytest_parallel_lab import implementation

    @implementation("processes")
    def in_pool(pool, *, workers):
        return pool.map(program.work, [2] * workers)

    @implementation("processes")
    def in_halves(pool): return pool.map(program.work, [2, 2])

    def test_slower(benchmark): assert benchmark(program.slower) == 1
    def test_same(benchmark): benchmark(program.same)
    @pytest.mark.parallel_gate(metrics="efficiency", threshold="900%")
    def test_curve(scaling): scaling(in_halves, workers=[1, 2], reference=lambda: [program.work(2)] * 2)
    def test_other(benchmark): benchmark(program.other)
    def test_breaks(benchmark):
        benchmark(program.same)
        assert program.ANSWER == 1
    def test_mended(benchmark):
        benchmark(program.same)
        assert program.ANSWER == 2
    def test_dies(benchmark):
        if program.ANSWER == 2: os.kill(os.getpid(), 9)
        benchmark(program.same)
    def test_oversubscribed(benchmark, parallel_run): benchmark(parallel_run, in_pool, workers=2 * os.cpu_count())
    @pytest.mark.skip(reason="not today")
    def test_skipped(benchmark): benchmark(program.same)
    def test_measures_nothing(): assert True
"""


def git(directory: Path, *words: str) -> str:
    names = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    return subprocess.run(["git", *names, *words], cwd=directory, check=True, capture_output=True, text=True).stdout


def commit(directory: Path, message: str) -> str:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", message)
    return git(directory, "rev-parse", "HEAD").strip()


def write_program(pytester: pytest.Pytester, *, slow: int, answer: int) -> None:
    pytester.makepyfile(program=PROGRAM.replace("SLOW", str(slow)) + f"\n    ANSWER = {answer}")


@pytest.fixture
def repository(pytester: pytest.Pytester) -> Path:
    """A repository whose working tree has got slower and wrong since its one commit."""
    git(pytester.path, "init", "--quiet")
    ignored = [".pytest_cache", "__pycache__", "*.json", "*.xml", "runpytest*", "stdout", "stderr"]
    Path(".gitignore").write_text("\n".join(ignored))
    pytester.makeini("[pytest]\naddopts = --strict-markers")
    pytester.makepyfile(test_program=TESTS)
    write_program(pytester, slow=4, answer=1)
    commit(pytester.path, "before")
    return pytester.path


@pytest.fixture
def gate(pytester: pytest.Pytester) -> Gate:
    """Gate against HEAD; large thresholds and few launches, as these tests run on busy machines."""

    def run(*words: str) -> pytest.RunResult:
        lax = ("--parallel-gate-threshold=60%", "--parallel-gate-false-alarms=50%", "--parallel-gate-metrics=time")
        command = ("-p", "no:randomly", "--parallel-gate=HEAD", *lax, "--parallel-gate-seconds=15", *words)
        return pytester.runpytest_subprocess(*command, timeout=200)

    return run


@pytest.mark.timeout(240)
def test_every_verdict(repository: Path, pytester: pytest.Pytester, gate: Gate) -> None:
    write_program(pytester, slow=16, answer=2)
    pytester.makepyfile(test_new="def test_new(benchmark): benchmark(abs, -1)")
    files = ("test_program.py", "test_new.py::test_new")
    result = gate(*files, "--junitxml=found.xml", "--parallel-gate-json=found.json", "-rA")
    result.stdout.fnmatch_lines(["collected 11 items / 1 deselected / 10 selected"])
    found = {one["nodeid"].partition("::")[2]: one for one in json.loads(Path("found.json").read_text())["tests"]}
    verdicts = {name: one["verdict"] for name, one in found.items()}
    assert verdicts == {
        "test_slower": "regressed",
        "test_same": "passed",
        "test_curve": "passed",
        "test_other": "wrong",
        "test_breaks": "wrong",
        "test_dies": "wrong",
        "test_mended": "not gated",
        "test_oversubscribed": "not gated",
        "test_skipped": "not gated",
        "test_new": "not gated",
    }
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    lost = found["test_slower"]["readings"][0]
    assert lost["loss"]["low"] > 1
    assert lost["loss"]["value"] > 1.3  # four times, whatever others do on the machine
    assert [one["workers"] for one in found["test_curve"]["readings"]] == [2]
    assert "the two versions differ: the current version returned 2, the baseline 1" in found["test_other"]["why"]
    assert "fails in the current version" in found["test_breaks"]["why"]
    assert "the current version is gone in the middle" in found["test_dies"]["why"]
    assert "it fails in the baseline, with which nothing can be compared" in found["test_mended"]["why"]
    assert "it is oversubscribed: " in found["test_oversubscribed"]["why"]
    assert found["test_skipped"]["why"] == "it is skipped in the baseline version: Skipped: not today" or (
        found["test_skipped"]["why"] == "it is skipped in the current version: Skipped: not today"
    )
    assert found["test_new"]["why"] == "the baseline version has no such test: it is new, or has another name there"
    cases = {one.get("name"): one for one in ElementTree.parse("found.xml").iter("testcase")}
    assert cases["test_slower"].find("failure") is not None
    assert cases["test_same"].find("failure") is None
    assert any(one.get("name", "").startswith("gate") for one in cases["test_slower"].iter("property"))
    assert git(repository, "status", "--short") == " M program.py\n?? test_new.py\n"
    assert len(git(repository, "worktree", "list").splitlines()) == 2  # kept for the next time


def is_side(process: psutil.Process) -> bool:
    try:
        return any("--parallel-gate-side" in word for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_nothing_outlives_a_gate(repository: Path, ending: signal.Signals) -> None:
    words = [sys.executable, "-m", "pytest", "--parallel-gate=HEAD", "-k", "test_same or test_curve"]
    with subprocess.Popen(words, cwd=repository, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        sides: list[psutil.Process] = []
        while len(sides) < 2 and time.monotonic() < deadline:
            below = psutil.Process(process.pid).children(recursive=True)
            sides = [one for one in below if is_side(one)]
            time.sleep(0.1)
        below = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(ending)
        process.wait(60)
    assert len(sides) == 2
    assert wait_until_gone([one.pid for one in below], limit_s=20) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--parallel-gate="], "--parallel-gate: is empty; give a git ref, NAME==VERSION, or another checkout's path"),
        (["--parallel-gate-threshold=much"], "--parallel-gate-threshold: 'much' is no share above 0 and at most 1000%"),
        (["--parallel-gate-false-alarms=0"], "--parallel-gate-false-alarms: '0' is no share above 0 and at most 50%"),
        (["--parallel-gate-metrics=tme"], "--parallel-gate-metrics: *'tme'*time*"),
        (["--parallel-gate-undecided=ignore"], "--parallel-gate-undecided: *'ignore'*report*"),
        (["--parallel-gate-seconds=0"], "--parallel-gate-seconds: *0*at least 1*"),
        (["--pdb"], "--parallel-gate: a debugger cannot be used in the processes that measure; leave --pdb"),
        (["-n", "2"], "--parallel-gate: under pytest-xdist tests would disturb each other's times; leave -n out"),
        (["-p", "tracer"], "--parallel-gate: coverage, a debugger or a profiler is at work, which slows both"),
        (["--parallel-gate=nowhere"], "--parallel-gate=nowhere: is no directory, no NAME==VERSION, and no git ref of"),
        (["--parallel-gate=."], "--parallel-gate=*: is the current checkout; give another one, or a git ref"),
    ],
)
def test_what_it_refuses(repository: Path, pytester: pytest.Pytester, words: list[str], told: str) -> None:
    if "-n" in words:
        pytest.importorskip("xdist")
    pytester.makepyfile(tracer="import sys\nsys.settrace(lambda *_: None)")
    run = pytester.runpytest_subprocess if "tracer" in words else pytester.runpytest_inprocess
    result = run("--parallel-gate=HEAD", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*ERROR: {told}*"])


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("'5%'", "mark parallel_gate: takes keyword arguments only, as in parallel_gate(threshold='10%')"),
        ("threshold=-1", "mark parallel_gate: threshold: -1 is no share above 0"),
        ("metrics='speed'", "mark parallel_gate: metrics: *'speed'*"),
        ("rtol='no'", "mark parallel_gate: rtol='no' is not a number of at least 0"),
        ("answers='no'", "mark parallel_gate: answers='no' is neither True nor False"),
        ("treshold='5%'", "mark parallel_gate: unexpected argument 'treshold'; write parallel_gate(threshold="),
    ],
)
def test_marks_that_mean_nothing(pytester: pytest.Pytester, mark: str, told: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.parallel_gate({mark})\ndef test_it(benchmark): benchmark(abs, 1)")
    result = pytester.runpytest_inprocess("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_it: {told}*"])


def test_a_gate_that_could_gate_nothing_has_not_passed(repository: Path, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--parallel-gate=HEAD", "-k", "test_skipped", timeout=60)
    result.assert_outcomes(skipped=1, deselected=9)
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_gate_of_nothing(repository: Path, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--parallel-gate=HEAD", "-k", "test_measures_nothing")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result.stdout.fnmatch_lines(["collected 10 items / 10 deselected / 0 selected"])
