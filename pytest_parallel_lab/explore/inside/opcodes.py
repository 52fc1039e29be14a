"""Turns within the user's own code: before instructions that others may see the effect of.

``sys.monitoring`` (PEP 669) where there is one, else ``sys.settrace``. Both tell before an
instruction is carried out. A place that a process has passed often enough is not a point any more.
"""

from __future__ import annotations

import contextlib
import dis
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from pytest_parallel_lab.explore.inside.turns import SKIPPED, WEARY, Rules, me, process
from pytest_parallel_lab.explore.protocol import MINOR, OPCODE
from pytest_parallel_lab.keeper.agent import sites

_STORES = {
    "STORE_ATTR": "stores an attribute",
    "DELETE_ATTR": "deletes an attribute",
    "STORE_GLOBAL": "stores a global",
    "STORE_DEREF": "stores a variable that is shared",
    "STORE_SUBSCR": "stores an item",
    "DELETE_SUBSCR": "deletes an item",
    "STORE_SLICE": "stores a slice",
    "YIELD_VALUE": "yields",
}
_READS = {
    "LOAD_ATTR": "reads an attribute",
    "LOAD_GLOBAL": "reads a global",
    "LOAD_DEREF": "reads a variable that is shared",
    "BINARY_SUBSCR": "reads an item",
    "BINARY_SLICE": "reads a slice",
    "CONTAINS_OP": "looks for an item",
}
_PRIVATE = (  # nobody sees these where there is one thread
    "stores a global",
    "stores a variable that is shared",
    "yields",
    "reads an attribute",
    "reads a global",
    "reads a variable that is shared",
)
_AUGMENTED = tuple(range(13, 26))  # operands of BINARY_OP that change their left side in place
_LIBRARY = (sysconfig.get_paths()["stdlib"], str(Path(__file__).resolve().parents[2]))

_points: dict[CodeType, dict[int, str]] = {}
_changing: set[str] = set()  # names of globals and of shared variables that some code stores


def points_of(code: CodeType) -> dict[int, str]:
    """The instructions of a code that are points, by their offsets, with what they do."""
    found = _points.get(code)
    if found is None:
        found = _points[code] = _find_points(code)
    return found


def prepare(values: Iterable[Any]) -> None:
    """Look now for the points of functions and of classes' methods."""
    codes: list[CodeType] = []
    for value in values:
        for one in vars(value).values() if isinstance(value, type) else [value]:
            for part in (one, *(getattr(one, name, None) for name in ("fget", "fset", "fdel", "__func__"))):
                code = getattr(part, "__code__", None)
                if isinstance(code, CodeType) and is_users(code):
                    codes.append(code)
    for code in codes:
        codes += [const for const in code.co_consts if isinstance(const, CodeType)]
        stores = [i for i in dis.get_instructions(code) if i.opname in ("STORE_GLOBAL", "STORE_DEREF")]
        _changing.update(str(i.argval) for i in stores)
    for code in codes:
        points_of(code)


def _starts(code: CodeType) -> dict[int, int]:
    """Where instructions begin that have prefixes: up to Python 3.11, that is where a trace finds them."""
    starts: dict[int, int] = {}
    first = None
    for instruction in dis.get_instructions(code) if sys.version_info < (3, 12) else ():
        if instruction.opname == "EXTENDED_ARG":
            first = instruction.offset if first is None else first
        elif first is not None:
            starts[instruction.offset] = first
            first = None
    return starts


def _may_change(instruction: dis.Instruction) -> bool:
    """Whether what an instruction reads may change: not the name of a function, nor a method about to be called."""
    if instruction.opname in ("LOAD_GLOBAL", "LOAD_DEREF"):
        return instruction.argval in _changing
    return not (instruction.opname == "LOAD_ATTR" and sys.version_info >= (3, 12) and (instruction.arg or 0) & 1)


