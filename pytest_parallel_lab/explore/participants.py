"""The threads of an explored run, as their controller knows them."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Iterator, Sequence

from pytest_parallel_lab.explore import protocol
from pytest_parallel_lab.explore.protocol import Message
from pytest_parallel_lab.keeper.watch import procfs

RUNNING, WAITING, AWAY, DONE = "running", "waiting", "away", "done"
_ANSWER_LIMIT_S = 5.0
_EXIT_LIMIT_S = 1.0
_LOOK_EVERY_S = 0.02
_LOOKS = 2
_LONG_SLEEP_S = 1.0  # who sleeps so long is not awake before others have made some steps
_LONG_WAIT_S = 0.1  # a time limit from there on is taken to be meant as one for errors
_STREAK = 400  # steps of one in a row that change nothing: it may spin


class Participant:
    """One thread that takes turns."""

    def __init__(self, label: str, pid: int, tid: int, sock: socket.socket) -> None:
        self.label = label
        self.pid = pid
        self.tid = tid
        self.sock = sock
        self.state = RUNNING
        self.since_s = time.monotonic()
        self.message = Message("hello")
        self.ready = False
        self.wakes_s = 0.0  # of a clock that only waits in vain move on
        self.last_step = -1
        self.streak = 0
        self.visits: dict[object, int] = {}
        self.patient = False  # it waits for something that is sure to come
        self._looked: object = None
        self._looked_s = 0.0
        self._asleep = 0
        self.order = tuple((word[0], int(word[1:])) for word in label.split(".")[1:])

    @property
    def can_go(self) -> bool:
        """Whether it would go on if it were given a turn, and not rather let others go first."""
        return self.state == WAITING and self.ready and not self.message.sleeps

    @property
    def sleeps(self) -> bool:
        """Whether it could go on but would rather let others go first."""
        return self.state == WAITING and self.ready and self.message.sleeps

    @property
    def may_be_overtaken(self) -> bool:
        """Whether its sleep, or its limited wait, is so short that all others may be slower."""
        wait_s = self.message.wait_s
        return (self.sleeps and wait_s < _LONG_SLEEP_S) or (self.waits_in_time and wait_s < _LONG_WAIT_S)

    @property
    def waits_in_time(self) -> bool:
        """Whether its wait will end by itself."""
        return self.state == WAITING and not self.ready and self.message.wait_s >= 0

    def arrive(self, message: Message, now_s: float) -> None:
        """Take in that it waits for a turn."""
        self.state = WAITING
        self.message = message
        self.patient = False
        self.ready = bool(message.ready)
        self.wakes_s = now_s + max(0.0, message.wait_s)
        place = (message.op, message.site, message.place)
        self.visits[place] = self.visits.get(place, 0) + 1

    @property
    def occurrence(self) -> int:
        """How often it has come to the place where it waits."""
        return self.visits.get((self.message.op, self.message.site, self.message.place), 0)

    def grant(self, answer: bytes) -> None:
        """Let it go on."""
        self.state = RUNNING
        self.since_s = time.monotonic()
        self._looked, self._asleep = None, 0
        with contextlib.suppress(OSError):
            self.sock.sendall(answer)

    def look_again(self) -> None:
        """Ask whether it could go on now."""
        if self.message.ready is None:  # only a try will tell
            self.ready = True
            return
        with contextlib.suppress(OSError):
            self.sock.sendall(protocol.READY)
            self.sock.settimeout(_ANSWER_LIMIT_S)
            self.ready = self.sock.recv(1) == protocol.YES
            self.sock.settimeout(None)

    def is_stuck_outside(self) -> bool:
        """Whether, while it has the turn, it has slept in the kernel at every one of several looks."""
        now_s = time.monotonic()
        if self.patient or now_s - max(self.since_s, self._looked_s) < _LOOK_EVERY_S:
            return False
        self._looked_s = now_s
        try:
            sample = procfs.sample(self.pid, self.tid)
        except OSError:
            return False
        self._asleep = self._asleep + 1 if sample.state in "SD" and sample == self._looked else 0
        self._looked = sample
        # A message that has come meanwhile: it sleeps for our answer.
        return self._asleep >= _LOOKS and not select.select([self.sock], [], [], 0)[0]

    def await_exit(self) -> bool:
        """Wait for its process to be gone: whoever waits for that must see it. False where it is not."""
        deadline = time.monotonic() + _EXIT_LIMIT_S
        while time.monotonic() < deadline:
            if procfs.has_ended(self.pid):
                return True
            time.sleep(0.0002)
        return False


class Participants:
    """All threads of a run, in the order of their labels."""

    def __init__(self) -> None:
        self._all: dict[str, Participant] = {}
        self.current: Participant | None = None  # who had the last turn

    def __iter__(self) -> Iterator[Participant]:
        return iter(self._all.values())

    def __contains__(self, label: str) -> bool:
        return label in self._all

    def __getitem__(self, label: str) -> Participant:
        return self._all[label]

    def add(self, participant: Participant) -> None:
        """Take in one more."""
        self._all[participant.label] = participant
        self._all = {p.label: p for p in sorted(self, key=lambda p: p.order)}

    def any_in(self, state: str) -> bool:
        """Whether any is in a state."""
        return any(p.state == state for p in self)

    def changed(self, key: str | None = None) -> None:
        """Have those who wait for something look whether it is there; without a key, whatever it is."""
        for participant in self:
            waits_for = participant.message.key
            if participant.state == WAITING and waits_for and key in (None, waits_for):
                participant.look_again()

    def usual(self, able: Sequence[Participant]) -> Participant:
        """The one who went last as long as it can go on; then the next one in the order of their labels."""
        current = self.current
        if current is not None and current in able and (current.streak < _STREAK or len(able) == 1):
            return current
        order = list(self)
        start = order.index(current) + 1 if current is not None else 0
        return next(p for p in (*order[start:], *order) if p in able and (p is not current or len(able) == 1))

    def names(self) -> dict[int, str]:
        """What to call each process."""
        return {p.pid: p.label for p in self if p.pid == p.tid}


def next_to_wake(waiting: Sequence[Participant]) -> Participant:
    """The one whose wait ends first; of several, the one whose last turn is longest ago."""
    return min(waiting, key=lambda p: (p.wakes_s, p.last_step))
