"""Harm done to a worker in the middle of a run, to see whether the run comes to an end of its own."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from dataclasses import dataclass

from pytest_parallel_lab.backends.base import WorkerGroup
from pytest_parallel_lab.keeper.channel import Parcel
from pytest_parallel_lab.model.errors import BadSetting, NotHarmed
from pytest_parallel_lab.model.outcome import Outcome, Worker
from pytest_parallel_lab.model.settings import HARMS, parse_names

_LOOK_EVERY_S = 0.005
_ONLY_ON = {"kill-engine": "ipyparallel", "kill-rank": "mpi"}
_NOT_ON = {"kill-worker": ("serial", "threads"), "stall-worker": ("serial", "threads")}


@dataclass(frozen=True)
class Harm:
    """What is done to one worker.

    Attributes:
        kind: one of ``HARMS``.
        after_s: seconds after the start of the run.
        stall_s: seconds that a stalled worker is stopped for.
        seed: chooses the worker.
    """

    kind: str
    after_s: float = 0.1
    stall_s: float = 1.0
    seed: int = 0

    def check(self, backend: str, *, plain: bool) -> None:
        """Make sure that the harm can be done on a backend. Raises BadSetting where it cannot."""
        only = _ONLY_ON.get(self.kind)
        if only not in (None, backend):
            raise BadSetting(f"chaos: {self.kind} is for {only}, but the run is on {backend}")
        if backend in _NOT_ON.get(self.kind, ()) and not plain:
            raise BadSetting(f"chaos: {self.kind} needs worker processes, but {backend} has none of its own")

    def run(self, group: WorkerGroup, call: Parcel, limit_s: float | None) -> tuple[Outcome, str]:
        """Carry out a run, harm a worker in the middle of it, and say what was done.

        Raises:
            NotHarmed: the run ended before.
        """
        done: list[str] = []
        over = threading.Event()
        thread = threading.Thread(target=self._do, args=(group, over, done), daemon=True, name="chaos")
        try:
            outcome = group.run(call, limit_s=limit_s, on_begin=thread.start)
        finally:
            over.set()
            if thread.ident is not None:
                thread.join()
        if not done:
            raise NotHarmed(
                f"chaos: the run ended before {self.kind} could be done, {self.after_s:g} s after its start. Give it "
                "more to do, or harm it earlier with after_s"
            )
        return outcome, done[0]

    def _do(self, group: WorkerGroup, over: threading.Event, done: list[str]) -> None:
        if over.wait(self.after_s):
            return
        victims = group.victims()
        while not victims:  # a plain function has yet to start its processes
            if over.wait(_LOOK_EVERY_S):
                return
            victims = group.victims()
        victim = random.Random(self.seed).choice(list(victims))
        send = getattr(group, "signal", _signal)  # workers elsewhere are signalled by their group
        with contextlib.suppress(ProcessLookupError):
            if self.kind == "stall-worker":
                send(victim, signal.SIGSTOP)
                done.append(f"{victim.label} (pid {victim.pid}) was stopped for {self.stall_s:g} s")
                over.wait(self.stall_s)
                send(victim, signal.SIGCONT)
            else:
                send(victim, signal.SIGKILL)
                done.append(f"{victim.label} (pid {victim.pid}) was killed")


def _signal(worker: Worker, number: int) -> None:
    os.kill(worker.pid, number)


def harm_of(kind: str, source: str, **details: float) -> Harm:
    """Check what a test asks for. Raises BadSetting for an unknown kind."""
    return Harm(parse_names([kind], HARMS, source, "harm")[0], **details)  # type: ignore[arg-type]
