"""``pytest --parallel-doctor``: what this machine has, proved by starting it, and what is missing."""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from typing import Any

from pytest_parallel_lab.backends.base import Backend
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.lab import Lab
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import ParallelError
from pytest_parallel_lab.options import Choices


def examine(choices: Choices) -> int:
    """Print the examination; the exit status is 1 where a required backend does not work."""
    for line in _machine(choices):
        print(line)
    print("backends:")
    failed = []
    for backend in choices.lab.backends.values():
        state, text = _try(choices.lab, backend)
        print(f"  {backend.name:<12} {state:<8} {text}")
        if state != "ok" and backend.name in choices.required:
            failed.append(backend.name)
    if failed:
        print(f"required but not working: {', '.join(failed)} (--parallel-require)")
    return 1 if failed else 0


def _machine(choices: Choices) -> Iterator[str]:
    methods = multiprocessing.get_all_start_methods()
    default = choices.settings.start_method_in_force
    yield f"python: {platform.python_version()} on {platform.platform()}"
    yield f"cores: {usable_cores()} usable of {os.cpu_count()}; runs use {', '.join(map(str, choices.workers))} workers"
    yield f"start methods: {', '.join(methods)} (runs use {default})"
    yield f"shared memory: {memory.space()}"
    yield from choices.lab.run(_numerics, backend="serial")
    why_not = choices.lab.keeper.cannot_watch
    yield f"deadlocks: {f'not proved, the limit decides: {why_not}' if why_not else 'proved, from /proc'}"


def _numerics() -> list[str]:
    """What arrays are computed with; looked up in a worker, with the threads that workers get."""
    import numpy as np
    from threadpoolctl import threadpool_info

    lines = [f"numpy: {np.__version__}"]
    for library in threadpool_info():
        if library["user_api"] == "blas":
            name = f"{library['internal_api']} {library['version'] or ''}".strip()
            lines.append(f"BLAS: {name}, {library['num_threads']} thread per worker")
    return lines


def _try(lab: Lab, backend: Backend) -> tuple[str, str]:
    """Start one worker; say how that went."""
    reason = backend.missing(lab.settings)
    if reason:
        return "missing", reason
    version = backend.version(lab.settings)
    started_s = time.perf_counter()
    try:
        lease = lab.lease(backend.name, 1)
        group: Any = lease.group
        lease.end()
    except ParallelError as error:
        return "BROKEN", f"{version}\n{error}"
    library = f", {group.library}" if getattr(group, "library", "") else ""
    return "ok", f"{version}{library} (1 worker up in {time.perf_counter() - started_s:.1f} s)"
