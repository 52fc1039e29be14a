"""The tools that ``time_to_detection`` compares: how long each takes to find that a program is wrong."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_parallel_lab import Lab
from pytest_parallel_lab.backends import explorers
from pytest_parallel_lab.explore import here
from pytest_parallel_lab.explore.plan import Plan
from pytest_parallel_lab.explore.record import Record
from pytest_parallel_lab.explore.search import Search
from pytest_parallel_lab.explore.zygotes import Subject
from pytest_parallel_lab.model.errors import Deadlock, Race, TimedOut
from pytest_parallel_lab.model.exploration import Exploration
from tests.races.corpus import Program

ROOT = Path(__file__).parents[1]
START_S = 60.0
"""What a pytest may take until its first test begins; it is not counted."""
HANGS_AFTER_S = {"Deadlock": 3.0}
"""The limit of pytest-timeout where a program may hang; generous to repetition, as it is part of its time."""
ENDS_AFTER_S = 15.0
REPETITIONS_A_SECOND = 1000  # what pytest does for every test takes about a millisecond

REPEATED = """
import pickle
from pathlib import Path

from {module} import {name}

RIGHT = pickle.loads(Path({right!r}).read_bytes())


def test_it():
    assert {name}() == RIGHT
"""
EXPLORED = """
import pickle
from pathlib import Path

from benchmarks.frontrun_shape import explore


def test_it(request):
    request.node.user_properties.append(("explored", "nothing yet"))
    right = pickle.loads(Path({right!r}).read_bytes())
    explore("{module}:{name}", right, request.node.user_properties, limit_s={limit_s!r}, seed={seed!r})
"""
CONFTEST = """
from pathlib import Path

began, tests = 0.0, 0


def pytest_runtest_logreport(report):
    global began, tests
    if not began:
        began = report.start
        Path("began").touch()
    tests += report.when == "call"
    if report.failed or report.when == "teardown" and not tests % 100:
        with open("log.tmp", "w") as file:
            properties = dict(report.user_properties)
            found = report.failed and ("explored" not in properties or "strategy" in properties)
            what = "found" if found else "failed" if report.failed else "going on"
            print(what, report.stop - began, tests, file=file)
            print(properties.get("strategy", ""), report.longreprtext[-4000:], file=file)
        Path("log.tmp").rename("log")


def pytest_sessionfinish(session):
    Path("ended").touch()
