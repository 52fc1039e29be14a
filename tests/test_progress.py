"""Progress is seen on a terminal, while it lasts, and nowhere else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_parallel_lab.fixtures.progress import told_rest, told_seconds

TEST = """
    import pytest
    from pytest_parallel_lab.fixtures.progress import Progress

    @pytest.fixture
    def progress(request):
        with Progress(request.config, request.node.name) as one:
            yield one

    def test_long(progress, capsys):
        progress.show("round 1 of 7")
        progress.show("round 2 of 7, " + "many " * 40)
        assert capsys.readouterr().out == ""

    def test_printing_goes_on(progress):
        progress.show("again")
        print("mine")
        progress.erase()
        assert False
"""


def on_terminal(directory: Path, *args: str, **environ: str) -> str:
    """What a terminal gets from pytest."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm", "NO_COLOR": "1", **environ}
    with subprocess.Popen(command, stdout=theirs, stdin=theirs, cwd=directory, env=environment) as running:
        os.close(theirs)
        told = b""
        try:
            while part := os.read(ours, 65536):
                told += part
        except OSError:  # the other side has been closed
            pass
        os.close(ours)
        running.wait(60)
    return told.decode()


def test_a_terminal_shows_it_and_it_goes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TEST)
    told = on_terminal(pytester.path)
    shown = re.findall(r"\x1bD\x1b\[A\x1b7\x1b\[B\r\x1b\[K(.*?)\x1b8", told)
    first, second, gone, third, gone_too = shown
    assert first == "test_long: round 1 of 7"
    assert second.startswith("test_long: round 2 of 7, many many")
    assert (len(second), second[-3:]) == (59, "...")  # of 60 columns
    assert third == "test_printing_goes_on: again"
    assert gone == gone_too == ""
    assert "mine" in told.split("Captured stdout call")[1]
    screen = seen(told)
    assert any(re.match(r"test_it.py \.F +\[100%\]", line) for line in screen)  # pytest's own line is whole
    assert not any("round" in line and "test_long" in line for line in screen)


def seen(told: str) -> list[str]:
    """The lines that are on the terminal in the end, of what it got."""
    lines, row, column, saved = [""], 0, 0, (0, 0)
    for escape, text in re.findall(r"(\x1b(?:D|7|8|\[A|\[B|\[K)|\r|\n)|([^\x1b\r\n]+)", told):
        if escape == "\x1bD" or escape == "\n" or escape == "\x1b[B":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif escape == "\x1b[A":
            row -= 1
        elif escape == "\x1b7":
            saved = (row, column)
        elif escape == "\x1b8":
            row, column = saved
        elif escape == "\r":
            column = 0
        elif escape == "\x1b[K":
            lines[row] = lines[row][:column]
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
    return lines


def test_it_works_without_capturing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TEST)
    assert "test_printing_goes_on: again" in on_terminal(pytester.path, "-p", "no:capture")


def test_a_terminal_that_can_nothing_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TEST)
    assert "test_long: round" not in on_terminal(pytester.path, TERM="dumb")


@pytest.mark.parametrize("args", [["-q"], ["-n1"]])
def test_quiet_and_distributed_tests_show_nothing(args: list[str], pytester: pytest.Pytester) -> None:
    if "-n1" in args:
        pytest.importorskip("xdist")
    pytester.makepyfile(test_it=TEST)
    assert "test_long: round" not in on_terminal(pytester.path, *args)


def test_a_file_gets_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=TEST)
    assert "test_long: round" not in pytester.runpytest_subprocess().stdout.str()


def test_explorations_and_curves_show_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import threading
        import time
        from pytest_parallel_lab import implementation

        def count():
            threads = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        @implementation("threads")
        def sleepers(pool):
            list(pool.map(time.sleep, [0.01] * 4))

        def test_explored(explore):
            explore(count, seconds=1.5)  # shown after one

        def test_measured(scaling):
            scaling(sleepers, workers=[1, 2], rounds=1, seconds=0)
        """
    )
    told = on_terminal(pytester.path)
    assert "2 passed" in told
    assert "explore test_explored: " in told
    assert "scaling test_measured: round 1: sleepers (threads, " in told
    assert not any("explore test" in line or "round 1" in line for line in seen(told))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3600, "60 min 00 s")],
)
def test_seconds_are_told(seconds: float, told: str) -> None:
    assert told_seconds(seconds) == told


def test_the_rest_is_estimated_once_something_is_done() -> None:
    assert told_rest(5, 0, 10) == "5 s elapsed"
    assert told_rest(5, 1, 10) == "5 s elapsed, about 45 s to go"
    assert told_rest(60, 10, 10) == "1 min 00 s elapsed, about 0 s to go"
    assert told_rest(60, 12, 10) == "1 min 00 s elapsed, about 0 s to go"
