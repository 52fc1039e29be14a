"""Which tests there are: parameters for backends and workers, backend marks, and what is left out."""

from __future__ import annotations

import pytest

from pytest_parallel_lab import marks
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.settings import parse_names, parse_workers
from pytest_parallel_lab.options import Choices, choices_of

_OURS = ("parallel_backend", "parallel_workers", "parallel_pool")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give the fixtures that stand for backends and worker counts their parameters."""
    taken = _parametrized_by_user(metafunc)
    wanted = [name for name in _OURS if name in metafunc.fixturenames and name not in taken]
    if not wanted:
        return
    choices = choices_of(metafunc.config)
    backends, workers = _policy(metafunc, choices)
    if "parallel_pool" in wanted:
        pairs = choices.combinations(backends, workers)
        metafunc.parametrize("parallel_pool", pairs, ids=[f"{b}-{w}w" for b, w in pairs], indirect=True)
    if "parallel_backend" in wanted and "parallel_workers" in wanted:
        pairs = choices.combinations(backends, workers)
        names = ("parallel_backend", "parallel_workers")
        metafunc.parametrize(names, pairs, ids=[f"{b}-{w}w" for b, w in pairs], indirect=True)
    elif "parallel_backend" in wanted:
        metafunc.parametrize("parallel_backend", backends, indirect=True)
    elif "parallel_workers" in wanted:
        metafunc.parametrize("parallel_workers", workers, ids=[f"{w}w" for w in workers], indirect=True)


def _policy(metafunc: pytest.Metafunc, choices: Choices) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Backends and worker counts of a test: its marks go before the options."""
    where = metafunc.definition.nodeid
    try:
        counts = marks.values(metafunc.definition, "parallel_workers")
        workers = parse_workers(counts, f"{where}: mark parallel_workers") if counts is not None else choices.workers
        names = marks.values(metafunc.definition, "parallel_backends")
        if names is None:
            return choices.backends, workers
        source = f"{where}: mark parallel_backends"
        marked = parse_names([str(n) for n in names], choices.known_backends, source, "backend")
    except BadSetting as error:
        raise pytest.UsageError(str(error)) from error
    return tuple(b for b in marked if b in choices.backends), workers


def _parametrized_by_user(metafunc: pytest.Metafunc) -> set[str]:
    names: set[str] = set()
    for mark in metafunc.definition.iter_markers("parametrize"):
        given = mark.args[0] if mark.args else mark.kwargs.get("argnames", ())
        names.update(n.strip() for n in given.split(",")) if isinstance(given, str) else names.update(given)
    return names


def prepare(item: pytest.Item, choices: Choices) -> None:
    """Check a collected test's marks and add those of its backends."""
    marks.check(item, choices)
    for backend in marks.backends_of(item):
        item.add_marker(backend)


def _backends_of(item: pytest.Item, choices: Choices) -> list[str]:
    """The backends that a test is marked with: by ``prepare``, or by hand for one that nothing else tells of."""
    named = {mark.name for mark in item.iter_markers()}
    return [name for name in choices.known_backends if name in named]


def leave_out(items: list[pytest.Item], choices: Choices) -> list[pytest.Item]:
    """Take out tests on backends that were not chosen, and counts a backend cannot have; return them."""
    placed = {id(item) for item in items if _has_a_place(item, choices)}
    out = [item for item in items if id(item) not in placed]
    items[:] = [item for item in items if id(item) in placed]
    return out


def _has_a_place(item: pytest.Item, choices: Choices) -> bool:
    backends = _backends_of(item, choices)
    if "serial" in backends and (marks.workers_of(item) or 1) > 1:
        return False
    return all(backend in choices.backends for backend in backends)


def skip_if_missing(item: pytest.Item, choices: Choices) -> None:
    """Skip a test, before its fixtures are set up, whose backend cannot run here; fail it if required."""
    __tracebackhide__ = True
    for backend in _backends_of(item, choices):
        demand(backend, choices)


def demand(backend: str, choices: Choices) -> None:
    """Skip the running test where a backend is missing; fail it under --parallel-require."""
    __tracebackhide__ = True
    reason = choices.lab.missing(backend)
    if reason is None:
        return
    if backend in choices.required:
        pytest.fail(f"{reason} (--parallel-require)", pytrace=False)
    pytest.skip(reason)
