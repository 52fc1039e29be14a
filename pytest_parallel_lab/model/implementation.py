"""Functions marked as parallel implementations of a problem."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_parallel_lab.model.errors import BadSetting

_ATTRIBUTE = "__parallel_implementation__"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Implementation:
    """What ``@implementation`` says about a function."""

    backend: str


def implementation(backend: str) -> Callable[[F], F]:
    """Mark a function as an implementation on ``backend``.

    The function gets the backend's native handle first: an mpi4py communicator, a
    ``multiprocessing.pool.Pool``, a ``concurrent.futures`` executor, an ipyparallel DirectView
    (``serial`` has none). It may take a keyword-only ``workers`` to be told their count, and it
    may be a generator that yields its result once: the clock stops at the yield, and what comes
    after is clean-up.

    Args:
        backend: a backend's name, such as ``"mpi"``.

    Raises:
        BadSetting: used without a backend's name.
    """
    if not isinstance(backend, str):
        raise BadSetting('@implementation needs a backend\'s name: write @implementation("mpi")')

    def mark(function: F) -> F:
        setattr(function, _ATTRIBUTE, Implementation(backend))
        return function

    return mark


def implementation_of(value: object) -> Implementation | None:
    """What ``@implementation`` said about ``value``, or None for anything unmarked."""
    found = getattr(value, _ATTRIBUTE, None)
    return found if isinstance(found, Implementation) else None


def name_of(value: object) -> str:
    """Name a function for a test id: ``parametrize("matmul", [...], ids=name_of)``."""
    return getattr(value, "__name__", None) or repr(value)


def wants_workers(function: Callable[..., Any]) -> bool:
    """Whether the function declares a keyword-only ``workers``."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    declared = parameters.get("workers")
    return declared is not None and declared.kind is inspect.Parameter.KEYWORD_ONLY


def backend_of(function: Callable[..., Any], backend: str | None) -> str:
    """The backend to run a function on: the one given, else the one it is marked with.

    Raises:
        BadSetting: neither says.
    """
    marked = implementation_of(function)
    if backend is not None:
        return backend
    if marked is None:
        raise BadSetting(
            f"{name_of(function)} is not marked as an implementation: decorate it with "
            '@implementation("processes"), or pass backend="processes"'
        )
    return marked.backend
