"""Telling, when asked by our signal, what every thread of this process waits for and what it holds.

Runs in a signal handler in the middle of whatever the main thread does, so it takes no lock,
imports nothing and writes with plain system calls.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing.process
import os
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pytest_parallel_lab.keeper.agent import contract, sites
from pytest_parallel_lab.keeper.agent.source import called, name_of_owner
from pytest_parallel_lab.keeper.watch import procfs

_UNSEEN = {str(Path(__file__).with_name(name)) for name in ("tell.py", "order.py", "syncs.py")}
_EXPLORED = str(Path(__file__).resolve().parents[2] / "explore" / "inside")
_FRAMES = 40
_NEAR = 8
# How a thread or process comes to run something, and those that are idle when nothing is above them.
_STARTERS = frozenset(
    ["run", "_worker", "worker", "_process_worker", "mapstar", "starmapstar", "_process_chunk", "<listcomp>"]
)
_IDLE = frozenset(["_worker", "worker", "_process_worker"])
_HELPERS = frozenset(
    [
        "_handle_workers", "_handle_tasks", "_handle_results", "_feed", "accepter", "handle_request", "serve_client",
        "serve_forever", "_run_server", "_do_waitpid", "_watch", "wait_result_broken_or_wakeup", "main",
    ]
)  # fmt: skip
_TAKES = ("acquire", "enter", "__enter__")
_OPERATIONS = {
    "__enter__": "acquire",
    "enter": "acquire",
    "__aenter__": "acquire",
    "__exit__": "exit",
    "_callmethod": "call",
    "__next__": "next",
}

reaped: list[tuple[int, int, int]] = []  # parent, child, exit status: the latest children waited for
held: dict[Any, Any] = {}  # what traced locks are held, by their identity; filled by ``locks``


def tell(directory: str, frame: FrameType | None) -> None:
    """Write what this process knows of itself; from a signal handler, ``frame`` is where it came.

    Raises nothing: it would surface in the middle of the user's code.
    """
    path = contract.told_path(directory, os.getpid())
    try:
        told = _told(frame)
        fd = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(fd, json.dumps(told).encode())
        os.close(fd)
        os.rename(f"{path}.part", path)
    except Exception as error:
        with contextlib.suppress(OSError), open(f"{path}.error", "w") as file:
            traceback.print_exception(error, file=file)


def _told(frame: FrameType | None) -> dict[str, Any]:
    frames = sys._current_frames()
    frames[threading.main_thread().ident or 0] = frame or sys._getframe()
    by_ident = {thread.ident: thread for thread in list(threading._active.values())}  # type: ignore[attr-defined]
    threads = []
    for ident, innermost in frames.items():
        thread = by_ident.get(ident)
        if thread is None or thread.native_id is None:
            continue
        threads.append(_thread(thread, innermost))
    return {
        "pid": os.getpid(),
        "name": multiprocessing.process.current_process().name,
        "threads": threads,
        "held": [lock for lock in map(_held, list(held.values())) if lock],
        "reaped": [(child, status) for parent, child, status in reaped if parent == os.getpid()],
        "tasks": _tasks(),
    }


def _thread(thread: threading.Thread, innermost: FrameType) -> dict[str, Any]:
    frames = [f for f in _within_start(innermost) if not _is_telling(f) and not _takes_turns(f)]
    foreign = [i for i, f in enumerate(frames) if not sites.is_library(f.f_code)]
    own = [i for i in foreign if not sites.is_installed(frames[i].f_code)]
    users = next(iter(own or foreign), None)
    library = frames if users is None else frames[:users]
    told: dict[str, Any] = {
        # Under fork the main thread of the child is another one for the kernel.
        "tid": os.getpid() if thread is threading.main_thread() else thread.native_id,
        "name": thread.name,
        "stack": [
            sites.site(f) for f in frames[:_FRAMES] if not sites.is_ours(f) and f.f_code.co_filename != "<string>"
        ],
        "operation": "",
        "at": None,
    }
    if users is not None:
        told["at"] = sites.site(frames[users])
        told["operation"] = called(frames[users], _operation(library[-1]) if library else "")
    elif (started := _started(library)) is not None:
        told["operation"] = _operation(started)
    for found in library:
        told.update(_waited_for(found))
    told["descriptors"] = _descriptors(frames[: _NEAR if users is None else users + 3])
    return told


def _within_start(innermost: FrameType) -> Iterator[FrameType]:
    """A thread's frames up to where Python, or we, began to call what it runs.

    The stack of a forked process goes on with that of its parent at the fork.
    """
    for frame in sites.outwards(innermost):
        name = frame.f_code.co_name
        if name in ("_bootstrap", "_bootstrap_inner") and sites.is_library(frame.f_code):
            return
        if name == "execute" and sites.is_ours(frame):
            return
        if name == "do_apply" and sites.is_installed(frame.f_code):  # an engine begins a task
            return
        yield frame


def _is_telling(frame: FrameType) -> bool:
    return frame.f_code.co_filename in _UNSEEN or (
        sites.is_ours(frame) and frame.f_code.co_name in ("<lambda>", "_answer_signal")
    )


def _takes_turns(frame: FrameType) -> bool:
    """Whether a frame only wraps an operation of the library, to explore it."""
    return frame.f_code.co_filename.startswith(_EXPLORED)


def _operation(frame: FrameType) -> str:
    """The function of the library that a frame is in, by its class as users know it."""
    name = _OPERATIONS.get(frame.f_code.co_name, frame.f_code.co_name)
    owner = frame.f_locals.get("self")
    if owner is not None and frame.f_code.co_varnames[:1] == ("self",):
        return f"{name_of_owner(owner)}.{frame.f_locals.get('methodname', name)}"
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return f"{'os' if sites.is_ours(frame) else module}.{name}"


def _started(library: Sequence[FrameType]) -> FrameType | None:
    """What a thread without any frame of the user's was started for; None for a library's idle helper."""
    rest = list(library)
    last = ""
    while rest and rest[-1].f_code.co_name in _STARTERS:
        last = rest.pop().f_code.co_name
    if not rest or rest[-1].f_code.co_name in _HELPERS:
        return None
    idle = last in _IDLE and rest[-1].f_code.co_name == "get"  # waits for its next task
    return None if idle else rest[-1]


def _waited_for(frame: FrameType) -> dict[str, Any]:
    """What a frame of the library says of what is waited for: a lock, a thread, a process."""
    owner: Any = frame.f_locals.get("self")
    function = frame.f_code.co_name
    if function in _TAKES:
        if hasattr(owner, "_parallel_lab_lock"):
            return {"lock": owner._parallel_lab_lock()}
        if hasattr(owner, "_semlock"):
            return {"lock": describe_semaphore(owner)}
    if function in ("join", "_wait_for_tstate_lock") and isinstance(owner, threading.Thread):
        return {"thread": owner.native_id, "thread_name": owner.name}
    if function == "join" and isinstance(owner, multiprocessing.process.BaseProcess):
        return {"process": owner.pid}
    if function in ("wait", "communicate") and hasattr(owner, "pid") and hasattr(owner, "returncode"):
        return {"process": owner.pid}
    return {}


def describe_semaphore(lock: Any) -> dict[str, Any]:
    """Describe a lock of ``multiprocessing``: its key is the same in every process."""
    if not hasattr(lock, "_parallel_lab_place"):
        lock._parallel_lab_place = procfs.shared_place(os.getpid(), lock._semlock.handle)
    return {
        "key": f"shared:{lock._parallel_lab_place}",
        "kind": type(lock).__name__,
        "made": getattr(lock, "_parallel_lab_made", None),
    }


def _descriptors(frames: Iterable[FrameType]) -> list[int]:
    """The connections that these frames work with: whom they serve."""
    found = []
    for frame in frames:
        for name in ("conn", "self", "sock", "c"):
            value: Any = frame.f_locals.get(name)
            if type(value).__name__ in ("Connection", "socket", "SSLSocket"):
                try:
                    found.append(value.fileno())
                except (OSError, ValueError):
                    continue
    return found


def _held(lock: Any) -> dict[str, Any] | None:
    holder = lock.holder
    return {**lock._parallel_lab_lock(), **holder} if holder else None


def _tasks() -> list[dict[str, Any]]:
    """What asyncio tasks of this process wait for."""
    tasks = sys.modules.get("asyncio.tasks")
    known: Any = getattr(tasks, "_all_tasks", None) or getattr(tasks, "_scheduled_tasks", ())
    return [_task(task) for task in list(known) if not task.done()]


def _task(task: Any) -> dict[str, Any]:
    """One task: the user's innermost coroutine of those that await each other, and what that awaits."""
    frames = []
    waits: Any = task.get_coro()
    while waits is not None:
        frame = getattr(waits, "cr_frame", None) or getattr(waits, "gi_frame", None)
        if frame is None:
            break
        frames.append(frame)
        waits = getattr(waits, "cr_await", None) or getattr(waits, "gi_yieldfrom", None)
    users = [i for i, frame in enumerate(frames) if not sites.is_library(frame.f_code)]
    told = {"name": task.get_name(), "at": None, "operation": type(task._fut_waiter).__name__.lstrip("_")}
    if users:
        innermost = frames[users[-1]]
        told["at"] = sites.site(innermost)
        inside = frames[users[-1] + 1 :]
        told["operation"] = called(innermost, _operation(inside[0]) if inside else told["operation"])
    return told
