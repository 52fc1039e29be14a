"""What the line that a frame is in calls, as its author wrote it."""

from __future__ import annotations

import ast
import contextlib
import itertools
import linecache
import sys
from collections.abc import Iterator
from types import FrameType, MappingProxyType, ModuleType
from typing import Any

from pytest_parallel_lab.keeper.agent import sites

_STANDARD = frozenset(sys.stdlib_module_names)
_PACKAGE = __name__.partition(".")[0]
_PREFIXES = ("ForkServer", "Fork", "Spawn", "Base", "Traced")
_TRIES = 10
_trees: dict[str, ast.Module | None] = {}


def called(frame: FrameType, otherwise: str) -> str:
    """The call that a frame is in: ``Queue.get`` or ``os.read`` where its object is known.

    Args:
        frame: of the user's code.
        otherwise: what to say where it is not known, as in a ``with`` statement; where that is
            empty, the call as it is written.
    """
    node = _call_at(frame)
    if node is None:
        return otherwise
    function = node.func
    if isinstance(function, ast.Attribute):
        owner = _value(function.value, frame)
        if owner is not None:
            return f"{name_of_owner(owner)}.{function.attr}"
    return otherwise or ast.unparse(function)


def name_of_owner(owner: Any) -> str:
    """What users call the type of an object: the standard library's class that it is, or derives from."""
    if isinstance(owner, ModuleType):
        return owner.__name__
    token = getattr(type(owner), "_callmethod", None) and getattr(owner, "_token", None)
    if token is not None:  # a manager's proxy
        return str(token.typeid)
    for cls in type(owner).__mro__:
        if cls.__module__.partition(".")[0] in _STANDARD or cls.__module__.startswith(_PACKAGE):
            return _plain(cls.__name__) if cls is not object else type(owner).__name__
    return type(owner).__name__


def _plain(name: str) -> str:
    name = name.lstrip("_")
    for prefix in _PREFIXES:
        if name.startswith(prefix) and name != prefix:
            name = name.removeprefix(prefix)
    return name


def _call_at(frame: FrameType) -> ast.Call | None:
    tree = tree_of(frame.f_code.co_filename)
    if tree is None:
        return None
    position = sites.position(frame)
    if position is None:
        return nth_call(tree, frame.f_lineno, sites.call_number(frame))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Call, ast.Await)):
            found = node.value if isinstance(node, ast.Await) else node
            here = (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
            if isinstance(found, ast.Call) and position == here:
                return found
    return None


def nth_call(tree: ast.AST, line: int, number: int) -> ast.Call | None:
    """The call of a line that is made as the ``number``-th, from 1: arguments are evaluated first."""

    def in_order(node: ast.AST) -> Iterator[ast.Call]:
        for child in ast.iter_child_nodes(node):
            yield from in_order(child)
        if isinstance(node, ast.Call) and node.lineno == line:
            yield node

    return next(itertools.islice(in_order(tree), number - 1, None), None) if number > 0 else None


def tree_of(path: str) -> ast.Module | None:
    """The syntax tree of a source file; None where there is none."""
    if path not in _trees:
        _trees[path] = _parsed("".join(linecache.getlines(path)))
    return _trees[path]


def _parsed(source: str) -> ast.Module | None:
    # CPython 3.11 counts the depth of a tree for all threads together, and refuses where two parse at once. A lock
    # would not do: other threads than ours parse as well, and a fork may find it taken.
    for _ in range(_TRIES):
        with contextlib.suppress(SystemError):
            try:
                return ast.parse(source)
            except SyntaxError:
                return None
    return None


def _value(node: ast.expr, frame: FrameType) -> Any:
    """The value of a name or of attributes of one; only as far as looking runs no code of the user's."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, frame)
        attributes = getattr(owner, "__dict__", None)
        return attributes.get(node.attr) if isinstance(attributes, (dict, MappingProxyType)) else None
    return None
