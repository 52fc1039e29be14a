"""Which implementations a test is given: those that its mark lists, or the one handed in for them."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any, cast

import pytest

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.implementation import implementation, implementation_of, name_of
from pytest_parallel_lab.model.settings import nearest, parse_names
from pytest_parallel_lab.options import choices_of

FIXTURE = "parallel_subject"
MARK = "parallel_subjects"
OPTION = "--parallel-subject"
BACKEND_OPTION = "--parallel-subject-backend"

Function = Callable[..., Any]
_HANDED_IN = pytest.StashKey["Function | None"]()


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give the fixture that stands for an implementation those of the test's mark, or the one handed in.

    The serial ones of the mark stay where one is handed in: they are what it is compared with.
    """
    mark = metafunc.definition.get_closest_marker(MARK)
    if FIXTURE not in metafunc.fixturenames or mark is None:
        return
    listed = listed_in(mark, metafunc.definition.nodeid)
    subject = handed_in(metafunc.config)
    if subject is not None:
        listed = [*(one for one in listed if _backend(one) == "serial"), subject]
    metafunc.parametrize(FIXTURE, listed, ids=[name_of(one) for one in listed], indirect=True)


def listed_in(mark: pytest.Mark, where: str) -> list[Function]:
    """The implementations that a mark lists.

    Raises:
        pytest.UsageError: none, or something else.
    """
    listed = [one for given in mark.args for one in (given if isinstance(given, (list, tuple)) else [given])]
    wrong = [one for one in listed if implementation_of(one) is None]
    if wrong or not listed:
        what = f"{name_of(wrong[0])} is no implementation" if wrong else "lists no implementation"
        raise pytest.UsageError(
            f"{where}: mark {MARK}: {what}; write {MARK}([pool_map, mpi_scatter]) with functions "
            "that @implementation marks"
        )
    return listed


def select(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Where an implementation was handed in, take out the tests that take none, or call it otherwise; return them.

    Raises:
        pytest.UsageError: no test takes one, or the function fits none of them.
    """
    subject = handed_in(config)
    if subject is None:
        return []
    taking = [item for item in items if FIXTURE in getattr(item, "fixturenames", ())]
    if items and not taking:
        raise pytest.UsageError(f"{OPTION}: none of the chosen tests takes a subject; choose a problem's with -m")
    refused = {id(item): why for item in taking if (why := _misfit(subject, item))}
    if refused and len(refused) == len(taking):
        raise pytest.UsageError(f"{OPTION}: {next(iter(refused.values()))}")
    taking = [item for item in taking if id(item) not in refused]
    kept = set(map(id, taking))
    out = [item for item in items if id(item) not in kept]
    items[:] = taking
    return out


def _misfit(subject: Function, item: pytest.Item) -> str | None:
    """Why a function cannot be called as those it stands in for; None where it can."""
    mark = item.get_closest_marker(MARK)
    if mark is None:
        return None
    listed = listed_in(mark, item.nodeid)
    model = next((one for one in listed if _backend(one) == _backend(subject)), listed[0])
    wanted = [p for p in _parameters(model) if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    needed = [p for p in wanted if p.default is inspect.Parameter.empty]
    handle = [] if _backend(subject) == "serial" else [None]
    told = {"workers": 1} if "workers" in inspect.signature(subject).parameters else {}
    try:
        inspect.signature(subject).bind(*handle, *[None] * len(needed), **told)
    except TypeError as error:
        arguments = ", ".join([*(["its pool, view or communicator"] if handle else []), *(p.name for p in needed)])
        return (
            f"{name_of(subject)}{inspect.signature(subject)} does not fit {item.nodeid}: {error}. It is called "
            f"with ({arguments}), as {name_of(model)}{inspect.signature(model)} is; choose its problem's tests with -m"
        )
    return None


def _parameters(function: Function) -> list[inspect.Parameter]:
    """A function's parameters without the native handle."""
    parameters = list(inspect.signature(function).parameters.values())
    return parameters if _backend(function) == "serial" else parameters[1:]


def _backend(function: Function) -> str:
    marked = implementation_of(function)
    assert marked is not None
    return marked.backend


def handed_in(config: pytest.Config) -> Function | None:
    """The function that ``--parallel-subject`` names, marked as an implementation; loaded at the first call.

    Raises:
        pytest.UsageError: it cannot be loaded, is no function, or its backend is not known.
    """
    if _HANDED_IN not in config.stash:
        try:
            config.stash[_HANDED_IN] = _load(config)
        except BadSetting as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[_HANDED_IN]


def _load(config: pytest.Config) -> Function | None:
    text, backend = config.getoption(OPTION), config.getoption(BACKEND_OPTION)
    if text is None:
        if backend is not None:
            raise BadSetting(f"{BACKEND_OPTION}: says how to run the function of {OPTION}, which is not given")
        return None
    function = _function(text, str(config.invocation_params.dir))
    marked = implementation_of(function)
    if backend is None:
        if marked is None:
            raise BadSetting(
                f'{OPTION}: {text} says no backend; give {BACKEND_OPTION}=mpi, or mark it @implementation("mpi")'
            )
        return function
    (name,) = parse_names([backend], choices_of(config).known_backends, BACKEND_OPTION, "backend")
    if marked is not None and marked.backend != name:
        raise BadSetting(f"{BACKEND_OPTION}: {text} is marked @implementation({marked.backend!r}), not {name!r}")
    return implementation(name)(function)


def _function(text: str, directory: str) -> Function:
    """Import ``module:function``; a module of the directory where pytest was called is found too."""
    module_name, _, name = text.partition(":")
    if not module_name or not name:
        raise BadSetting(f"{OPTION}: {text!r} names no function; write my_module:my_function")
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise BadSetting(f"{OPTION}: the module {module_name!r} cannot be imported ({why})") from error
    function = getattr(module, name, None)
    if not callable(function):
        near = nearest(name, [n for n, value in vars(module).items() if callable(value)])
        hint = f"; did you mean {near!r}?" if near else ""
        what = "is no function" if hasattr(module, name) else "is not there"
        raise BadSetting(f"{OPTION}: {name!r} {what} in {module.__file__ or module_name}{hint}")
    return cast(Function, function)
