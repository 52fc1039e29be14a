"""Nothing outlives a run, however pytest ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.conftest import left_in_shared_memory, shared_memory, wait_until_gone

PROJECT = """
    import os, signal, time
    import psutil, pytest

    BACKENDS = ["threads", "processes", "executor", "mpi"]

    def noop(*_): pass

    def daemonise_and_hang(_):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(600)
            os._exit(0)
        os.wait()
        open("ready", "w").close()
        time.sleep(600)

    def test_warm(parallel_run, process_pool):  # starting workers may take longer than the limit below
        for backend in BACKENDS:
            parallel_run(noop, backend=backend, workers=2)
        process_pool(2)

    @pytest.mark.timeout(LIMIT)
    def test_it(parallel_run, process_pool):
        tree = psutil.Process().children(recursive=True)
        with open("pids", "w") as file:
            file.write(" ".join(str(p.pid) for p in tree))
        parallel_run(daemonise_and_hang, backend="threads", workers=1)
"""


def descendants(pids: list[int]) -> list[int]:
    """The processes and all below them now, the daemon among them."""
    found = set(pids)
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found |= {p.pid for p in psutil.Process(pid).children(recursive=True)}
    return sorted(found)


@pytest.mark.parametrize(
    "ending",
    ["SIGKILL", "SIGTERM", "SIGINT", "two SIGINT", "timeout by signal", "timeout by thread"],
)
def test_nothing_is_left(pytester: pytest.Pytester, ending: str) -> None:
    pytest.importorskip("mpi4py")
    before = shared_memory()
    pytester.makepyfile(PROJECT.replace("LIMIT", "3" if "timeout" in ending else "0"))
    private = pytester.path / "private"
    private.mkdir()
    method = "thread" if ending.endswith("thread") else "signal"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--timeout-method={method}"],
        cwd=pytester.path,
        env={**os.environ, "TMPDIR": str(private)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(pytester.path / "ready", process)
        pids = descendants([int(pid) for pid in (pytester.path / "pids").read_text().split()])
        assert len(pids) > 15
        for name in ending.removeprefix("two ").split() if ending.startswith(("SIG", "two")) else []:
            for _ in range(2 if ending.startswith("two") else 1):
                process.send_signal(getattr(signal, name))
                time.sleep(0.05)
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert wait_until_gone(pids) == [], printed
    assert wait_until_empty(private) == [], printed
    assert left_in_shared_memory(before) == set()


def wait_for(path: Path, process: subprocess.Popen[str], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_until_empty(directory: Path, limit_s: float = 5.0) -> list[str]:
    """Names in a directory once it is empty, or at the limit; pytest's own base folder aside."""
    deadline = time.monotonic() + limit_s
    while True:
        left = [p.name for p in directory.iterdir() if not p.name.startswith("pytest-of-")]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)
