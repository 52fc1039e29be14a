"""A forked pytest is as much a process of its own as one that is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.forked_pytest import PREFIX, Forked, Template

MODULES = """
    import os, sys

    def test_it():
        assert "numpy" not in sys.modules
        assert "tests" not in sys.modules
        assert sys.path[0] == os.getcwd() == os.path.dirname(__file__)
        assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == os.getcwd()
        assert sys.modules["__main__"].__spec__.name == "pytest.__main__"
        with open("pid", "w") as file: file.write(f"{os.getpid()} {os.getppid()}")
        print(os.environ["COLOUR"])
"""


def test_it_has_its_own_place_and_nothing_of_ours(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLOUR", "of its own")
    pytester.makepyfile(MODULES)
    result = run_pytest("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*of its own"])
    pid, parent = map(int, (pytester.path / "pid").read_text().split())
    assert os.getpid() not in (pid, parent)


def test_settings_of_the_interpreter_start_one(
    pytester: pytest.Pytester, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert template.fits([*PREFIX, "-q"])
    assert not template.fits([sys.executable, "-c", "pass"])
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert not template.fits([*PREFIX, "-q"])


def test_one_that_is_killed_or_given_up_leaves_the_next_its_own_answer(
    pytester: pytest.Pytester, template: Template
) -> None:
    pytester.makepyfile("import time\ndef test_it(): time.sleep(60)")
    output = Path("output")

    def begin(*args: str) -> Forked:
        with output.open("w") as file:
            return template.fork([*PREFIX, "-p", "no:cacheprovider", *args], file.fileno(), file.fileno())

    late = begin()
    with pytest.raises(subprocess.TimeoutExpired):
        late.wait(0.01)
    late.kill()
    assert late.wait(60) == -signal.SIGKILL

    threading.Timer(0.1, signal.pthread_kill, [threading.get_ident(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        begin().wait(60)
    assert begin("--version").wait(60) == 0
