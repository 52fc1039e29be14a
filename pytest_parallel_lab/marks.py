"""Our marks: declared, checked at collection, and the backend marks that items get by themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.implementation import implementation_of
from pytest_parallel_lab.model.settings import (
    HARMS,
    NUMERICAL,
    STRATEGIES,
    nearest,
    parse_mpi_strict,
    parse_names,
    parse_start_method,
    parse_workers,
)
from pytest_parallel_lab.options import Choices

_MARKS = {
    "chaos": 'chaos("kill-worker", after_s=0.1): harm a worker in the middle of the run that the chaos fixture makes',
    "explore": "explore(runs=100, seed=7): how far the explore fixture searches, and what counts",
    "scaling": 'scaling(workers=[1, 2, 4], rounds=7, mode="weak"): how the scaling fixture measures',
    "parallel_gate": 'parallel_gate(threshold="10%", metrics="time", answers=False): how --parallel-gate judges it',
    "parallel_workers": "parallel_workers(1, 2, ...): worker counts for this test",
    "parallel_backends": 'parallel_backends("threads", "mpi", ...): backends for this test',
    "parallel_mpi_strict": 'parallel_mpi_strict("sends", "collectives"): what MPI may not do early in this test',
    "parallel_subjects": "parallel_subjects([pool_map, mpi_scatter, ...]): the implementations under test",
    "parallel_start_method": 'parallel_start_method("spawn"): multiprocessing start method for this test',
}
_EXPLORE = {"runs", "seconds", "seed", "strategy", "bound", "opcodes", "hash_seeds", "rtol", "atol", "numerical"}
_GATE = {"threshold", "metrics", "answers", "rtol", "atol"}
_SCALING = {"workers", "rounds", "mode", "seconds", "narrow", "seed"}
_KEYWORDS = {"chaos": {"after_s", "stall_s", "seed"}, "explore": _EXPLORE, "scaling": _SCALING, "parallel_gate": _GATE}
_FIXTURE_BACKENDS = {
    "mpiexec": "mpi",
    "ipcluster": "ipyparallel",
    "process_pool": "processes",
    "thread_pool": "threads",
}


def declare(config: pytest.Config, backends: tuple[str, ...]) -> None:
    """Declare our marks, so that --strict-markers knows them."""
    for text in _MARKS.values():
        config.addinivalue_line("markers", text)
    for name in backends:
        config.addinivalue_line("markers", f"{name}: runs on the {name} backend (set by pytest-parallel-lab)")


def check(item: pytest.Item, choices: Choices) -> None:
    """Check the marks of a collected test.

    Raises:
        pytest.UsageError: a misspelt mark or argument; the text names the test.
    """
    for mark in item.iter_markers():
        if not mark.name.startswith("parallel_") and mark.name not in _MARKS:
            continue
        where = f"{item.nodeid}: mark {mark.name}"
        try:
            if mark.name not in _MARKS:
                _check_unknown(mark.name, item, where)
                continue
            unknown = sorted(set(mark.kwargs) - _KEYWORDS.get(mark.name, set()))
            if unknown:
                raise BadSetting(f"{where}: unexpected argument {unknown[0]!r}; write {_usage(mark.name)}")
            _check_values(mark, choices, where)
        except BadSetting as error:
            raise pytest.UsageError(str(error)) from error


def _check_unknown(name: str, item: pytest.Item, where: str) -> None:
    """Refuse what looks like one of ours misspelt; other plugins have parallel_... marks too."""
    declared = {re.split(r"[:(]", line)[0].strip() for line in item.config.getini("markers")}
    near = nearest(name, _MARKS, cutoff=0.85)
    if near and name not in declared:
        raise BadSetting(f"{where}: there is no such mark; did you mean {near!r}?")


def _check_values(mark: pytest.Mark, choices: Choices, where: str) -> None:
    if mark.name == "parallel_workers":
        parse_workers(mark.args, where)
    elif mark.name == "parallel_backends":
        parse_names(mark.args, choices.known_backends, where, "backend")
    elif mark.name == "explore":
        if mark.args:
            raise BadSetting(f"{where}: takes keyword arguments only; write {_usage(mark.name)}")
        if "strategy" in mark.kwargs:
            parse_names(mark.kwargs["strategy"], STRATEGIES, where, "strategy")
        from pytest_parallel_lab.explore.plan import Plan

        numbers = {name: value for name, value in mark.kwargs.items() if name not in ("strategy", "numerical")}
        Plan(**numbers).checked(where)
        if "numerical" in mark.kwargs:
            parse_names([mark.kwargs["numerical"]], NUMERICAL, where, "way to take numerical differences")
    elif mark.name == "scaling":
        if mark.args:
            raise BadSetting(f"{where}: takes keyword arguments only; write {_usage(mark.name)}")
        from pytest_parallel_lab.scaling.plan import ScalingPlan

        ScalingPlan.of(where, **mark.kwargs)
    elif mark.name == "parallel_gate":
        from pytest_parallel_lab.gating.plan import checked_mark

        checked_mark(mark, where)
    elif mark.name == "parallel_subjects":
        pass  # was checked where the test got its parameters
    elif mark.name == "parallel_mpi_strict":
        parse_mpi_strict(mark.args, where)
    elif len(mark.args) != 1:
        what = "harm" if mark.name == "chaos" else "start method"
        raise BadSetting(f"{where}: takes exactly one {what}; write {_usage(mark.name)}")
    elif mark.name == "chaos":
        parse_names([str(mark.args[0])], HARMS, where, "harm")
    else:
        parse_start_method(mark.args[0], where)


def _usage(name: str) -> str:
    return _MARKS[name].partition(":")[0]


def values(node: pytest.Item | pytest.Function, name: str) -> tuple[object, ...] | None:
    """The arguments of the closest mark of a name; None without one."""
    mark = node.get_closest_marker(name)
    return mark.args if mark else None


def backends_of(item: pytest.Item) -> list[str]:
    """The backends that a collected test will run on, as far as its parameters and fixtures tell."""
    return list(dict.fromkeys(_backends_of(item)))


def _backends_of(item: pytest.Item) -> Iterator[str]:
    callspec = getattr(item, "callspec", None)
    for name, value in (callspec.params if callspec else {}).items():
        found = implementation_of(value)
        if found:
            yield found.backend
        elif name == "parallel_backend" and isinstance(value, str):
            yield value
        elif name == "parallel_pool" and isinstance(value, tuple):
            yield value[0]
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in _FIXTURE_BACKENDS:
            yield _FIXTURE_BACKENDS[fixture]


def workers_of(item: pytest.Item) -> int | None:
    """The worker count among a test's parameters; None without one."""
    callspec = getattr(item, "callspec", None)
    count = callspec.params.get("parallel_workers") if callspec else None
    return count if isinstance(count, int) else None
