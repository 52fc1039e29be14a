"""The backends that come with the package."""

from __future__ import annotations

from pytest_parallel_lab.backends.base import Backend


def builtin_backends() -> list[Backend]:
    """The backends that come with the package, slowest imports left to their first use."""
    from pytest_parallel_lab.backends.executor import ExecutorBackend
    from pytest_parallel_lab.backends.ipyparallel import IpyparallelBackend
    from pytest_parallel_lab.backends.mpi.backend import MpiBackend
    from pytest_parallel_lab.backends.processes import ProcessesBackend
    from pytest_parallel_lab.backends.serial import SerialBackend
    from pytest_parallel_lab.backends.threads import ThreadsBackend

    return [
        SerialBackend(),
        ThreadsBackend(),
        ProcessesBackend(),
        ExecutorBackend(),
        IpyparallelBackend(),
        MpiBackend(),
    ]
