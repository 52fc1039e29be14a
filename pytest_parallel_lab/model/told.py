"""What processes told of themselves when they were asked where they are stuck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True)
class Site:
    """A place in the user's code."""

    path: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{PurePath(self.path).name}:{self.line}"


@dataclass(frozen=True)
class LockTold:
    """A lock: ``key`` is the same wherever it is seen; ``name`` is how the source calls it, if it is known."""

    key: str
    kind: str
    made: Site | None = None
    name: str = ""

    def __str__(self) -> str:
        if self.name:
            return f"{self.kind} {self.name}"
        return f"{self.kind} made at {self.made}" if self.made else f"a {self.kind}"


@dataclass(frozen=True)
class HeldLock:
    """Who has a lock, and where it was taken."""

    lock: LockTold
    pid: int
    tid: int
    taken: Site | None


@dataclass(frozen=True)
class ThreadTold:
    """One thread, as its process sees it.

    Attributes:
        tid: the kernel's id of the thread.
        name: Python's.
        operation: what the user's code called, such as ``Queue.get``; empty for a C function.
        at: where in the user's code.
        stack: all frames, innermost first.
        lock: the lock it wants.
        thread: the kernel's id of the thread that it joins.
        process: the pid of the process that it joins.
        descriptors: those of the connections that it works with.
    """

    tid: int
    name: str
    operation: str = ""
    at: Site | None = None
    stack: tuple[Site, ...] = ()
    lock: LockTold | None = None
    thread: int | None = None
    process: int | None = None
    descriptors: tuple[int, ...] = ()


@dataclass(frozen=True)
class TaskTold:
    """One asyncio task: what its coroutine awaits, and where."""

    name: str
    operation: str
    at: Site | None


@dataclass(frozen=True)
class Told:
    """What one process told; a process that could not answer in Python has ``raw`` stacks only."""

    pid: int
    name: str = ""
    threads: Mapping[int, ThreadTold] = field(default_factory=dict)
    held: tuple[HeldLock, ...] = ()
    reaped: tuple[tuple[int, int], ...] = ()
    tasks: tuple[TaskTold, ...] = ()
    raw: str = ""


def read_told(data: Mapping[str, Any], names: Mapping[str, str]) -> Told:
    """Read what a process wrote.

    Args:
        data: as it was written.
        names: what the source calls the locks, by key.
    """
    threads = {thread["tid"]: _thread(thread, names) for thread in data["threads"]}
    held = tuple(
        HeldLock(_lock(lock, names), lock["pid"], lock["tid"], _site(lock.get("taken"))) for lock in data["held"]
    )
    tasks = tuple(TaskTold(task["name"], task["operation"], _site(task["at"])) for task in data["tasks"])
    reaped = tuple((pid, status) for pid, status in data["reaped"])
    return Told(data["pid"], data["name"], threads, held, reaped, tasks)


def _thread(data: Mapping[str, Any], names: Mapping[str, str]) -> ThreadTold:
    return ThreadTold(
        data["tid"],
        data["name"],
        data["operation"],
        _site(data["at"]),
        tuple(site for site in map(_site, data["stack"]) if site),
        _lock(data["lock"], names) if data.get("lock") else None,
        data.get("thread"),
        data.get("process"),
        tuple(data["descriptors"]),
    )


def _lock(data: Mapping[str, Any], names: Mapping[str, str]) -> LockTold:
    return LockTold(data["key"], data["kind"], _site(data.get("made")), names.get(data["key"], ""))


def _site(data: Any) -> Site | None:
    return Site(*data[:3]) if data else None
