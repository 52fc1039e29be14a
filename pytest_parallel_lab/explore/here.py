"""Exploring, in the runner that does it."""

from __future__ import annotations

import os

from pytest_parallel_lab.explore.plan import Plan
from pytest_parallel_lab.explore.runs import Runs
from pytest_parallel_lab.explore.search import Search
from pytest_parallel_lab.explore.zygotes import Start, Subject, Zygote
from pytest_parallel_lab.model.exploration import Exploration

_LEAST_RUN_LIMIT_S = 2.0
_RUN_LIMIT_S = 20.0
_spare: list[Zygote] = []


def get_ready(start: Start) -> None:
    """Start the interpreter that the exploration to come is likely to need."""
    _spare.append(Zygote(start))


def explore_here(subject: Subject, plan: Plan) -> Exploration:
    """Explore a subject as planned; how far it is, is written to a file now and then."""
    limit_s = min(_RUN_LIMIT_S, max(_LEAST_RUN_LIMIT_S, plan.seconds))
    runs = Runs(subject, limit_s, _spare.pop() if _spare else None)
    path = progress_path(subject.directory, os.getpid())

    def progress(text: str) -> None:
        with open(path, "w") as file:
            file.write(text)

    try:
        return Search(runs, plan, progress).go()
    finally:
        runs.close()


def progress_path(directory: str, pid: int) -> str:
    """Where a runner writes how far its exploration is."""
    return os.path.join(directory, f"{pid}.progress")
