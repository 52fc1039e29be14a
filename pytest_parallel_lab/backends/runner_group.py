"""The workers that one runner owns, as most backends have them."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from typing import Any

from pytest_parallel_lab.backends.collect import gather, read_raised, read_returned
from pytest_parallel_lab.backends.limit import LimitPassed
from pytest_parallel_lab.backends.remote_pool import RemotePool
from pytest_parallel_lab.backends.supervision import Supervision
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.ask import potential_deadlocks, stacks
from pytest_parallel_lab.keeper.channel import ChannelClosed, Message, Parcel
from pytest_parallel_lab.keeper.client import KeeperClient, worker_environment
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.keeper.shipping import pack_value
from pytest_parallel_lab.keeper.tree import lives
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.outcome import (
    Died,
    Fate,
    Outcome,
    Raised,
    Returned,
    Served,
    Unfinished,
    Worker,
    WorkerReport,
)
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.verdict import Verdict

_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
_DEATH_GRACE_S = 0.2  # what an implementation gets to deal with a dead worker itself
_CLEAN_LIMIT_S = 5.0
_STOP_LIMIT_S = 2.0


class RunnerGroup:
    """One runner and the workers it owns."""

    def __init__(
        self,
        backend: str,
        keeper: KeeperClient,
        host: Host,
        workers: int,
        settings: Settings,
        watch: Callable[[int, Sequence[Worker]], Supervision],
    ) -> None:
        """Fork a runner and have it open its host.

        Args:
            backend: its name.
            keeper: forks the runner.
            host: what it is to host.
            workers: how many.
            settings: how they are started.
            watch: makes what looks after one run, from the runner's pid and its workers.

        Raises:
            StartFailed: the workers did not come up.
        """
        self.workers = workers
        self._backend = backend
        self._settings = settings
        self._watch = watch
        self._keeper = keeper
        self._channel, self.pid = keeper.fork()
        self._output = OutputReader(keeper.directory)
        self._broken = False
        self._untold: str | None = None
        self._members: list[Worker] = []
        self._pool: RemotePool | None = None
        try:
            self._members = self._open(host, settings)
            if host.role == "engine" and self._members:  # engines elsewhere can end waits that look endless from here
                keeper.cast(self.pid, [w.pid for w in self._members])
        except BaseException:
            self.close()
            raise

    def _open(self, host: Host, settings: Settings) -> list[Worker]:
        body = {
            "directory": self._keeper.directory,
            "sys_path": sys.path,
            "environ": worker_environment(),
            "cwd": os.getcwd(),
            "workers": self.workers,
            "settings": settings,
        }
        self._channel.send("open", body, pack_value(host))
        replies: list[Message | None] = []

        def note(_: int, message: Message | None) -> None:
            if message is not None and message.kind == "died":
                self._broken = True
            else:
                replies.append(message)

        gather([self._channel], note, done=lambda: bool(replies), limit_s=settings.start_limit_s)
        reply = replies[0] if replies else None
        if reply is not None and reply.kind == "opened":
            members: list[Worker] = reply.body["workers"]
            return members
        if reply is not None:
            why = reply.body["traceback"]
        elif replies:
            why = f"its runner ended: {Died(self._keeper.wait(self.pid, 1.0)).reason}"
        else:
            why = f"they were not up after {settings.start_limit_s:g} s"
        printed = self._output.new_output(self.pid)
        raise StartFailed(
            f"{self._backend}: {self.workers} workers could not be started: {why}"
            + (f"\nThey printed:\n{printed}" if printed else "")
            + (f"\n{memory.space()}" if "No space left" in why else "")
        )

    def run(
        self,
        call: Parcel,
        *,
        timed: bool = False,
        limit_s: float | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> Outcome:
        """Carry out one packed call."""
        fates: dict[int, Fate] = {}
        facts: dict[str, Any] = {}
        supervision = self._watch(self.pid, self._members)

        def note(index: int, message: Message | None) -> float | None:
            if index > 0:  # the watch
                supervision.stuck = message.body["state"] if message else None
                return 0.0 if message else None
            if message is None:
                fates[self.pid] = Died(self._keeper.wait(self.pid, 1.0))
            elif message.kind == "began" and on_begin:
                on_begin()
            elif message.kind == "died":
                fates[message.body["pid"]] = Died(message.body["status"])
                return None if on_begin else _DEATH_GRACE_S
            elif message.kind == "returned":
                fates[self.pid] = read_returned(message)
                facts.update(message.body["facts"])
            elif message.kind == "raised":
                raised = fates[self.pid] = read_raised(message)
                return _DEATH_GRACE_S if isinstance(raised.exception, BrokenExecutor) else None
            return None

        def all_told() -> bool:
            """Whether the runner has ended its part, and who died where an executor says that one did."""
            ended = fates.get(self.pid)
            broken = isinstance(ended, Raised) and isinstance(ended.exception, BrokenExecutor)
            return ended is not None and (not broken or any(isinstance(f, Died) for f in fates.values()))

        limit = "" if limit_s is None else f"the run's limit of {limit_s:g} s has passed"
        try:
            self._channel.send("run", {"cwd": os.getcwd(), "announce": on_begin is not None}, call)
            gather([self._channel], note, done=all_told, limit_s=limit_s, watch=None if timed else supervision)
        except ChannelClosed:
            fates[self.pid] = Died(self._keeper.wait(self.pid, 1.0))
        except LimitPassed as passed:
            limit = str(passed)
        except BaseException:  # interrupted: nobody will read what the runner still sends
            self._broken = True
            supervision.stop()
            raise
        try:
            return self._outcome(fates, facts, supervision, limit, patient=on_begin is not None)
        finally:
            supervision.stop()

    def _outcome(
        self,
        fates: dict[int, Fate],
        facts: dict[str, Any],
        supervision: Supervision,
        limit: str,
        *,
        patient: bool,
    ) -> Outcome:
        verdict = None
        # A death explains more than the hang that it has led to; where the call is to deal with it itself, it has not.
        if self.pid not in fates and (patient or not fates):
            verdict = supervision.judge(limit)
            fates[self.pid] = Unfinished("")
        elif self.pid not in fates:
            fates[self.pid] = Unfinished(stacks(self._keeper.directory, [self.pid]).get(self.pid, ""))
        died = any(isinstance(fate, Died) for fate in fates.values())
        shared_memory = memory.space() if died else ""
        reports = tuple(self._reports(fates))
        went_well = isinstance(fates[self.pid], Returned)
        potential = potential_deadlocks(self._keeper.directory, self.pid) if self._settings.traces and went_well else ()
        outcome = Outcome(self._backend, self.workers, reports, facts, shared_memory, verdict, potential)
        self._broken = self._broken or not outcome.intact
        return outcome

    def _reports(self, fates: dict[int, Fate]) -> list[WorkerReport]:
        runner = Worker("runner", 0, 1, self.pid, socket.gethostname())
        in_order = list(fates)  # of events: the first death is the one to tell about
        members = sorted(self._members, key=lambda w: in_order.index(w.pid) if w.pid in fates else len(in_order))
        return [
            WorkerReport(worker, fates.get(worker.pid, Served()), self._output.new_output(worker.pid))
            for worker in [runner, *members]
        ]

    def examine(self, limit: str) -> Verdict:
        """What the runner's tree does now."""
        return self._watch(self.pid, self._members).judge(limit)

    def victims(self) -> Sequence[Worker]:
        """The workers; where the host has none, what the function that runs has started."""
        if self._members:
            return self._members
        children = [p for p in self._keeper.examine(self.pid).processes if p.pid != self.pid and not p.ended]
        ours = [p for p in children if not any(name in p.command for name in _HELPERS)]
        host = socket.gethostname()
        return [Worker("child", i, len(ours), p.pid, host) for i, p in enumerate(ours)]

    def pool(self) -> RemotePool:
        """The workers as an executor."""
        self._pool = RemotePool(self._backend, self.workers, [self._channel], tasks_at_once=None, members=self._members)
        return self._pool

    def printed(self) -> list[tuple[str, str]]:
        """What the runner and its workers have printed since they were last asked."""
        return self._output.printed([("runner", self.pid), *((w.label, w.pid) for w in self._members)])

    def clean(self) -> str | None:
        """Have the host clean its workers."""
        replies: list[Message | None] = []
        try:
            self._channel.send("clean")
            gather([self._channel], lambda _, m: replies.append(m), limit_s=_CLEAN_LIMIT_S)
        except ChannelClosed:
            pass
        reply = replies[0] if replies else None
        if reply is not None and reply.kind == "cleaned":
            problem: str | None = reply.body["problem"]
            return problem
        self._broken = True
        if reply is not None and reply.kind == "died":
            return f"{self._death(reply)} after the test"
        return f"its workers did not answer within {_CLEAN_LIMIT_S:g} s of the test's end"

    def healthy(self) -> bool:
        """Whether the runner lives and has reported no death."""
        self._broken = self._broken or (self._pool is not None and self._pool.broken)
        if not self._broken:
            dead = not all(lives(worker.pid) for worker in self._members)
            gather([self._channel], self._note_trouble, limit_s=_DEATH_GRACE_S if dead else 0.0)
            self._broken = self._broken or dead
        return not self._broken

    def _note_trouble(self, _: int, message: Message | None) -> None:
        self._broken = True
        what = f"the runner {Died(None).reason}"
        if message is not None and message.kind == "died":
            what = self._death(message)
        self._untold = f"{what} outside any run"

    def _death(self, died: Message) -> str:
        pid = died.body["pid"]
        who = next((w.heading for w in self._members if w.pid == pid), f"worker process {pid}")
        return f"{who} {Died(died.body['status']).reason}"

    def untold(self) -> str | None:
        """A death that was noticed between runs."""
        return self._untold

    def close(self) -> None:
        """Stop the runner: politely while it is idle, else by force."""
        self._channel.close()
        if not self._broken:
            self._keeper.wait(self.pid, _STOP_LIMIT_S)
        self._keeper.kill(self.pid)
