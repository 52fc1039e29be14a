"""Hanging programs under ``supervised`` and under pytest-timeout: how long each takes, and what each tells.

``python -m benchmarks.time_to_verdict [limit in s]``. The same programs of the corpus, each in a
pytest of its own, the kinds of supervision side by side; the limit is pytest-timeout's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pytest_parallel_lab.keeper.tree import become_subreaper
from tests.deadlocks import corpus
from tests.deadlocks.corpus import Program

ROOT = Path(__file__).parents[1]
PATIENCE_S = 15.0
EVERY = 4  # of the corpus, for the time that pytest-timeout takes
OURS = "def test_it(supervised):\n    supervised({function})\n"
PLAIN = "def test_it():\n    {function}()\n"


@dataclass
class Kind:
    """One way to deal with a program that hangs."""

    name: str
    test: str
    options: list[str]
    elapsed_s: list[float] = field(default_factory=list)
    explained: int = 0
    session_went_on: int = 0
    left_processes: int = 0
    never_ended: int = 0


def run(kind: Kind, program: Program, directory: Path) -> None:
    function = program.function
    source = f"from {function.__module__} import {function.__name__}\n\n\n"
    source += kind.test.format(function=function.__name__) + "\n\ndef test_next():\n    pass\n"
    (directory / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *kind.options, "test_it.py"]
    started_s = time.perf_counter()
    done = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.stdout is not None
    os.set_blocking(done.stdout.fileno(), False)
    try:
        done.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        kind.never_ended += 1
        done.kill()
        done.wait()
    kind.elapsed_s.append(time.perf_counter() - started_s)
    printed = (done.stdout.read() or b"").decode(errors="replace")
    left = [p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE]
    left = [p for p in left if "resource_tracker" not in " ".join(p.cmdline())]
    kind.left_processes += len(left)
    for process in left:
        process.kill()
    psutil.wait_procs(psutil.Process().children(), timeout=1)
    kind.explained += all(words in printed for words in program.says)
    kind.session_went_on += "1 passed" in printed


def main(limit_s: float = 3.0) -> None:
    become_subreaper()  # so that what is left behind is found
    programs = corpus.load()[0][::EVERY]
    timeout = ["-p", "no:parallel_lab", f"--timeout={limit_s:g}"]
    kinds = [
        Kind("supervised", OURS, []),
        Kind("pytest-timeout, signal", PLAIN, [*timeout, "--timeout-method=signal"]),
        Kind("pytest-timeout, thread", PLAIN, [*timeout, "--timeout-method=thread"]),
    ]
    with tempfile.TemporaryDirectory() as directory:
        for program in programs:
            for kind in kinds:
                run(kind, program, Path(directory))
    print(f"{len(programs)} hanging programs; whole pytest runs, their start included")
    for kind in kinds:
        median_s = statistics.median(kind.elapsed_s)
        print(
            f"{kind.name:24} median {median_s:5.2f} s, {median_s / statistics.median(kinds[0].elapsed_s):4.1f} times; "
            f"told what hangs in {kind.explained}; next test ran in {kind.session_went_on}; "
            f"pytest did not end in {kind.never_ended}; "
            f"left {kind.left_processes} processes behind"
        )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
