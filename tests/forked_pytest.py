"""``python -m pytest`` by a fork of a process that has pytest and its plugins imported already.

That is a process of its own as much as one that is started, and takes a third of a second less.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

PREFIX = (sys.executable, "-mpytest")  # of the commands that are pytester's own
ROOT = Path(__file__).parents[1]
TEST = "test_template.py"


class Template:
    """A process that has run pytest once; every later run is a fork of it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._settings = _of_the_interpreter(os.environ)
        command = [sys.executable, "-c", f"from {__name__} import serve; serve({theirs.fileno()})"]
        with theirs:
            self._process = subprocess.Popen(
                command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )

    def fits(self, command: Sequence[str]) -> bool:
        """Whether a fork would do what the command does, started here and now."""
        return tuple(command[: len(PREFIX)]) == PREFIX and _of_the_interpreter(os.environ) == self._settings

    def fork(self, command: Sequence[str], stdout: int, stderr: int) -> Forked:
        """Begin a run in our directory and environment, on our cores."""
        request = {
            "args": list(command[len(PREFIX) :]),
            "cwd": os.getcwd(),
            "environment": {
                **os.environ,
                "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
            },
            "cores": list(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [],
        }
        text = json.dumps(request).encode()
        socket.send_fds(self._socket, [len(text).to_bytes(4, "big")], [stdout, stderr])
        self._socket.sendall(text)
        return Forked(self._socket)

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


class Forked:
    """A run: as much of ``subprocess.Popen`` as pytester makes use of."""

    stdin = None

    def __init__(self, answers: socket.socket) -> None:
        self._answers = answers
        self._pid = self._answer()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit status, or the signal that ended it as a negative number."""
        self._answers.settimeout(timeout)
        try:
            status = self._answer()
        except TimeoutError:
            self._answers.settimeout(None)
            raise subprocess.TimeoutExpired(PREFIX, timeout or 0.0) from None
        except BaseException:  # nobody will wait for it again, and the next answer has to be the next run's
            self._answers.settimeout(None)
            self.kill()
            self._answer()
            raise
        self._answers.settimeout(None)
        return status

    def kill(self) -> None:
        """Kill it."""
        os.kill(self._pid, signal.SIGKILL)

    def _answer(self) -> int:
        return int.from_bytes(_exactly(self._answers, 4), "big", signed=True)


def serve(descriptor: int) -> None:
    """Import all that pytest imports here by running it once; then fork for every request until nobody asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the runs to act on
    requests = socket.socket(fileno=descriptor)
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    path = [entry for entry in sys.path[1:] if entry not in given]
    with tempfile.TemporaryDirectory() as directory:
        test = Path(directory, TEST)
        test.write_text("def test_it(): pass\n")
        status = pytest.main(["-q", "-W", "error", "-p", "no:cacheprovider", f"--rootdir={directory}", str(test)])
    if status != 0:
        raise SystemExit(f"pytest ended with exit status {status} on a test that passes")
    while request := _next_request(requests):
        pid = os.fork()
        if pid == 0:
            requests.close()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            _become_pytest(*request, path)
        for one in request[1]:
            os.close(one)
        requests.sendall(_number(pid))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(BrokenPipeError):
            requests.sendall(_number(status))


def _become_pytest(request: dict[str, Any], output: list[int], path: list[str]) -> NoReturn:
    for descriptor, one in enumerate(output, start=1):
        os.dup2(one, descriptor)
        os.close(one)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if request["cores"]:
        os.sched_setaffinity(0, request["cores"])
    sys.path[:] = [request["cwd"], *os.environ["PYTHONPATH"].split(os.pathsep), *path]
    sys.argv[:] = ["pytest", *request["args"]]
    for name in (TEST.removesuffix(".py"), __name__, __name__.partition(".")[0]):
        sys.modules.pop(name, None)
    runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    raise SystemExit("python -m pytest came back")


def _next_request(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    head, output, _, _ = socket.recv_fds(requests, 4, 2)
    if not head:
        return None
    return json.loads(_exactly(requests, int.from_bytes(head, "big"))), output


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = connection.recv(size, socket.MSG_WAITALL)
    if len(received) < size:
        raise EOFError("the other side has gone")
    return received


def _number(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def _of_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """What only a start of the interpreter reads."""
    return {name: value for name, value in environment.items() if name.startswith("PYTHON") and name != "PYTHONPATH"}
