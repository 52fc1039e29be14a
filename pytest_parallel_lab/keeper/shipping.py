"""Packing a call for another process: by reference where it can be imported there, else by value."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

from pytest_parallel_lab.keeper.channel import Parcel
from pytest_parallel_lab.model.errors import CannotSend
from pytest_parallel_lab.model.implementation import name_of

_importable: dict[str, bool] = {}


def pack_call(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Parcel:
    """Pickle a call.

    Raises:
        CannotSend: the function or an argument cannot be pickled; the text names which and why.
    """
    for part in (function, *args, *kwargs.values()):
        _carry_by_value_if_needed(part)
    try:
        return Parcel.of((function, tuple(args), dict(kwargs)), _dumps)
    except Exception as error:
        raise CannotSend(_blame(function, args, kwargs, error)) from error


def pack_value(value: object) -> Parcel:
    """Pickle a result, by value what only this process can import. Raises whatever pickling raises."""
    return Parcel.of(value, _dumps)


def _dumps(value: object, **options: Any) -> bytes:
    import cloudpickle

    data: bytes = cloudpickle.dumps(value, **options)
    return data


def _carry_by_value_if_needed(part: object) -> None:
    """Send by value what comes from a module that a worker could not import by its name.

    That is a conftest, or a test module under ``--import-mode=importlib``.
    """
    name = getattr(part, "__module__", None)
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or name == "__main__" or is_importable(module):
        return
    import cloudpickle

    cloudpickle.register_pickle_by_value(module)


def is_importable(module: ModuleType) -> bool:
    """Whether importing the module's name from ``sys.path`` would load this very file."""
    name = module.__name__
    if name not in _importable:
        _importable[name] = _resolves(module)
    return _importable[name]


def _resolves(module: ModuleType) -> bool:
    origin = getattr(module, "__file__", None)
    if origin is None:  # built in, or a namespace package
        return True
    package, _, _ = module.__name__.rpartition(".")
    parent = sys.modules.get(package) if package else None
    if package and (parent is None or not is_importable(parent)):
        return False
    path = list(getattr(parent, "__path__", [])) if parent else None
    try:
        spec = PathFinder.find_spec(module.__name__, path)
    except (ImportError, ValueError, AttributeError):
        return False
    return bool(spec and spec.origin and os.path.realpath(spec.origin) == os.path.realpath(origin))


def _blame(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], error: Exception) -> str:
    """Name the part of a call that cannot be pickled."""
    name = name_of(function)
    parts: list[tuple[str, object]] = [(f"the function {name}", function)]
    parts += [(f"argument {i} of {name} ({type(a).__name__})", a) for i, a in enumerate(args, 1)]
    parts += [(f"argument {k}= of {name} ({type(v).__name__})", v) for k, v in kwargs.items()]
    for what, part in parts:
        try:
            Parcel.of(part, _dumps)
        except Exception as reason:
            return (
                f"{what} cannot be sent to a worker: {reason}. Pass plain data (numbers, arrays, "
                f"paths), and make locks, files, sockets and pools inside the implementation."
            )
    return f"the call of {name} cannot be sent to a worker: {error}"
