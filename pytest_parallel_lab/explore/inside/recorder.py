"""What orders the threads of an explored run, and who holds which locks: told to the controller."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.explore.inside.turns import Actor, me
from pytest_parallel_lab.explore.protocol import Site
from pytest_parallel_lab.keeper.agent.order import Notes


class Recorder(Notes):
    """Takes the notes of traced locks and synchronisation, in place of a file."""

    def __init__(self) -> None:
        self.syncs = 0

    def expect_child(self) -> str:
        """Give no token: threads and processes have labels here."""
        return ""

    def note(self, kind: str, **body: Any) -> None:
        """Take no other notes."""

    def releases(self, key: str) -> None:
        """Note what lets another thread go on."""
        actor = _recording()
        if actor is not None:
            actor.note("releases", key)

    def acquires(self, key: str) -> None:
        """Note that this thread went on because of another."""
        actor = _recording()
        if actor is not None:
            actor.note("acquires", key)

    def starts_thread(self, thread: threading.Thread) -> None:
        """Leave it to the labels."""

    def taken(self, lock: Callable[[], dict[str, Any]], key: int, site: Site | None, *, for_ever: bool) -> None:
        """Note that this thread has taken a lock."""
        actor = _recording()
        if actor is not None:
            actor.note("takes", str(lock()["key"]), site)

    def released(self, lock: Callable[[], dict[str, Any]], key: int) -> None:
        """Note that this thread gives a lock back."""
        actor = _recording()
        if actor is not None:
            actor.note("gives", str(lock()["key"]))


def _recording() -> Actor | None:
    actor = me()
    return actor if actor is not None and actor.records else None
