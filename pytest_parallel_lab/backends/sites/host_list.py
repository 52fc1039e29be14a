"""Hosts that are reached by ssh: looked at, all at once, before anything is started on them."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping

from pytest_parallel_lab.keeper.client import python_command
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.site import Site

_CONNECT_LIMIT_S = 8
_LIMIT_S = 30.0
_SSH = ("ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={_CONNECT_LIMIT_S}", "-n")
_seen: dict[Site, Mapping[str, str]] = {}


def look_at(site: Site) -> Mapping[str, str]:
    """Make sure that every host can be reached, and has this Python with this package.

    Returns:
        What each host calls itself, by the name it was given.

    Raises:
        StartFailed: which hosts cannot be used, and why.
    """
    if site in _seen:
        return _seen[site]
    command = shlex.join(python_command("pytest_parallel_lab.backends.sites.host_list", "say()"))
    processes = {
        host: subprocess.Popen(
            [*_SSH, "--", host, command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        for host in site.hosts
    }
    names, problems = {}, []
    deadline = time.monotonic() + _LIMIT_S
    try:
        for host, process in processes.items():
            try:
                out, err = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                problems.append(f"{host}: does not answer within {_LIMIT_S:g} s")
                continue
            if process.returncode == 0 and out.strip():
                names[host] = out.split()[-1]
            else:
                problems.append(f"{host}: {_why(process.returncode, err or out)}")
    finally:
        for process in processes.values():
            with contextlib.suppress(OSError):
                process.kill()
            process.communicate()
    if problems:
        lines = "\n  ".join(problems)
        raise StartFailed(f"{site.heading}: {len(problems)} of {len(site.hosts)} hosts cannot be used:\n  {lines}")
    _seen[site] = names
    return names


def _why(status: int, printed: str) -> str:
    last = (printed.strip().splitlines() or ["it said nothing"])[-1]
    if status == 255:
        return f"ssh cannot get there: {last}"
    if status in (126, 127):
        return f"has no {sys.executable}, the Python of this session: {last}"
    if "ModuleNotFoundError" in last or "ImportError" in last:
        return f"has Python, but not what it needs to run ranks: {last}. Install the same environment on every host"
    return f"Python there ended with exit status {status}: {last}"


def say() -> None:
    """On a host: make sure that a rank could be run, and tell the host's name."""
    import importlib
    import importlib.util
    import socket

    importlib.import_module("pytest_parallel_lab.backends.mpi.rank")
    if importlib.util.find_spec("mpi4py.MPI") is None:  # importing it would start MPI
        raise ModuleNotFoundError("No module named 'mpi4py.MPI'")
    print(socket.gethostname())
