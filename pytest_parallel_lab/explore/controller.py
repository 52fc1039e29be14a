"""The controller: lets one thread of a run go on at a time, over all its processes, and notes who did."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pytest_parallel_lab.explore import protocol
from pytest_parallel_lab.explore.participants import (
    AWAY,
    DONE,
    RUNNING,
    WAITING,
    Participant,
    Participants,
    next_to_wake,
)
from pytest_parallel_lab.explore.protocol import Message
from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.explore.stuck import proofs, verdict_on
from pytest_parallel_lab.keeper.watch import procfs
from pytest_parallel_lab.model.schedule import Schedule
from pytest_parallel_lab.model.verdict import Verdict

Choose = Callable[[Decision], str]

_LOOK_EVERY_S = 0.02
_START_LIMIT_S = 30.0
_SETTLE_S = 0.002
_QUIET_S = 0.3  # nobody under control can go on: those outside get this long to change that
_MOST_STEPS = 20_000
_CHANGES = ("changed", "touches")


class Controller:
    """Conducts one run after the other."""

    def __init__(self, directory: str) -> None:
        """Open the socket that threads report to.

        Args:
            directory: private to the session.
        """
        self.address = os.path.join(directory, f"turns-{os.getpid()}")
        self._directory = directory
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(64)

    def close(self) -> None:
        """Close the socket."""
        self._listener.close()
        os.unlink(self.address)

    def conduct(self, schedule: Schedule, start: Callable[[], int], choose: Choose, limit_s: float) -> Record:
        """Conduct one run.

        Args:
            schedule: told of the run; its turns are the caller's to choose.
            start: starts it; returns the pid of its first process.
            choose: who goes on, by label, at a decision.
            limit_s: seconds it may take.
        """
        return _Run(self._listener, self._directory, Record(schedule), choose, limit_s).conduct(start)


class _Run:
    def __init__(self, listener: socket.socket, directory: str, record: Record, choose: Choose, limit_s: float) -> None:
        self._listener = listener
        self._directory = directory
        self._record = record
        self._choose = choose
        self._began_s = time.monotonic()
        self._deadline_s = self._began_s + limit_s
        self._all = Participants()
        self._by_fd: dict[int, Participant] = {}
        self._expected: dict[str, int] = {}
        self._clock_s = 0.0
        self._over = False
        self._free = bool(record.schedule.free)
        self._proof: Iterator[Verdict | None] | None = None
        self._heard_s = self._began_s
        self._root = 0
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)

    def conduct(self, start: Callable[[], int]) -> Record:
        self._expected["main"] = 0
        self._root = start()
        try:
            while not self._over:
                if time.monotonic() > self._deadline_s:
                    self._give_up()
                elif self._free:
                    self._follow_freely()
                elif self._settled():
                    self._decide()
                else:
                    self._hear(_LOOK_EVERY_S)
                    self._look_for_the_absent()
        finally:
            for participant in self._all:
                participant.sock.close()
            self._record.elapsed_s = time.monotonic() - self._began_s
        return self._record

    def _hear(self, limit_s: float) -> bool:
        """Take in what comes within a time; whether anything did."""
        ready = self._poll.poll(limit_s * 1000)
        for fd, _ in ready:
            if fd == self._listener.fileno():
                self._accept()
            elif fd in self._by_fd:
                participant = self._by_fd[fd]
                self._take_in(participant, protocol.receive(participant.sock))
        if ready:
            self._heard_s = time.monotonic()
        return bool(ready)

    def _accept(self) -> None:
        sock, _ = self._listener.accept()
        message = protocol.receive(sock)
        if message is None:
            sock.close()
            return
        label, pid, tid = message.body
        self._expected.pop(label, None)
        participant = Participant(label, pid, tid, sock)
        self._all.add(participant)
        self._by_fd[sock.fileno()] = participant
        self._poll.register(sock, select.POLLIN)

    def _take_in(self, participant: Participant, message: Message | None) -> None:
        if message is None:
            self._ended(participant, by_exit=True)
            return
        for kind, thing, site, name in message.events:
            self._event(participant, kind, thing, site, name)
        if message.kind == "point":
            participant.arrive(message, self._clock_s)
            if self._free:
                participant.grant(protocol.FREE)
        elif message.kind == "away":
            participant.state = AWAY
            self._outside(f"{participant.label} waits in {message.op}")
        elif message.kind == "patient":
            participant.patient = bool(message.ready)
        elif message.kind == "over":
            self._ended(participant, by_exit=False)
        elif message.kind == "result":
            self._record.ending = message.body
            self._over = True

    def _event(self, participant: Participant, kind: str, thing: str, site: protocol.Site | None, name: str) -> None:
        if kind == "expects":
            if thing not in self._all:
                self._expected[thing] = int(name)
        elif kind == "saturated":
            self._record.saturated = True
        elif kind in _CHANGES:
            participant.streak = 0
            self._all.changed(thing)
        else:
            if kind == "writes":
                participant.streak = 0
            self._record.events.append((participant.label, kind, thing, site, name))

    def _ended(self, participant: Participant, *, by_exit: bool) -> None:
        if participant.state == DONE:
            return
        participant.state = DONE
        self._poll.unregister(participant.sock)
        del self._by_fd[participant.sock.fileno()]
        participant.sock.close()
        self._record.events.append((participant.label, "ends", participant.label, None, ""))
        if by_exit:
            if not self._free and not participant.await_exit():
                self._outside(f"{participant.label} has closed its connection")
            if participant.label == "main":
                self._over = True
                return
        self._all.changed()  # what it had changed last, it can no longer tell

    def _settled(self) -> bool:
        """Whether all that are under control wait, and those that are not cannot be expected to move."""
        if self._expected or self._all.any_in(RUNNING):
            return False
        return not (self._all.any_in(AWAY) and self._hear(_SETTLE_S))

    def _look_for_the_absent(self) -> None:
        """Find who has the turn but waits for something else, and who was expected but has never come."""
        for participant in self._all:
            if participant.state == RUNNING and participant.is_stuck_outside():
                participant.state = AWAY
                self._outside(f"{participant.label} waits for something that is not under control")
        if not self._expected:
            return
        for label, pid in list(self._expected.items()):
            if (pid and procfs.has_ended(pid)) or time.monotonic() - self._heard_s > _START_LIMIT_S:
                del self._expected[label]
                self._outside(f"{label} has never reported")
                self._all.changed("done")
                self._all.changed("pipes")

    def _outside(self, why: str) -> None:
        self._record.outside = self._record.outside or why

    def _decide(self) -> None:
        if len(self._record.decisions) >= _MOST_STEPS:
            self._outside(f"it takes more than {_MOST_STEPS} steps")
            self._let_all_go()
            return
        able = [p for p in self._all if p.can_go]
        sleepers = [p for p in self._all if p.sleeps]
        if not able and not sleepers:
            self._nobody_can_go()
            return
        away = self._all.any_in(AWAY)
        in_time = [p for p in self._all if p.waits_in_time]
        usual = self._all.usual(able) if able else next_to_wake([*sleepers, *in_time])
        if not able and away and self._hear(min(max(usual.wakes_s - self._clock_s, _SETTLE_S), _LOOK_EVERY_S)):
            return
        if usual in in_time:
            self._time_out(usual)
            return
        last = self._all.current
        late = [p for p in (*sleepers, *in_time) if p.may_be_overtaken]
        decision = Decision(
            len(self._record.decisions),
            tuple(p.label for p in (*able, *sorted({usual, *late} - {*able}, key=lambda p: p.order))),
            usual.label,
            tier=last.message.tier if last in able and last is not None else protocol.SYNCHRONISATION,
            occurrence=last.occurrence if last in able and last is not None else 0,
            eager=len(able),
        )
        chosen = self._all[self._choose(decision)]
        self._take_step(chosen, decision, protocol.GO if chosen.ready else protocol.TIMED_OUT)

    def _take_step(self, chosen: Participant, decision: Decision, answer: bytes) -> None:
        message = chosen.message
        self._record.decisions.append(replace(decision, chosen=chosen.label, op=message.op, site=message.site))
        if message.sleeps or answer == protocol.TIMED_OUT:
            self._clock_s = max(self._clock_s, chosen.wakes_s)
        chosen.streak = chosen.streak + 1 if chosen is self._all.current else 0
        chosen.last_step = decision.step
        self._all.current = chosen
        others = [p for p in self._all if p is not chosen and p.state != DONE]
        alone = answer == protocol.GO and all(p.state == WAITING and not p.ready for p in others)
        chosen.grant(protocol.ALONE if alone else answer)

    def _nobody_can_go(self) -> None:
        in_time = [p for p in self._all if p.waits_in_time]
        if self._all.any_in(AWAY) and (self._hear(_LOOK_EVERY_S) or time.monotonic() - self._heard_s < _QUIET_S):
            return
        if self._comes_from_outside():
            return
        if in_time:
            self._time_out(next_to_wake(in_time))
            return
        self._let_all_go()

    def _time_out(self, waiting: Participant) -> None:
        decision = Decision(len(self._record.decisions), (waiting.label,), waiting.label)
        self._take_step(waiting, decision, protocol.TIMED_OUT)

    def _comes_from_outside(self) -> bool:
        """Whether somebody who is not under control sends what is waited for."""
        if not any(p.state == WAITING and p.message.key == "sockets" for p in self._all):
            return False
        until_s = time.monotonic() + _QUIET_S
        while time.monotonic() < until_s:
            self._all.changed("sockets")
            if any(p.ready for p in self._all if p.state == WAITING):
                self._outside("a message has come from a process that is not under control")
                return True
            time.sleep(_SETTLE_S)
        return False

    def _let_all_go(self) -> None:
        """Have everybody go on as they would without us: what is stuck then is stuck in the kernel's eyes."""
        self._free = True
        for participant in self._all:
            if participant.state == WAITING:
                participant.grant(protocol.FREE)

    def _follow_freely(self) -> None:
        if self._hear(_LOOK_EVERY_S):
            return
        self._proof = self._proof or proofs(self._root, self._directory, self._all.names())
        self._record.verdict = next(self._proof)
        self._over = self._record.verdict is not None

    def _give_up(self) -> None:
        limit = f"the run's limit of {self._deadline_s - self._began_s:.3g} s has passed"
        self._record.verdict = verdict_on(self._root, self._directory, self._all.names(), limit)
        self._over = True