"""


@dataclass(frozen=True)
class Attempt:
    """One attempt of one tool to find out that a program is wrong.

    Attributes:
        found: whether it did.
        seconds: it took, or was given, from its first run on.
        runs: of the program; 0 where that is not known.
        told_s: when the user was told, with an explanation.
        how: what was found, in a word.
    """

    found: bool
    seconds: float
    runs: int = 0
    told_s: float = 0.0
    how: str = ""


@dataclass(frozen=True)
class Peer:
    """A tool that pytest runs."""

    name: str
    package: str
    test: str
    options: str
    with_frontrun: bool = False

    @property
    def installed(self) -> bool:
        """Whether its package is."""
        return find_spec(self.package) is not None


PEERS = [
    Peer("pytest-repeat", "pytest_repeat", REPEATED, "-p pytest_repeat --count={count}"),
    Peer("flakefinder", "pytest_flakefinder", REPEATED, "-p pytest_flakefinder --flake-finder --flake-runs={count}"),
    Peer("frontrun", "frontrun", EXPLORED, "-p frontrun.pytest_plugin", with_frontrun=True),
]


class FirstDetection(Search):
    """A search that notes when a run was the first that is wrong."""

    path = ""

    def _take_in(self, record: Record) -> Record | None:
        failed = super()._take_in(record)
        wrong = failed is not None or self._streams or self._numerical is not None or self._is_sure(self._failed_freely)
        if wrong and not os.path.exists(self.path):
            Path(self.path).write_text(f"{time.monotonic()} {self._runs.count}")
        return failed


def explore_and_note(subject: Subject, plan: Plan) -> Exploration:
    """``explore_here``, and a note of the first detection."""
    FirstDetection.path = str(note_path(subject.directory))
    vars(here)["Search"] = FirstDetection
    return here.explore_here(subject, plan)


def note_path(directory: str) -> Path:
    """Where the first detection is noted."""
    return Path(directory) / "first_detection"


def explore(lab: Lab, program: Program, right: Any, seed: int, cap_s: float) -> Attempt:
    """Let ``explore`` look for a wrong outcome."""
    vars(explorers)["explore_here"] = explore_and_note
    note = note_path(lab.keeper.directory)
    note.unlink(missing_ok=True)
    how = ""
    began_s = time.monotonic()
    try:
        lab.explore(
            program.function, reference=right, seconds=cap_s, runs=1_000_000, seed=seed, numerical="fail", where="it"
        )
    except (Race, Deadlock, TimedOut, Exception) as error:
        how = type(error).__name__
    told_s = time.monotonic() - began_s
    if not note.exists():
        return Attempt(False, told_s, told_s=told_s, how=how)
    at_s, runs = note.read_text().split()
    return Attempt(bool(how), float(at_s) - began_s, int(runs), told_s, how)


def attempt(peer: Peer, program: Program, right: Any, seed: int, cap_s: float, directory: Path) -> Attempt:
    """Let a peer, in a pytest of its own, look for a wrong outcome; it is ended when it has found one."""
    _write(peer, program, right, seed, cap_s, directory)
    with subprocess.Popen(
        _command(peer, program, cap_s),
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as pytest:
        try:
            return _wait(pytest, directory, cap_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pytest.pid, signal.SIGKILL)


def _write(peer: Peer, program: Program, right: Any, seed: int, cap_s: float, directory: Path) -> None:
    for name in ("began", "log", "ended"):
        (directory / name).unlink(missing_ok=True)
    path = directory / "right.pickle"
    path.write_bytes(pickle.dumps(right))
    module, name = program.function.__module__, program.function.__name__
    test = peer.test.format(module=module, name=name, right=str(path), limit_s=cap_s / 2, seed=seed)
    (directory / "test_it.py").write_text(test)
    (directory / "conftest.py").write_text(CONFTEST)


def _command(peer: Peer, program: Program, cap_s: float) -> list[str]:
    limit_s = HANGS_AFTER_S.get(program.verdict, ENDS_AFTER_S)
    python = [sys.executable, "-m"]
    options = peer.options.format(count=int(cap_s * REPETITIONS_A_SECOND)).split()
    if not peer.with_frontrun:
        options += ["-p", "pytest_timeout", f"--timeout={limit_s:g}", "--timeout-method=signal"]
    command = [*python, "pytest", "-x", "-q", "-p", "no:cacheprovider", *options, "test_it.py"]
    return [*python, "frontrun.cli", *command] if peer.with_frontrun else command


def _wait(pytest: subprocess.Popen[bytes], directory: Path, cap_s: float) -> Attempt:
    log, began, ended = (directory / name for name in ("log", "began", "ended"))
    until_s = time.monotonic() + START_S
    while not began.exists() and pytest.poll() is None and time.monotonic() < until_s:
        time.sleep(0.01)
    began_s = time.monotonic()
    while not ended.exists() and pytest.poll() is None and time.monotonic() - began_s < cap_s:
        time.sleep(0.01)
    elapsed_s = time.monotonic() - began_s
    if not log.exists():
        return Attempt(False, elapsed_s)
    words, _, text = log.read_text().partition("\n")
    what, seconds, tests = words.rsplit(" ", 2)
    strategy, _, text = text.partition(" ")
    if what == "found":
        return Attempt(True, float(seconds), int(tests), float(seconds), strategy or _how(text))
    no_threads = "NotForThreads" in text
    return Attempt(False, elapsed_s, int(tests), how="-" if no_threads else what)


def _how(text: str) -> str:
    return "timeout" if "Timeout" in text else "raised" if "assert " not in text else "wrong"
