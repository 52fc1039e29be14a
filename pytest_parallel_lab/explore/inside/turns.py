"""A thread's part in an explored run: it says what it is about to do, and waits for its turn."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab.explore import protocol
from pytest_parallel_lab.explore.inside.callers import direct, users_site
from pytest_parallel_lab.explore.inside.lingering import Lots
from pytest_parallel_lab.explore.protocol import SYNCHRONISATION, Message, Site

_UNSENT_EVENTS = 500
_MOST_NOTES = 5000
POINT, SKIPPED, WEARY = range(3)
TIMED_OUT = protocol.TIMED_OUT
FREE = protocol.FREE

here = threading.local()


@dataclass(frozen=True)
class Rules:
    """How a run is explored.

    Attributes:
        address: of the controller's socket.
        opcodes: whether threads take turns within their own code too, not only where they synchronise.
        passes: how often one place in the code is a point for one thread; later passes are not.
        records: whether accesses and what orders them are told, for evidence.
        seed: what random generators begin with.
        free: nobody is told when to go; threads wait a moment now and then, drawn with this number, or
            never where it is 0. None where they take turns.
    """

    address: str
    opcodes: bool = True
    passes: int = 64
    records: bool = False
    seed: int = 0
    free: int | None = None


class _Process:
    """What the threads of this process share."""

    rules: Rules | None = None
    actors: dict[int, Actor]

    def __init__(self) -> None:
        self.actors = {}
        self.skipped_s = 0.0  # of sleeps and time limits, by which its clocks are ahead
        self.threads = 1  # that take turns, those on their way included


process = _Process()


class Actor:
    """A thread that takes turns."""

    def __init__(self, label: str, rules: Rules) -> None:
        """Report to the controller.

        Args:
            label: the same in every run of the same schedule.
            rules: of the run.
        """
        self.label = label
        self.rules = rules
        self.free = rules.free is not None
        self.within = 0  # operations of the library that this thread is inside of
        self.alone = False
        self._births = 0
        self._noted = 0
        self._passes: dict[Any, int] = {}
        self._events: list[tuple[str, str, Site | None, str]] = []
        self._told: set[tuple[str, str]] = set()  # with the next message already
        self._lots = Lots(rules.free, label)
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.connect(rules.address)
        process.actors[id(self)] = self
        protocol.send(self._sock, Message("hello", body=(label, os.getpid(), threading.get_native_id())))

    def child(self, kind: str) -> str:
        """The label of the next thread ("t") or process ("p") that this one starts."""
        self._births += 1
        return f"{self.label}.{kind}{self._births}"

    @property
    def records(self) -> bool:
        """Whether it tells of its accesses still."""
        return self.rules.records and self._noted < _MOST_NOTES

    def expects(self, label: str, pid: int = 0) -> None:
        """Say that one is on its way: nobody has a turn before it has reported."""
        self.note("expects", label, name=str(pid))
        self.alone = False

    def changed(self, key: str) -> None:
        """Say that others who wait for something may go on now."""
        self._tell_once("changed", key)
        self.alone = False

    def touched(self, key: str) -> None:
        """Say that others who could have gone on may have to wait now."""
        self._tell_once("touches", key)

    def _tell_once(self, kind: str, key: str) -> None:
        if (kind, key) not in self._told:
            self._told.add((kind, key))
            self.note(kind, key)

    def note(self, kind: str, thing: str, site: Site | None = None, name: str = "") -> None:
        """Tell what was done, with the next message."""
        if not self.free:
            self._noted += 1
            self._events.append((kind, thing, site, name))

    def point(
        self,
        op: str,
        key: str = "",
        ready: Callable[[], bool] | None = None,
        *,
        wait_s: float = -1.0,
        tier: int = SYNCHRONISATION,
        at: tuple[Site, int] | None = None,
        sleeps: bool = False,
        counted: bool = False,
    ) -> bytes:
        """Wait for a turn, where others may have theirs first.

        Args:
            op: what this thread is about to do.
            key: what it waits for; "" where it waits for nothing.
            ready: whether what it waits for is there.
            wait_s: the limit of that wait; below 0 where there is none.
            tier: the kind of point.
            at: where in the user's code, and at which instruction; looked for where it is not given.
            sleeps: let others go first.
            counted: this pass of the place has been counted already.

        Returns:
            What the controller answered: GO, TIMED_OUT or FREE.
        """
        if self.free:
            self._lots.linger(synchronises=tier == SYNCHRONISATION)
            return FREE
        at_once = ready is None or ready()
        if at_once and not sleeps and (self.within or self.alone) and len(self._events) < _UNSENT_EVENTS:
            return protocol.GO
        at = at or direct(sys._getframe(1))
        if at is None and at_once and not sleeps and tier == SYNCHRONISATION:
            return protocol.GO  # the library's own affairs
        if at_once and not sleeps and not counted:
            passes = self.passes_of(op, at)
            if passes == SKIPPED:
                return protocol.GO
            sleeps = passes == WEARY
        site, place = at or (users_site(sys._getframe(1)), 0)
        answer = self._ask(Message("point", op, key, site, tier, at_once, wait_s, sleeps, place=place), ready)
        if answer == TIMED_OUT:
            process.skipped_s += max(0.0, wait_s)
        return answer

    def retry(self, op: str, key: str, wait_s: float = -1.0) -> bytes:
        """Wait for a turn to try again, after somebody has changed what a try depends on."""
        if self.free:
            return FREE
        site = users_site(sys._getframe(1))
        return self._ask(Message("point", op, key, site, SYNCHRONISATION, None, wait_s), None)

    def leaves(self, op: str) -> None:
        """Say that this thread is about to wait for something that the controller cannot see."""
        if not self.free:
            self._send(Message("away", op, site=users_site(sys._getframe(1))))

    @contextlib.contextmanager
    def patient(self) -> Iterator[None]:
        """Say that this thread may have to wait, in what follows, for something that is sure to come."""
        if not self.free:
            self._send(Message("patient", ready=True))
        try:
            yield
        finally:
            if not self.free:
                self._send(Message("patient", ready=False))

    def tell_rest(self) -> None:
        """Send a last message, with all that was noted."""
        self._send(Message("patient", ready=False))

    def over(self) -> None:
        """Say that this thread has come to its end."""
        process.actors.pop(id(self), None)
        if not self.free:
            self._send(Message("over"))
        self.free = True
        self._sock.close()

    def result(self, data: bytes) -> None:
        """Send what became of the whole run."""
        self._send(Message("result", body=data))

    def forget(self) -> None:
        """Close what a forked child has inherited of this thread."""
        self._sock.close()

    def passes_of(self, op: str, at: Any) -> int:
        """Count a pass of a place: whether it is a POINT still, or has been one so often that it is SKIPPED.

        Now and then it is WEARY of that: where a thread spins, others must have their turns.
        """
        count = self._passes[op, at] = self._passes.get((op, at), 0) + 1
        if count <= self.rules.passes:
            return POINT
        if count == self.rules.passes + 1:
            self.note("saturated", "", name=op)
        return WEARY if count % self.rules.passes == 0 else SKIPPED

    def _send(self, message: Message) -> None:
        events, self._events = tuple(self._events), []
        self._told.clear()
        with contextlib.suppress(OSError):
            protocol.send(self._sock, message._replace(events=events))

    def _ask(self, message: Message, ready: Callable[[], bool] | None) -> bytes:
        self._send(message)
        self.alone = False
        while True:
            try:
                answer = self._sock.recv(1)
            except OSError:
                answer = b""
            if answer == protocol.READY:
                could = ready is not None and ready()
                self._sock.sendall(protocol.YES if could else protocol.NO)
                continue
            if answer in (b"", FREE):  # without a controller there are no turns
                self.free = True
                return FREE
            self.alone = answer == protocol.ALONE
            return protocol.GO if self.alone else answer


def _native_depth() -> int:
    return int(getattr(here, "native", 0))


def me() -> Actor | None:
    """This thread's actor; None where it takes no turns."""
    actor: Actor | None = getattr(here, "actor", None)
    if actor is None or _native_depth() or (actor.free and actor.rules.free is None):
        return None
    return actor


def enter(label: str, rules: Rules) -> Actor:
    """Have this thread take turns from now on."""
    process.rules = rules
    here.native = 0
    here.actor = Actor(label, rules)
    return here.actor  # type: ignore[no-any-return]


def leave() -> None:
    """Have this thread take no more turns."""
    process.threads -= 1
    actor: Actor | None = getattr(here, "actor", None)
    here.actor = None
    if actor is not None:
        actor.over()


@contextlib.contextmanager
def native() -> Iterator[None]:
    """Do what follows without turns."""
    here.native = _native_depth() + 1
    try:
        yield
    finally:
        here.native -= 1


@contextlib.contextmanager
def within(actor: Actor) -> Iterator[None]:
    """Do what follows as one step, unless it has to wait."""
    actor.within += 1
    try:
        yield
    finally:
        actor.within -= 1
