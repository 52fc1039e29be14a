"""Processes that do not want to go: they go with the run that started them, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import left_in_shared_memory, shared_memory, wait_until_gone
from tests.test_endings import wait_for, wait_until_empty

LIMIT_S = 2.0
PROGRAM = '''
    import os, pathlib, signal, socket, sys, threading, time
    from multiprocessing import get_context, shared_memory

    import pytest

    HERE = pathlib.Path(__file__).parent
    FORK = get_context("fork")


    def note():
        (HERE / "pids" / str(os.getpid())).touch()


    def stay():
        if END == "deadlock":
            block()
        time.sleep(600)


    def block():
        lock = threading.Lock()
        with lock:
            lock.acquire()


    def ignore_sigterm():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        note()
        stay()


    def daemonise():
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
        note()
        stay()


    def stop():
        note()
        os.kill(os.getpid(), signal.SIGSTOP)


    def stubborn(end):
        """Start all kinds of them, hold what the system has to give, and end in one way or another."""
        note()
        held = shared_memory.SharedMemory(create=True, size=1000)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(HERE / f"socket-{os.getpid()}"))
        # One that is stopped could be continued, so that is no deadlock.
        for target in (ignore_sigterm, daemonise, *([] if end == "deadlock" else [stop])):
            FORK.Process(target=target).start()
        deadline = time.monotonic() + 20
        while len(list((HERE / "pids").iterdir())) < (3 if end == "deadlock" else 4) and time.monotonic() < deadline:
            time.sleep(0.01)
        (HERE / "ready").touch()
        if end == "fail":
            raise RuntimeError("on purpose")
        if end == "hang":
            time.sleep(600)
        if end == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if end == "deadlock":
            block()


    END = os.environ["END"]


    def test_warm(supervised):  # so that all of the limit below is left to what is supervised
        supervised(time.sleep, 0)


    @pytest.mark.timeout(3 if END == "timeout" else 60)
    def test_it(supervised):
        supervised(stubborn, "hang" if END in ("timeout", "SIGKILL", "SIGTERM", "SIGINT") else END)


    def test_next(supervised):
        supervised(time.sleep, 0)
'''


@pytest.mark.parametrize("end", ["pass", "fail", "crash", "deadlock", "timeout", "SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left(pytester: pytest.Pytester, end: str) -> None:
    before = shared_memory()
    pytester.makepyfile(PROGRAM)
    (pytester.path / "pids").mkdir()
    private = pytester.path / "private"
    private.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-x"],
        cwd=pytester.path,
        env={**os.environ, "TMPDIR": str(private), "END": end},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(pytester.path / "ready", process)
        pids = [int(path.name) for path in Path(pytester.path / "pids").iterdir()]
        assert len(pids) == (3 if end == "deadlock" else 4)
        if end.startswith("SIG"):
            process.send_signal(getattr(signal, end))
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert wait_until_gone(pids, LIMIT_S) == [], printed
    assert wait_until_empty(private, LIMIT_S) == [], printed
    assert left_in_shared_memory(before, LIMIT_S) == set(), printed
    if end == "deadlock":
        assert "Deadlock: deadlock: nothing in this run can move" in printed
    if end == "timeout":
        assert "TimedOut: time-out: the limit of 3 s" in printed
    if end == "crash":
        assert "was killed by signal 11 (SIGSEGV)" in printed
