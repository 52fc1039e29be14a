"""What processes print, each into a file of its own, and where they are stuck.

Files, not pipes: nobody has to read them for a worker to go on, and they can still be read when
the worker is dead.
"""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pytest_parallel_lab.keeper.agent.contract import busy_path, notes_directory
from pytest_parallel_lab.keeper.agent.install import install

_KEPT_BYTES = 1 << 16


def capture(directory: str, *, traces: bool = False) -> None:
    """Send this process's output to ``<directory>/<pid>.out``, and its stacks on demand beside it.

    Args:
        directory: private to the session.
        traces: also note who takes which lock where, and in what order.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    _redirect(directory)
    notes = notes_directory(directory, os.getpid()) if traces else ""
    if notes:
        shutil.rmtree(notes, ignore_errors=True)  # of a process that had the same pid
        os.mkdir(notes)
    install(directory, notes=notes)
    # Lines, so that a worker that dies has shown all it printed.
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115


def capture_engine(directory: str) -> None:
    """Capture an ipyparallel engine, whose streams go on to publish what they are given."""
    _redirect(directory)
    install(directory)
    streams: tuple[Any, Any] = (sys.stdout, sys.stderr)
    for stream, fd in zip(streams, (1, 2)):
        stream.echo = open(fd, "w", encoding="utf-8", errors="replace", buffering=1, closefd=False)  # noqa: SIM115
    _show_when_busy(directory)


def _show_when_busy(directory: str) -> None:
    """Have an engine keep a byte in a file that tells whether it has a task."""
    from IPython import get_ipython

    kernel: Any = get_ipython().kernel
    with open(busy_path(directory, os.getpid()), "w+b") as file:
        file.write(b"\0")
        file.flush()
        busy = mmap.mmap(file.fileno(), 1)

    def showing(call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def run(*args: Any, **kwargs: Any) -> Any:
            busy[0] = 1
            try:
                return call(*args, **kwargs)
            finally:
                busy[0] = 0

        return run

    kernel.do_apply = showing(kernel.do_apply)
    kernel.shell.run_cell = showing(kernel.shell.run_cell)


def _redirect(directory: str) -> None:
    pid = os.getpid()
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC  # truncated: pids come again
    fd = os.open(os.path.join(directory, f"{pid}.out"), flags, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


class OutputReader:
    """Reads what captured processes have printed since it was last asked."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._read_bytes: dict[int, int] = {}

    def new_output(self, pid: int) -> str:
        """What a process printed since the last call: at most its last 64 KiB."""
        path = self._directory / f"{pid}.out"
        start = self._read_bytes.get(pid, 0)
        try:
            size_bytes = path.stat().st_size
            if size_bytes <= start:
                return ""
            with path.open("rb") as file:
                left_out = max(0, size_bytes - start - _KEPT_BYTES)
                file.seek(start + left_out)
                text = file.read(size_bytes - start - left_out).decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        self._read_bytes[pid] = size_bytes
        return f"[... {left_out} bytes left out ...]\n{text}" if left_out else text

    def printed(self, workers: Iterable[tuple[str, int]]) -> list[tuple[str, str]]:
        """What labelled pids have printed since the last call, where it is anything."""
        texts = [(label, self.new_output(pid)) for label, pid in workers]
        return [(label, text) for label, text in texts if text]
