"""Noting in what order locks are taken, and what else orders the threads and processes of a run.

Every process appends lines to a file of its own, at once, so that one that is killed has said all.
Times are of the monotonic clock, which all processes share: who analyses merges the files by them.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.keeper.agent.sites import Site

_MOST_NOTES = 20_000  # of one process


class Notes:
    """The notes of one process; its forked children begin their own."""

    def __init__(self, directory: str, birth: str) -> None:
        """Begin.

        Args:
            directory: of the whole run.
            birth: the token that this process was started with, as its parent noted it.
        """
        self._directory = directory
        self._births = 0
        self._token = birth
        os.register_at_fork(before=self.expect_child, after_in_child=self._begin)
        self._begin()

    def _begin(self) -> None:
        self._fd = -1
        self._count = 0
        self._actors = 0
        self._here = threading.local()
        self._seen: set[Any] = set()
        self._signals: set[int] = set()  # locks that one thread takes and another gives back
        self.syncs = 0
        self.held: dict[str, list[Held]] = {}
        self.note("born", token=self._token)

    def expect_child(self) -> str:
        """Note that this thread is about to start a process; the token that tells which one it is."""
        self._births += 1
        self._token = f"{os.getpid()}.{self._births}"
        self.note("starts", token=self._token)
        return self._token

    def actor(self) -> str:
        """This thread, by a name that is never used again."""
        here = self._here
        if not hasattr(here, "name"):
            self._actors += 1
            here.name, here.started = f"{os.getpid()}.{self._actors}", False
        if not here.started:
            # A thread is not known to threading in its very first moments; asking for it then would make a dummy.
            thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
            if thread is not None:
                here.started = True
                if thread is not threading.main_thread():
                    self.note("acquires", object=_thread_key(thread))
        return str(here.name)

    def note(self, kind: str, **body: Any) -> None:
        """Append one line."""
        actor = self.actor()
        if self._count > _MOST_NOTES:
            return
        self._count += 1
        if self._count > _MOST_NOTES:
            kind, body = "too many", {}
        if self._fd < 0:
            path = os.path.join(self._directory, f"{os.getpid()}.notes")
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        line = {"t": time.monotonic_ns(), "actor": actor, "pid": os.getpid(), "kind": kind, **body}
        os.write(self._fd, json.dumps(line).encode() + b"\n")

    def releases(self, key: str) -> None:
        """Note what lets another thread go on: a put, a set, a start."""
        self.syncs += 1
        self.note("releases", object=key)

    def acquires(self, key: str) -> None:
        """Note that this thread went on because of another: a get, a wait, a join."""
        self.syncs += 1
        self.note("acquires", object=key)

    def starts_thread(self, thread: threading.Thread) -> None:
        """Note that a thread is about to start another."""
        self.releases(_thread_key(thread))

    def taken(self, lock: Callable[[], dict[str, Any]], key: int, site: Site | None, *, for_ever: bool) -> None:
        """Note that this thread has taken a lock while it holds others; the same only once."""
        held = self.held.setdefault(self.actor(), [])
        if key in self._signals:
            self.acquires(f"lock {os.getpid()}:{key}")
        if held and for_ever:
            what = (self.actor(), self.syncs, key, site, *(one.key for one in held))
            if what not in self._seen:
                self._seen.add(what)
                self.note("takes", lock=lock(), at=site, held=[one.told() for one in held])
        held.append(Held(key, lock, site))

    def released(self, lock: Callable[[], dict[str, Any]], key: int) -> None:
        """Note that a lock was given back: by another thread than took it, it is a signal between the two."""
        mine = self.held.get(self.actor(), [])
        for held in [mine, *list(self.held.values())]:
            for one in held:
                if one.key == key:
                    held.remove(one)
                    if held is not mine:
                        self._signals.add(key)
                        self.releases(f"lock {os.getpid()}:{key}")
                    return


class Held:
    """A lock that a thread holds."""

    def __init__(self, key: int, lock: Callable[[], dict[str, Any]], site: Site | None) -> None:
        self.key = key
        self._lock = lock
        self._site = site

    def told(self) -> dict[str, Any]:
        """The lock and where it was taken."""
        return {"lock": self._lock(), "at": self._site}


def _thread_key(thread: threading.Thread) -> str:
    return f"thread {os.getpid()}:{id(thread)}"
