"""A side of a gate, seen from inside: a pytest session that runs and measures what it is told to."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab import benchmarking
from pytest_parallel_lab.gate.tally import SERIAL
from pytest_parallel_lab.gate.usage import Usage, held_up_s, memory_peak_bytes, start_memory_peak
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message, Parcel
from pytest_parallel_lab.model.cores import usable_cores

if TYPE_CHECKING:
    from pytest_parallel_lab.scaling.arms import Arm

_FACTS = ("workers", "oversubscribed", "backend", "implementation")
_SHOWN = 2000  # characters of why a test failed

Clock = Callable[[], float]
Sample = Callable[[int, Clock], Mapping[str, float]]
"""Does what is measured so many times, and says what one took by a clock, in seconds by what they are of."""


class MeasuringSide:
    """The plugin that makes a session a side."""

    def __init__(self, config: pytest.Config, address: str) -> None:
        """Connect to the session that judges, and turn off what this one would write, compare or stop at.

        Args:
            config: of this session.
            address: of that session's socket.
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        self._channel = Channel(connection)
        self._reports: list[pytest.TestReport] = []
        self._draw = random.Random()
        off = ["benchmark_autosave", "benchmark_save", "benchmark_json", "benchmark_histogram", "benchmark_compare"]
        off += ["benchmark_compare_fail", "benchmark_skip", "benchmark_disable", "xmlpath", "maxfail"]
        for name in [*off, "parallel_report", "parallel_plots"]:
            setattr(config.option, name, None)
        config.option.benchmark_enable = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run tests as they are asked for."""
        items = {item.nodeid: item for item in session.items}
        self._channel.send("collected", {"nodeids": list(items), "modules": _modules()})
        with contextlib.suppress(ChannelClosed):
            while (message := self._channel.receive()).kind == "run":
                self._run(items[message.body["nodeid"]], items.get(message.body["after"]))
        return True

    def _run(self, item: pytest.Item, after: pytest.Item | None) -> None:
        self._reports = []
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        bad = [one for one in self._reports if one.failed] or [one for one in self._reports if one.skipped]
        told = bad[0] if bad else None
        body = {"outcome": told.outcome, "text": _why(told)} if told else {"outcome": "passed", "text": ""}
        self._channel.send("ended", body)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what becomes of the test."""
        self._reports.append(report)

    def section(self, kind: str, sample: Sample, told: Callable[[], tuple[object, Mapping[str, Any]]]) -> None:
        """Measure a section in turns with the other side, until it is enough.

        Args:
            kind: "benchmark" or "scaling".
            sample: does and times what is measured.
            told: what it gave last, and what is known of it.
        """
        affinity = os.sched_getaffinity(0)
        start_memory_peak()
        self._channel.send("section", {"kind": kind})
        try:
            while (message := self._channel.receive()).kind == "go":
                self._channel.send("sample", self._sampled(sample, message))
            answer, facts = told()
            body = {
                "memory_bytes": memory_peak_bytes(),
                "facts": {name: facts[name] for name in _FACTS if name in facts},
            }
            self._channel.send("done", body, _parcel(answer) if message.body["answer"] else None)
        finally:
            os.sched_setaffinity(0, affinity)

    def rounds(self, references: Sequence[Arm], points: Sequence[Arm]) -> bool:
        """Measure a curve so: a sample is a round over its points and references, in an order drawn anew."""
        carried = [one for one in points if one.workers <= usable_cores()]
        arms = [*references, *carried]

        def sample(loops: int, clock: Clock) -> dict[str, float]:
            for one in self._draw.sample(arms, len(arms)):
                one.times_s.append(one.run(timed=True).elapsed_s)
            seconds = {str(one.workers): one.times_s[-1] for one in carried}
            serial = {SERIAL: min(one.times_s[-1] for one in references)} if references else {}
            return {**seconds, **serial}

        self.section("scaling", sample, lambda: (None, {}))
        for one in points:  # those that are never gated, so that the curve is whole
            one.times_s = one.times_s or [one.run(timed=True).elapsed_s]
        return True

    def _sampled(self, sample: Sample, message: Message) -> dict[str, Any]:
        clock = benchmarking.section_clock
        if message.body["cpus"]:  # it has a core for itself alone, but for what others do on the machine
            os.sched_setaffinity(0, message.body["cpus"])
            clock = _unhindered_clock
        before = Usage.now() if message.body["look"] else None
        seconds = sample(message.body["loops"], clock)
        return {"seconds": dict(seconds), "alone": before is not None and Usage.now().alone_since(before)}


def _modules() -> dict[str, str]:
    """The files of all modules that are imported, without those in packages."""
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if "." not in name}
    return {name: str(file) for name, file in files.items() if file}


def _unhindered_clock() -> float:
    """A clock that stands still while this thread is ready and others have its core."""
    before_s = held_up_s()
    while True:
        now_s, after_s = benchmarking.section_clock(), held_up_s()
        if before_s == after_s:  # else it was held up between the two readings, of which one would not know
            return now_s - after_s
        before_s = after_s


def _parcel(answer: object) -> Parcel | None:
    try:
        return Parcel.of(answer)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None


def _why(report: pytest.TestReport) -> str:
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return f"{crash.message}\n({crash.path}:{crash.lineno})"
    return report.longreprtext[-_SHOWN:]
