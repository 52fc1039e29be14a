"""A rank group: n ranks of one world, warm between tests, each with a socket of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pytest_parallel_lab.backends.collect import gather, read_raised, read_returned
from pytest_parallel_lab.backends.limit import LimitPassed
from pytest_parallel_lab.backends.mpi.launch import Launch
from pytest_parallel_lab.backends.mpi.launchers import find_launcher
from pytest_parallel_lab.backends.mpi.watch import RankWatch
from pytest_parallel_lab.backends.mpi.witness import AwayWitness, HereWitness, Witness
from pytest_parallel_lab.backends.remote_pool import RemotePool
from pytest_parallel_lab.keeper import memory
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, Parcel
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.keeper.tree import lives
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.outcome import Died, Fate, Outcome, Raised, Unfinished, Worker, WorkerReport
from pytest_parallel_lab.model.settings import Settings
from pytest_parallel_lab.model.verdict import Verdict

_RAISE_GRACE_S = 0.1  # what the others get to come to their own end once a rank has raised
_DEATH_GRACE_S = 0.2
_LOSS_GRACE_S = 2.0  # the connections to a host that is lost do not end all at once
_CLEAN_LIMIT_S = 2.0
_STOP_LIMIT_S = 3.0


class RankGroup:
    """The ranks of one world size."""

    def __init__(self, keeper: KeeperClient, ranks: int, settings: Settings) -> None:
        """Launch the ranks and wait until all are up.

        Raises:
            StartFailed: they did not come up, or as separate worlds.
        """
        self.workers = ranks
        self._keeper = keeper
        self._settings = settings
        self._broken = False
        self._untold: str | None = None
        self._pool: RemotePool | None = None
        self._launch = Launch(keeper, settings, ranks, "pytest_parallel_lab.backends.mpi.rank")
        self._away = self._launch.post.site is not None
        self._ranks: dict[int, tuple[Worker, Channel, str]] = {}
        self._guards: dict[str, Channel] = {}  # by the name of the process they guard
        self._deputies: dict[str, Channel] = {}
        self._reporters: dict[int, Channel] = {}
        self.library = ""
        try:
            self._launch.accept(self._take, self._all_here)
            self._members = [self._ranks[i][0] for i in range(ranks)]
            self._channels = [self._ranks[i][1] for i in range(ranks)]
            self._guard_channels = [self._guards[self._ranks[i][2]] for i in range(ranks)]
            self._launch.post.check(self._members)
            self._witness: Witness = HereWitness(keeper.directory)
            if self._away:
                self._witness = AwayWitness({i: self._deputies[self._ranks[i][2]] for i in range(ranks)})
            for channel in self._channels:
                channel.send("open", {"directory": keeper.directory, "sys_path": sys.path})
            gather(self._channels, lambda _, m: None, limit_s=settings.start_limit_s)
        except BaseException:
            self._broken = True
            self.close()
            raise

    def _all_here(self) -> bool:
        deputies = len(self._deputies) if self._away else self.workers
        return len(self._ranks) == self.workers == len(self._guards) == len(self._reporters) == deputies

    def _take(self, channel: Channel, message: Message) -> None:
        body = message.body
        if message.kind in ("guard", "deputy"):
            (self._guards if message.kind == "guard" else self._deputies)[body["name"]] = channel
            return
        if message.kind == "reporter":
            self._reporters[body["rank"]] = channel
            return
        self.library = body["library"]
        if body["size"] != self.workers:
            post = self._launch.post
            launcher = post.shown(self.workers) if self._away else find_launcher(self._settings)
            raise StartFailed(
                f"{post.heading}: asked for {self.workers} ranks, but a process came up in a world of {body['size']}. "
                f"mpi4py loaded {self.library}, and the launcher is {launcher}: {post.remedy()}"
            )
        worker = Worker("rank", body["rank"], body["size"], body["pid"], body["host"])
        self._ranks[worker.index] = (worker, channel, body["name"])

    def run(
        self,
        call: Parcel,
        *,
        timed: bool = False,
        limit_s: float | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> Outcome:
        """Run the same call on every rank; a dead rank ends them all, as MPI has it."""
        size = self.workers
        fates: dict[int, Fate] = {}
        deaths: dict[int, int | None] = {}
        facts: dict[str, Any] = {"mpi": self.library}
        if self._away:
            facts["hosts"] = ", ".join(dict.fromkeys(w.host for w in self._members))
        clocks = self._witness.clocks() if self._settings.spans else {}
        watch = self._watch()

        def note(index: int, message: Message | None) -> float | None:
            rank = index % size
            if index >= 2 * size:  # the job is gone: nothing else will be told
                for lost in range(size):
                    fates.setdefault(lost, Died(None))
                return 0.0
            if index >= size:  # its guard
                if message is not None:
                    deaths[rank] = message.body["status"]
                    if rank not in fates or isinstance(fates[rank], Died):
                        fates[rank] = Died(message.body["status"])
                    return _DEATH_GRACE_S
                if self._away:
                    fates.setdefault(rank, Died(None))
                return _DEATH_GRACE_S if not self._away else _LOSS_GRACE_S
            if message is None:
                fates.setdefault(rank, Died(None))
                return _DEATH_GRACE_S if not self._away else _LOSS_GRACE_S
            if message.kind == "began":
                if on_begin and rank == 0:
                    on_begin()
                return None
            if message.kind == "returned":
                fates[rank] = read_returned(message, clocks[rank].ahead_s if rank in clocks else 0.0)
                facts.update(message.body["facts"])
                return None
            fates[rank] = read_raised(message)
            return _RAISE_GRACE_S

        def all_told() -> bool:
            return len(fates) == size and not any(isinstance(f, Died) and f.status is None for f in fates.values())

        limit = "" if limit_s is None else f"the run's limit of {limit_s:g} s has passed"
        body = {
            "cwd": os.getcwd(),
            "timed": timed,
            "announce": on_begin is not None,
            "strict": self._settings.mpi_strict,
            "spans": self._settings.spans,
        }
        channels = [*self._channels, *self._guard_channels, *self._launch.post.lifeline()]
        try:
            for channel in self._channels:
                with contextlib.suppress(ChannelClosed):  # gather finds it closed
                    channel.send("run", body, call)
            gather(channels, note, done=all_told, limit_s=limit_s, watch=None if timed else watch)
        except LimitPassed as passed:
            limit = str(passed)
        except BaseException:  # interrupted: nobody will read what the ranks still send
            self._broken = True
            raise
        failed = any(isinstance(fate, (Died, Raised)) for fate in fates.values())
        verdict = watch.judge(limit) if len(fates) < size and not failed else None
        outcome = self._outcome(fates, facts, verdict)
        self._broken = self._broken or bool(deaths) or not outcome.intact
        return outcome

    def _outcome(self, fates: dict[int, Fate], facts: dict[str, Any], verdict: Verdict | None) -> Outcome:
        stacks = self._witness.stacks([w for w in self._members if w.index not in fates])
        printed = self._witness.output(self._members)
        reports = tuple(
            WorkerReport(
                worker,
                fates.get(worker.index, Unfinished(stacks.get(worker.index, ""))),
                printed.get(worker.index, ""),
            )
            for worker in self._members
        )
        died = any(isinstance(fate, Died) for fate in fates.values())
        space = memory.space() if died and not self._away else ""
        says = self._site_says(fates) if died and self._away else ""
        return Outcome("mpi", self.workers, reports, facts, space, verdict, site=says)

    def _site_says(self, fates: dict[int, Fate]) -> str:
        """Which hosts do not answer any more, and what the site has to say about it."""
        lost = [w for w in self._members if fates.get(w.index) == Died(None)]
        hosts = ", ".join(dict.fromkeys(w.host for w in lost))
        told = f"No answer any more from {hosts}.\n" if lost else ""
        return told + self._launch.post.trouble(lost=bool(lost))

    def examine(self, limit: str) -> Verdict:
        """What the ranks do now."""
        return self._watch().judge(limit)

    def _watch(self) -> RankWatch:
        reporters = [self._reporters[i] for i in range(self.workers)]
        return RankWatch(self._witness, self._members, reporters)

    def victims(self) -> Sequence[Worker]:
        """The ranks."""
        return self._members

    def pool(self) -> RemotePool:
        """The ranks as an executor, one task at a time each."""
        self._pool = RemotePool(
            "mpi", self.workers, self._channels, tasks_at_once=1, members=self._members, watched=self._guard_channels
        )
        return self._pool

    def printed(self) -> list[tuple[str, str]]:
        """What each rank has printed since it was last asked."""
        texts = self._witness.output(self._members)
        return [(w.label, texts[w.index]) for w in self._members if texts.get(w.index)]

    def signal(self, worker: Worker, number: int) -> None:
        """Send a rank a signal, wherever it is."""
        self._witness.signal(worker, number)

    def clean(self) -> str | None:
        """Give every rank a fresh communicator; say what was left in flight on the old one."""
        token = secrets.token_bytes(16)
        replies: dict[int, Message | None] = {}

        def note(index: int, message: Message | None) -> float | None:
            replies[index] = message
            return None if message is not None and message.body.get("clean") else _RAISE_GRACE_S

        try:
            for channel in self._channels:
                channel.send("clean", {"token": token})
            gather(self._channels, note, limit_s=_CLEAN_LIMIT_S)
        except ChannelClosed:
            pass
        if len(replies) == self.workers and all(m and m.body.get("clean") for m in replies.values()):
            return None
        self._broken = True
        ended = [f"rank {i} ended after the test" for i, m in sorted(replies.items()) if m is None]
        found = [f"rank {i}: {m.body['problem']}" for i, m in sorted(replies.items()) if m and m.body.get("problem")]
        return "; ".join(ended + found) or "its ranks no longer agree on the order of their collectives"

    def healthy(self) -> bool:
        """Whether all ranks live."""

        def note(index: int, message: Message | None) -> None:
            self._broken = True
            status = message.body.get("status") if message else None
            self._untold = f"{self._members[index % self.workers].heading} {Died(status).reason} outside any run"

        self._broken = self._broken or (self._pool is not None and self._pool.broken)
        if not self._broken:
            # A rank may be dead for a moment before its guard has told.
            here = [w for w in self._members if w.host == socket.gethostname() and not self._away]
            dead = not all(lives(w.pid) for w in here)
            everyone = [*self._channels, *self._guard_channels, *self._launch.post.lifeline()]
            gather(everyone, note, limit_s=_DEATH_GRACE_S if dead else 0.0)
            self._broken = self._broken or dead
        return not self._broken

    def untold(self) -> str | None:
        """A death that was noticed between runs."""
        return self._untold

    def close(self) -> None:
        """Stop the ranks: they leave MPI together if they can, else they are killed."""
        if self._away and self._broken:
            for index in self._ranks:
                with contextlib.suppress(ProcessLookupError, AttributeError):  # gone; not all have come up
                    self._witness.signal(self._ranks[index][0], signal.SIGKILL)
        self._launch.close(limit_s=0.0 if self._broken and not self._away else _STOP_LIMIT_S)
