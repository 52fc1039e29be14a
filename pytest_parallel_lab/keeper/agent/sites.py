"""Where the user's code is: frames without those of the standard library and of our own."""

from __future__ import annotations

import dis
import itertools
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType

_LIBRARY = tuple({sysconfig.get_paths()["stdlib"], str(Path(threading.__file__).parent)})
_PACKAGE = str(Path(__file__).resolve().parents[2])
_is_library: dict[CodeType, bool] = {}

Site = tuple[str, int, str]  # path, line, function


def site(frame: FrameType) -> Site:
    """Where a frame is."""
    return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name


def users_site(frame: FrameType | None) -> Site | None:
    """The innermost place in the user's code, from a frame outwards."""
    while frame is not None and is_library(frame.f_code):
        frame = frame.f_back
    return site(frame) if frame is not None else None


def made_at(frame: FrameType | None) -> tuple[str, int, str, int] | None:
    """As ``users_site``, with the column of the call, since its line may make several.

    Before Python 3.11, which knows columns: minus the number of the call in its line.
    """
    while frame is not None and is_library(frame.f_code):
        frame = frame.f_back
    if frame is None:
        return None
    found = position(frame)
    return (*site(frame), found[2] or 0 if found else -call_number(frame))


def position(frame: FrameType) -> tuple[int | None, int | None, int | None, int | None] | None:
    """First and last line, first and last column of what a frame executes; None before Python 3.11."""
    if not hasattr(frame.f_code, "co_positions"):
        return None
    return next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)


def call_number(frame: FrameType) -> int:
    """Which of the calls in its line a frame is in, from 1 in the order they are made; 0 if in none."""
    number, line = 0, 0
    for instruction in dis.get_instructions(frame.f_code):
        line = instruction.starts_line or line
        if line == frame.f_lineno and instruction.opname.startswith("CALL"):
            number += 1
            if instruction.offset == frame.f_lasti:
                return number
    return 0


def is_library(code: CodeType) -> bool:
    """Whether code belongs to the standard library or to this package; site-packages are the user's."""
    known = _is_library.get(code)
    if known is None:
        path = code.co_filename
        known = path.startswith(("<frozen", "<string>", _PACKAGE)) or (
            path.startswith(_LIBRARY) and "site-packages" not in path
        )
        _is_library[code] = known
    return known


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame, its caller, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def is_installed(code: CodeType) -> bool:
    """Whether code comes from an installed package, so most likely is not what is being tested."""
    return "site-packages" in code.co_filename


def is_ours(frame: FrameType) -> bool:
    """Whether a frame is of this package."""
    return frame.f_code.co_filename.startswith(_PACKAGE)
