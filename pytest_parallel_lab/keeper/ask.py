"""Asking processes that are stuck, or out of time, where they are and what they hold."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.agent.source import nth_call, tree_of
from pytest_parallel_lab.model.lock_order import Potential, find_potential
from pytest_parallel_lab.model.stacks import users_part
from pytest_parallel_lab.model.told import Told, read_told
from pytest_parallel_lab.model.waiting import ProcessState, TreeState

_ANSWER_LIMIT_S = 0.4
_LOOK_EVERY_S = 0.002
_PY_SPY_LIMIT_S = 3.0


def ask(directory: str, state: TreeState) -> dict[int, Told]:
    """Ask every living process of a tree; one after the other, as forked ones share a file for their stacks."""
    parents = {process.pid: process.parent for process in state.processes}
    told = {}
    for process in state.processes:
        if process.ended:
            continue
        answer = _ask_one(directory, process, parents) if process.tells else None
        told[process.pid] = answer or Told(process.pid, raw=_from_outside(process))
    return told


def _ask_one(directory: str, process: ProcessState, parents: Mapping[int, int]) -> Told | None:
    answer = contract.told_path(directory, process.pid)
    stack = _stack_path(directory, process.pid, parents)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(answer)
    start = os.path.getsize(stack) if stack else 0
    try:
        os.kill(process.pid, contract.SIGNAL)
    except ProcessLookupError:
        return None
    deadline = time.monotonic() + _ANSWER_LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError), open(answer) as file:
            data = json.load(file)
            return read_told(data, _names(data))
        time.sleep(_LOOK_EVERY_S)
    if stack:
        return Told(process.pid, raw=users_part(_read_from(stack, start)))
    return None


def _stack_path(directory: str, pid: int, parents: Mapping[int, int]) -> str | None:
    """The file for a process's stacks: its own, or that of the one which forked it."""
    while pid:
        path = contract.stack_path(directory, pid)
        if os.path.exists(path):
            return path
        pid = parents.get(pid, 0)
    return None


def _from_outside(process: ProcessState) -> str:
    """The stacks of a process that was not started by our means: py-spy reads them, where it is installed."""
    program = shutil.which("py-spy")
    if program is None or "python" not in process.command:
        return ""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = [program, "dump", "--pid", str(process.pid)]
        return subprocess.run(command, capture_output=True, text=True, timeout=_PY_SPY_LIMIT_S).stdout
    return ""


def _names(data: Mapping[str, Any]) -> dict[str, str]:
    """What the source calls the locks that a process told of."""
    return _names_of([*data["held"], *(thread["lock"] for thread in data["threads"] if thread.get("lock"))])


def _names_of(locks: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {lock["key"]: name for lock in locks if lock.get("made") and (name := _assigned_to(*lock["made"]))}


def _assigned_to(path: str, line: int, _: str, column: int) -> str:
    """The name that a lock made at a place is assigned to; empty where there is none, or several."""
    tree = tree_of(path)
    if tree is None:
        return ""
    if column < 0:
        call = nth_call(tree, line, -column)
        column = call.col_offset if call is not None else 0
    for target, value in _assignments(tree, line):
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for one, made in zip(target.elts, value.elts):
                if (made.lineno, made.col_offset) == (line, column):
                    return ast.unparse(one)
        elif isinstance(target, (ast.Name, ast.Attribute)) and isinstance(value, ast.Call):
            return ast.unparse(target)
        elif isinstance(target, ast.Name):
            return f"in {target.id}"
    return ""


def _assignments(tree: ast.AST, line: int) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        targets: Iterable[ast.expr] = ()
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if targets and node.lineno <= line <= (node.end_lineno or 0):  # type: ignore[attr-defined]
            for target in targets:
                yield target, node.value  # type: ignore[attr-defined]


def potential_deadlocks(directory: str, runner: int) -> tuple[Potential, ...]:
    """What the notes of a traced run that went well say of others that may not."""
    notes: list[dict[str, Any]] = []
    for path in Path(contract.notes_directory(directory, runner)).glob("*.notes"):
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # killed in the middle of a line
                notes.append(json.loads(line))
    taken = [note for note in notes if note["kind"] == "takes"]
    locks = [lock for note in taken for lock in (note["lock"], *(one["lock"] for one in note["held"]))]
    return tuple(find_potential(notes, _names_of(locks)))


def stacks(directory: str, pids: Iterable[int]) -> dict[int, str]:
    """Where processes are now, as faulthandler tells it: also of those that are inside C code.

    Only for processes that have the agent: the signal ends any other.
    """
    before = {}
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            before[pid] = os.path.getsize(contract.stack_path(directory, pid))
            os.kill(pid, contract.SIGNAL)
    deadline = time.monotonic() + _ANSWER_LIMIT_S
    found = dict.fromkeys(before, "")
    while time.monotonic() < deadline:
        texts = {pid: _read_from(contract.stack_path(directory, pid), start) for pid, start in before.items()}
        if all(texts.values()) and texts == found:  # written, and no longer growing
            break
        found = texts
        time.sleep(_LOOK_EVERY_S)
    return {pid: users_part(text) for pid, text in found.items()}


def _read_from(path: str, start: int) -> str:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")
