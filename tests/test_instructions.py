"""Counting instructions: the same each time, and a clear word where they cannot be counted."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_parallel_lab.gate import instructions
from pytest_parallel_lab.gate.instructions import (
    CALLS,
    PERF,
    VALGRIND,
    Instructions,
    NotCounted,
    available_tools,
    check_tool,
    count_command,
    count_statement,
)
from pytest_parallel_lab.model.errors import BadSetting

Fake = Callable[[str, str], None]
KERNEL = """
def kernel(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total
"""
# Stands in for a tool: it runs what it is given and tells a number, 1000 for the start and 50 for each call.
COUNTING = """
for word in "$@"; do case $word in --callgrind-out-file=*) out=${word#*=};; esac; done
if [ "$1" = stat ]; then while [ "$1" != -o ] && [ "$1" != -- ]; do shift; done; [ "$1" = -o ] && out=$2; fi
while [ "$#" -gt 0 ] && [ "$1" != "$PROGRAM" ]; do shift; done
[ "$#" -gt 0 ] && { "$@" || exit; }
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts programs of its own in place of tools, and hides those that are there."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("sh", "true"):
        (place / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(place))

    def make(name: str, script: str) -> None:
        (place / name).write_text(f"#!/bin/sh\n{script}")
        (place / name).chmod(stat.S_IRWXU)

    return make


# --- with the tools themselves ------------------------------------------------------------------------


needs_valgrind = pytest.mark.skipif(bool(available_tools()[VALGRIND]), reason=available_tools()[VALGRIND])


@needs_valgrind
def test_five_percent_more_work_are_five_percent_more_instructions(tmp_path: Path) -> None:
    (tmp_path / "numbers.py").write_text(KERNEL)  # a module of the standard library has that name too

    def counted(n: int) -> float:
        setup = "from numbers import kernel"
        return count_statement(sys.executable, f"kernel({n})", setup, directory=tmp_path, repeats=1).count

    assert counted(2100) / counted(2000) == pytest.approx(1.05, abs=0.002)


@needs_valgrind
@pytest.mark.slow
def test_the_same_work_is_the_same_number_of_instructions(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(KERNEL)
    setup = "from work import kernel"
    assert count_statement(sys.executable, "kernel(2000)", setup, directory=tmp_path, repeats=3).spread == 0


@pytest.mark.skipif(bool(available_tools()[PERF]), reason=available_tools()[PERF])
def test_perf_counts_too(tmp_path: Path) -> None:
    found = [count_statement(sys.executable, f"sum(range({n}))", tool=PERF).count for n in (100_000, 110_000)]
    assert found[1] / found[0] == pytest.approx(1.1, rel=0.02)


# --- what is made of what they tell -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        (VALGRIND, 'echo "summary: 1\ntotals: $((1000 + 50 * CALLS))" > "$out"'),
        (PERF, 'echo "$((1000 + 50 * CALLS));;instructions:u;1;100" > "${out:-/dev/stderr}"'),
    ],
)
def test_what_comes_once_drops_out(fake: Fake, tool: str, told: str) -> None:
    fake("program", "exit 0")
    fake(tool, COUNTING.replace("$PROGRAM", "program") + f"CALLS=${{2:-0}}\n{told}")
    found = count_command(lambda calls: ["program", str(calls)], tool=tool, repeats=3)
    assert found == Instructions(tool, (50.0, 50.0, 50.0))


def test_the_count_is_the_least() -> None:
    found = Instructions(VALGRIND, (110.0, 100.0))
    assert found.count == 100.0
    assert found.spread == pytest.approx(0.1)


def test_what_does_not_call_as_often_as_it_is_told_is_refused(fake: Fake) -> None:
    fake("program", "exit 0")
    fake(VALGRIND, COUNTING.replace("$PROGRAM", "program") + 'echo "totals: 1000" > "$out"')
    with pytest.raises(
        NotCounted, match=f"{2 * CALLS} calls took 1000 instructions and {CALLS} took 1000: the program"
    ):
        count_command(lambda calls: ["program", str(calls)])


