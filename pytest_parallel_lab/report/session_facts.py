"""The machine and the session, as facts for a report."""

from __future__ import annotations

import multiprocessing
import shlex
from typing import Any

import pytest

from pytest_parallel_lab.options import choices_of

_WORDS = {
    "usable_cores": "cores that may be used",
    "affinity": "bound to cores",
    "governor": "frequency governor",
    "load": "load before",
    "busy_with_others": "cores busy with others before",
    "versions": "packages",
}


def session_facts(config: pytest.Config) -> list[tuple[str, str]]:
    """What a reader needs to know to judge the figures, as (what, value); of the time before the session."""
    from pytest_parallel_lab.scaling.machine import machine_facts

    choices = choices_of(config)
    method = choices.settings.start_method or multiprocessing.get_start_method(allow_none=True)
    facts: dict[str, Any] = {
        "command": shlex.join(["pytest", *map(str, config.invocation_params.args)]),
        **machine_facts(),
        "pytest": pytest.__version__,
        "worker counts": list(choices.workers),
        "start method": method or f"{multiprocessing.get_all_start_methods()[0]}, Python's",
        "BLAS": "1 thread per worker",
    }
    return told(facts)


def told(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Facts in words; those that are not known are left out."""
    return [(_WORDS.get(name, name), text) for name, value in facts.items() if (text := _text(name, value))]


def _text(name: str, value: Any) -> str:
    if name == "busy_with_others" and isinstance(value, float):
        return f"{value:.0%}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.2f}"
    return "" if value is None else str(value)
