"""The instructions that one call of a function takes, with arguments that are there already."""

from __future__ import annotations

import inspect
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_parallel_lab.gate.instructions import VALGRIND, Instructions, count_statement
from pytest_parallel_lab.keeper.shipping import pack_call

_SETUP = """
import sys
sys.path[:] = {path!r}
import pickle
with open({file!r}, "rb") as _file:
    _head, _buffers = pickle.load(_file)
_function, _args, _kwargs = pickle.loads(_head, buffers=_buffers)
"""


def count_call(
    function: Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    directory: str | os.PathLike[str] = ".",
    tool: str = VALGRIND,
    repeats: int = 1,
) -> Instructions:
    """Count what one call takes, in processes of their own that import from where this one does.

    Args:
        function: a serial kernel; a generator is exhausted.
        args: of it.
        kwargs: more of them.
        directory: where it runs.
        tool: one of ``TOOLS``.
        repeats: how often it is counted.

    Raises:
        CannotSend: the function or an argument cannot be pickled.
        BadSetting: there is no such tool.
        NotCounted: the tool is missing, the call raises, starts threads or processes, or takes too long.
    """
    parcel = pack_call(function, args, kwargs or {})
    call = "_function(*_args, **_kwargs)"
    with tempfile.TemporaryDirectory(prefix="counted-") as place:
        file = Path(place, "call")
        with file.open("wb") as out:
            pickle.dump((parcel.head, [bytearray(one) for one in parcel.buffers]), out)  # arrays stay writable
        return count_statement(
            sys.executable,
            f"for _ in {call}: pass" if inspect.isgeneratorfunction(function) else call,
            _SETUP.format(path=[os.path.abspath(one) for one in sys.path], file=str(file)),
            directory=directory,
            tool=tool,
            repeats=repeats,
        )
