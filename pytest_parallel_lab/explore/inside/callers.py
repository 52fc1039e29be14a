"""Where in the user's code a thread is, and whether it is the user's code that calls."""

from __future__ import annotations

import sys
from types import CodeType, FrameType

from pytest_parallel_lab.explore.protocol import Site
from pytest_parallel_lab.keeper.agent import sites

_PASSED_ON = frozenset(["__enter__", "enter", "acquire"])  # of a condition, by which its lock is taken
_ours: dict[CodeType, bool] = {}


def direct(frame: FrameType | None) -> tuple[Site, int] | None:
    """Where the user's code calls what we are in, and by which instruction; None where the library does."""
    while frame is not None:
        code = frame.f_code
        ours = _ours.get(code)
        if ours is None:
            ours = _ours[code] = sites.is_ours(frame)
        if not ours and not sites.is_library(code):
            return sites.site(frame), frame.f_lasti
        if not ours and code.co_name not in _PASSED_ON:
            return None
        frame = frame.f_back
    return None


def called_by_user() -> bool:
    """Whether the user's code itself calls what we are in."""
    return direct(sys._getframe(1)) is not None


def users_site(frame: FrameType | None) -> Site | None:
    """The innermost place in the user's code that this thread has come from; not one of its parent's, before a fork."""
    while frame is not None and sites.is_library(frame.f_code):
        if frame.f_code.co_name in ("_bootstrap", "_bootstrap_inner"):
            return None
        frame = frame.f_back
    return sites.site(frame) if frame is not None else None
