"""A manager: the objects live in a process of their own, and every access is a message to it."""

from __future__ import annotations

from collections.abc import MutableMapping, MutableSequence, Sequence
from multiprocessing import Manager, Process

from cases.processes.fork_join import run_all
from reference.processes import shares, square


def manager_list(numbers: Sequence[int], workers: int) -> list[int]:
    """Append to a manager's list: all workers talk to the same one."""
    with Manager() as manager:
        found = manager.list()
        run_all([Process(target=_append, args=(found, share)) for share in shares(numbers, workers)])
        return sorted(found)


def _append(found: MutableSequence[int], numbers: Sequence[int]) -> None:
    for number in numbers:
        found.append(square(number))


def plain_list_in_a_manager(numbers: Sequence[int], workers: int) -> list[int]:
    """Keep an ordinary list in a manager's dict. Wrong: asking for it gives a copy, and the copy is appended to."""
    with Manager() as manager:
        found: MutableMapping[str, MutableSequence[int]] = manager.dict({"squares": []})
        run_all([Process(target=_append_to_entry, args=(found, share)) for share in shares(numbers, workers)])
        return sorted(found["squares"])


def manager_list_in_a_manager(numbers: Sequence[int], workers: int) -> list[int]:
    """Keep a manager's list in a manager's dict: what one gets is a proxy, not a copy."""
    with Manager() as manager:
        found: MutableMapping[str, MutableSequence[int]] = manager.dict({"squares": manager.list()})
        run_all([Process(target=_append_to_entry, args=(found, share)) for share in shares(numbers, workers)])
        return sorted(found["squares"])


def _append_to_entry(found: MutableMapping[str, MutableSequence[int]], numbers: Sequence[int]) -> None:
    for number in numbers:
        found["squares"].append(square(number))
