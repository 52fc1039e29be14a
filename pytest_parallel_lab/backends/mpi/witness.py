"""What can be known of a rank without asking the rank itself: its output, its stacks, its clock."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pytest_parallel_lab.backends.collect import gather
from pytest_parallel_lab.keeper.ask import stacks
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.output import OutputReader
from pytest_parallel_lab.model.clocks import Clock, best_clock
from pytest_parallel_lab.model.outcome import Worker

_ANSWER_LIMIT_S = 2.0
_PINGS = 8


class Witness(Protocol):
    """Tells about ranks.

    Attributes:
        away: they are on other hosts.
    """

    away: bool

    def output(self, workers: Sequence[Worker]) -> dict[int, str]:
        """What each has printed since it was last asked, by index."""

    def stacks(self, workers: Sequence[Worker]) -> dict[int, str]:
        """Where each is now, by index."""

    def signal(self, worker: Worker, number: int) -> None:
        """Send one a signal. Raises ProcessLookupError where it is gone."""

    def clocks(self) -> dict[int, Clock]:
        """What each one's clock shows against ours, by index; none where all share one."""


class HereWitness:
    """Ranks on this machine leave it all in the session's directory."""

    away = False

    def __init__(self, directory: str) -> None:
        """Look there."""
        self._directory = directory
        self._output = OutputReader(directory)

    def output(self, workers: Sequence[Worker]) -> dict[int, str]:
        """Read their files."""
        return {w.index: self._output.new_output(w.pid) for w in workers}

    def stacks(self, workers: Sequence[Worker]) -> dict[int, str]:
        """Have them write their stacks, and read those."""
        found = stacks(self._directory, [w.pid for w in workers]) if workers else {}
        return {w.index: found[w.pid] for w in workers if w.pid in found}

    def signal(self, worker: Worker, number: int) -> None:
        """Send it."""
        os.kill(worker.pid, number)

    def clocks(self) -> dict[int, Clock]:
        """They share ours."""
        return {}


class AwayWitness:
    """On other hosts, deputies tell."""

    away = True

    def __init__(self, deputies: Mapping[int, Channel]) -> None:
        """Ask deputies, by the index of their rank."""
        self._deputies = dict(deputies)

    def output(self, workers: Sequence[Worker]) -> dict[int, str]:
        """Ask all at once; what was printed on a host that is gone is lost with it."""
        return {i: body["text"] for i, body in self._ask("output", (w.index for w in workers)).items()}

    def stacks(self, workers: Sequence[Worker]) -> dict[int, str]:
        """Ask all at once."""
        return {i: body["text"] for i, body in self._ask("stacks", (w.index for w in workers)).items()}

    def signal(self, worker: Worker, number: int) -> None:
        """Have its deputy send it."""
        if not self._ask("signal", [worker.index], {"number": number}):
            raise ProcessLookupError(f"the guard of {worker.label} on {worker.host} does not answer")

    def clocks(self) -> dict[int, Clock]:
        """Ask each what time it is, several times."""
        found = {}
        for index in list(self._deputies):
            pings = []
            for _ in range(_PINGS):
                sent_s = time.perf_counter()
                answer = self._ask("clock", [index]).get(index)
                if answer is not None:
                    pings.append((sent_s, answer["now_s"], time.perf_counter()))
            if pings:
                found[index] = best_clock(pings)
        return found

    def _ask(self, kind: str, indices: Iterable[int], body: Mapping[str, Any] | None = None) -> dict[int, Any]:
        asked = []
        for index in indices:
            if index in self._deputies:
                with contextlib.suppress(ChannelClosed, OSError):
                    self._deputies[index].send(kind, body)
                    asked.append(index)
        answers: dict[int, Any] = {}

        def note(place: int, message: Message | None) -> None:
            if message is None:
                self._lose(asked[place])
            else:
                answers[asked[place]] = message.body

        gather([self._deputies[index] for index in asked], note, limit_s=_ANSWER_LIMIT_S, heeds_limit=False)
        for index in asked:
            if index not in answers:
                self._lose(index)  # an answer that comes late must not be taken for that to the next question
        return answers

    def _lose(self, index: int) -> None:
        channel = self._deputies.pop(index, None)
        if channel is not None:
            channel.close()