def test_a_tool_that_tells_nothing_is_refused(fake: Fake) -> None:
    fake(VALGRIND, "exit 0")
    with pytest.raises(NotCounted, match="valgrind ended well, and has told no number of instructions but: nothing"):
        count_command(lambda calls: ["program"])


# --- what cannot be counted ---------------------------------------------------------------------------


def test_what_is_missing_is_named(fake: Fake) -> None:
    assert available_tools() == {
        VALGRIND: "there is no valgrind on PATH; install it, as with apt-get install valgrind",
        PERF: "there is no perf on PATH; install it, as with apt-get install linux-perf",
    }
    with pytest.raises(
        NotCounted, match=r"^instructions cannot be counted with valgrind: there is no valgrind on PATH; .*"
    ):
        check_tool(VALGRIND)


def test_a_tool_that_can_count_is_named_in_place_of_one_that_cannot(fake: Fake) -> None:
    fake(VALGRIND, "exit 0")
    with pytest.raises(NotCounted, match=r"with perf: there is no perf on PATH; .*; valgrind can count here$"):
        check_tool(PERF)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo '<not supported>;;instructions:u' >&2", "this machine has no counter of instructions for it, as many"),
        ("echo 'consider kernel.perf_event_paranoid' >&2; exit 255", "the kernel refuses it: set kernel.perf_event"),
        ("echo 'some other trouble' >&2; exit 1", "it does not count here: some other trouble"),
        ("echo '12345;;instructions:u;1;100.00;;' >&2", ""),
    ],
)
def test_why_perf_does_not_count(fake: Fake, script: str, why: str) -> None:
    fake(PERF, script)
    told = available_tools()[PERF]
    assert told.startswith(why)
    assert bool(told) == bool(why)


def test_why_valgrind_does_not_run(fake: Fake) -> None:
    fake(VALGRIND, "echo 'valgrind: cannot execute' >&2; exit 1")
    assert available_tools()[VALGRIND] == "it does not run here: valgrind: cannot execute"


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(BadSetting, match="'gprof' counts no instructions; choose one of valgrind, perf"):
        check_tool("gprof")
    with pytest.raises(BadSetting, match="repeats=0: count at least once"):
        count_command(lambda calls: ["true"], repeats=0)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "import threading; threading.Thread(target=int).start()",
            "^it starts a thread, so it is no serial kernel",
        ),
        ("import subprocess; subprocess.run('true')", r"^it starts a process \(subprocess.Popen\), so it is no serial"),
        ("import os; os.waitpid(os.fork() or os._exit(0), 0)", r"^it starts a process \(os.fork\), so"),
        ("1/0", "(?s)the kernel ended with exit status 1:.*ZeroDivisionError"),
        ("import time; time.sleep(60)", "the kernel was not done after 0.5 s; count a smaller one"),
    ],
)
def test_what_is_no_serial_kernel_is_refused(fake: Fake, statement: str, told: str) -> None:
    fake(VALGRIND, "exit 0")
    with pytest.raises(NotCounted, match=told):
        count_statement(sys.executable, statement, limit_s=0.5)


def test_a_process_that_c_code_starts_is_noticed_too(fake: Fake) -> None:
    fake(VALGRIND, "exit 0")
    setup = "import ctypes; system = ctypes.CDLL(None).system"
    with pytest.raises(NotCounted, match=r"^it starts a process, so it is no serial kernel"):
        count_statement(sys.executable, "system(b'true')", setup)


def test_what_is_no_python_is_refused() -> None:
    with pytest.raises(BadSetting, match="statement: 'x =' is no Python: invalid syntax"):
        count_statement(sys.executable, "x =")
    with pytest.raises(BadSetting, match="setup: 'import' is no Python"):
        count_statement(sys.executable, "x = 1", "import")


def test_an_interpreter_that_is_not_there_is_named(fake: Fake) -> None:
    fake(VALGRIND, "exit 0")
    with pytest.raises(NotCounted, match=r"/no/python cannot be started in .*: No such file or directory"):
        count_statement("/no/python", "int()")


def test_processes_have_the_same_variables() -> None:
    given = instructions._environment({**os.environ, "PYTHONHASHSEED": "random"})
    assert (given["PYTHONHASHSEED"], given["OMP_NUM_THREADS"]) == ("0", "1")
