"""Making a process, and all that it forks or spawns, able to tell where it is stuck."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import spawn
from pathlib import Path
from typing import Any, TextIO

from pytest_parallel_lab.keeper.agent import contract
from pytest_parallel_lab.keeper.agent.tell import reaped, tell

_PACKAGE_PARENT = str(Path(__file__).resolve().parents[3])
_REMEMBERED = 100
_stack_files: list[TextIO] = []  # faulthandler writes to the descriptor: keep it open
_installed: dict[str, Any] = {}
carried: list[Callable[[], str]] = []  # what else a spawned child is to do first, as source


def install(directory: str, *, notes: str = "", birth: str = "") -> None:
    """Have this process, and its children to come, tell their stacks and waits on our signal.

    Args:
        directory: where they are written.
        notes: a directory of the run's own; given it, locks know from now on who took them where, and
            in what order is noted there.
        birth: the token that the parent noted for this process.
    """
    _answer_signal(directory)
    if _installed.get("directory") == directory:
        return
    _installed.update(directory=directory, notes=notes)
    _note_timers(directory)
    _reach_spawned_children()
    _let_managers_wait()
    _remember_reaped()
    if notes:
        from pytest_parallel_lab.keeper.agent import locks, syncs
        from pytest_parallel_lab.keeper.agent.order import Notes

        kept = _installed["keeps"] = Notes(notes, birth)
        locks.trace(kept)
        syncs.note_syncs(kept)


def _answer_signal(directory: str) -> None:
    """Faulthandler answers even where a thread in C code holds the GIL; Python, where it can, tells more."""
    with contextlib.suppress(ValueError):  # not the main thread: the stacks have to do
        signal.signal(contract.SIGNAL, lambda _, frame: tell(directory, frame))
    if hasattr(faulthandler, "register"):
        stacks = open(contract.stack_path(directory, os.getpid()), "w")  # noqa: SIM115
        _stack_files.append(stacks)
        faulthandler.register(contract.SIGNAL, file=stacks, all_threads=True, chain=True)


def _note_timers(directory: str) -> None:
    """Leave a note where an interval timer is set: who waits for that is not stuck."""

    def noting(original: Callable[..., Any]) -> Callable[..., Any]:
        def set_timer(*args: Any) -> Any:
            with contextlib.suppress(OSError), open(contract.timer_note(directory, os.getpid()), "w"):
                pass
            return original(*args)

        set_timer.__name__ = original.__name__
        set_timer.__doc__ = original.__doc__
        return set_timer

    signal.alarm = noting(signal.alarm)
    signal.setitimer = noting(signal.setitimer)


class _Install:
    """Unpickles into a call of ``install`` in a child, wherever this package is."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        birth = _installed["keeps"].expect_child() if "keeps" in _installed else ""
        call = f"install({_installed['directory']!r}, notes={_installed['notes']!r}, birth={birth!r})"
        lines = [f"import sys; sys.path.append({_PACKAGE_PARENT!r})", f"from {__name__} import install; {call}"]
        return exec, ("\n".join([*lines, *(source() for source in carried)]),)


def _reach_spawned_children() -> None:
    """Send the agent along with what a spawned child is sent first, before it imports any user code."""
    original: Callable[..., dict[str, Any]] = spawn.get_preparation_data

    def with_agent(name: str) -> dict[str, Any]:
        return {"parallel_lab_agent": _Install(), **original(name)}

    spawn.get_preparation_data = with_agent


def _let_managers_wait() -> None:
    """Take the time limit off the wait of a manager's server.

    It wakes up every second for KeyboardInterrupt's sake only, which on POSIX needs no such help;
    without the limit, a server that nobody asks anything can be seen to be idle.
    """
    from multiprocessing import managers

    class UntimedEvent(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return super().wait()

    def get(server: Any) -> Any:
        return server.__dict__["stop_event"]

    def put(server: Any, event: Any) -> None:
        event.__class__ = UntimedEvent
        server.__dict__["stop_event"] = event

    managers.Server.stop_event = property(get, put)  # type: ignore[attr-defined]


def _remember_reaped() -> None:
    """Remember how children ended: their exit status is gone once they are waited for."""
    original = os.waitpid

    def waitpid(pid: int, options: int, /) -> tuple[int, int]:
        found, status = original(pid, options)
        if found:
            reaped.append((os.getpid(), found, os.waitstatus_to_exitcode(status)))
            del reaped[:-_REMEMBERED]
        return found, status

    waitpid.__doc__ = original.__doc__
    os.waitpid = waitpid
