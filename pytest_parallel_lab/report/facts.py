"""What a report says of every test: its problem, implementation, backends and worker counts."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_parallel_lab import marks
from pytest_parallel_lab.model.implementation import implementation_of, name_of
from pytest_parallel_lab.report.attachments import attach, wanted
from pytest_parallel_lab.report.findings import attach_raised

_RUNS = pytest.StashKey[dict[tuple[str, int], None]]()


def note_run(item: pytest.Item, backend: str, workers: int) -> None:
    """Keep where a test has run something."""
    if wanted(item.config):
        item.stash.setdefault(_RUNS, {})[backend, workers] = None


def attach_facts(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Attach what is known of a test before its call, and what is known after it."""
    if not wanted(item.config):
        return
    if call.when == "setup":
        attach(item, "test", facts_of(item))
        return
    learnt: dict[str, Any] = {}
    if call.when == "call" and _RUNS in item.stash:
        learnt["runs"] = [list(run) for run in item.stash[_RUNS]]
    if call.excinfo is not None:
        learnt["raised"] = call.excinfo.typename
        attach_raised(item, call.excinfo.value)
    if learnt:
        attach(item, "test", learnt)


def facts_of(item: pytest.Item) -> dict[str, Any]:
    """What a collected test tells of itself.

    Returns:
        ``problem``; ``implementation``, "" where its parameters have none; ``backends``; ``workers``, None where its
        parameters do not say. After the call there may be ``runs``: pairs of backend and workers; and
        ``raised``, the type of the exception.
    """
    callspec = getattr(item, "callspec", None)
    names = [name_of(value) for value in (callspec.params.values() if callspec else ()) if implementation_of(value)]
    return {
        "problem": problem_of(item),
        "implementation": ", ".join(names),
        "backends": marks.backends_of(item),
        "workers": marks.workers_of(item) or _pool_workers(item),
    }


def problem_of(item: pytest.Item) -> str:
    """What is computed: as the hook ``pytest_parallel_problem`` says, else the test module's name."""
    told = item.ihook.pytest_parallel_problem(item=item)
    return str(told) if told else item.path.stem.removeprefix("test_").removesuffix("_test")


def _pool_workers(item: pytest.Item) -> int | None:
    callspec = getattr(item, "callspec", None)
    pool = callspec.params.get("parallel_pool") if callspec else None
    return pool[1] if isinstance(pool, tuple) and len(pool) == 2 and isinstance(pool[1], int) else None