def _find_points(code: CodeType) -> dict[int, str]:
    found: dict[int, str] = {}
    loops: list[tuple[int, int]] = []
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG")]
    starts = _starts(code)
    for instruction, following in zip(instructions, [*instructions[1:], instructions[-1]]):
        name, offset = instruction.opname, starts.get(instruction.offset, instruction.offset)
        if name in _STORES:
            found[offset] = _STORES[name]
        elif name in _READS and _may_change(instruction):
            found[offset] = _READS[name]
        elif name.startswith("CALL") and not name.startswith("CALL_INTRINSIC"):
            found[offset] = "calls"
        elif name.startswith("INPLACE_") or (name == "BINARY_OP" and instruction.arg in _AUGMENTED):
            if following.opname.startswith(("STORE_FAST", "STORE_NAME")):  # else the store itself is a point
                found[offset] = "changes in place"
        elif name == "FOR_ITER":
            loops.append((offset, instruction.argval))
    for start, end in loops:
        if not any(start < offset < end for offset in found):
            found[start] = "takes the next item"
    return found


def is_users(code: CodeType) -> bool:
    """Whether code is what is tested: neither the standard library's, nor ours, nor installed."""
    return not sites.is_library(code) and not sites.is_installed(code) and code.co_name != "<module>"


def is_users_file(path: str) -> bool:
    """Whether a module's file is what is tested."""
    return not path.startswith(_LIBRARY) and "site-packages" not in path


def _take_turn(code: CodeType, offset: int, line: int) -> None:
    actor = me()
    if actor is None or actor.within or actor.alone:
        return
    what = points_of(code)[offset]
    if what in _PRIVATE and process.threads == 1:
        return
    at = (code.co_filename, line, code.co_name), offset
    passes = actor.passes_of(what, at)
    if passes != SKIPPED:
        tier = MINOR if what in _READS.values() else OPCODE
        actor.point(what, tier=tier, at=at, sleeps=passes == WEARY, counted=True)


@contextlib.contextmanager
def traced(rules: Rules) -> Iterator[None]:
    """Have the user's code that this thread runs take turns."""
    if not rules.opcodes:
        yield
    elif hasattr(sys, "monitoring"):
        _monitor(rules)
        yield
    else:
        before = sys.gettrace()
        sys.settrace(_tracer(rules))
        try:
            yield
        finally:
            sys.settrace(before)


def _tracer(rules: Rules) -> Callable[[FrameType, str, Any], Any]:
    def within_frame(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            code, offset = frame.f_code, frame.f_lasti
            if offset in points_of(code):
                _take_turn(code, offset, frame.f_lineno)
        return within_frame

    def on_call(frame: FrameType, event: str, _: Any) -> Any:
        if event != "call" or not is_users(frame.f_code) or not points_of(frame.f_code):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return within_frame

    return on_call


_TOOL = 4
_monitored: list[Rules] = []


def _monitor(rules: Rules) -> None:
    """Have the interpreter tell of instructions, in all threads of this process."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    if _monitored:
        return
    _monitored.append(rules)
    if monitoring.get_tool(_TOOL) is None:
        monitoring.use_tool_id(_TOOL, "pytest-parallel-lab")

    def on_start(code: CodeType, _: int) -> Any:
        if is_users(code) and points_of(code):
            monitoring.set_local_events(_TOOL, code, monitoring.events.INSTRUCTION)
        return monitoring.DISABLE

    def on_instruction(code: CodeType, offset: int) -> Any:
        if offset not in points_of(code):
            return monitoring.DISABLE
        _take_turn(code, offset, sys._getframe(1).f_lineno)
        return None

    monitoring.register_callback(_TOOL, monitoring.events.PY_START, on_start)
    monitoring.register_callback(_TOOL, monitoring.events.PY_RESUME, on_start)
    monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, on_instruction)
    monitoring.set_events(_TOOL, monitoring.events.PY_START | monitoring.events.PY_RESUME)
