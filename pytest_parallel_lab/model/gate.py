"""What a paired gate found: readings of two versions of the code, measured side by side, and verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.statistics import Estimate

FORMAT = "pytest-parallel-lab gate"
VERSION = 1

REGRESSED = "regressed"
WRONG = "wrong"
UNDECIDED = "undecided"
NOT_GATED = "not gated"
PASSED = "passed"
VERDICTS = (WRONG, REGRESSED, UNDECIDED, NOT_GATED, PASSED)
"""From the worst on. Wrong: the two versions give different answers, so their times say nothing."""

METRICS = ("time", "efficiency", "memory")
"""Kinds of readings: seconds of the measured section, speed-up over workers, peak bytes of all processes."""


@dataclass(frozen=True)
class Reading:
    """One quantity of one test, of both versions, launch by launch.

    Attributes:
        metric: one of ``METRICS``.
        base: of every launch, the baseline's: seconds, efficiency or bytes.
        current: of every launch, the current version's.
        threshold: the loss that fails the test: 0.05 is 5 %.
        workers: of a point of a curve; None for a test with one section.
        loss: by what factor the current version is worse; above 1 for longer, less efficient or larger.
            Its interval holds the truth whenever the measuring was ended. None until it was judged.
        p_value: how likely so much evidence of a loss is without one.
        verdict: REGRESSED, UNDECIDED or PASSED.
        part: from 1: which section of the test it is of, where there are several.
    """

    metric: str
    base: tuple[float, ...]
    current: tuple[float, ...]
    threshold: float
    workers: int | None = None
    loss: Estimate | None = None
    p_value: float = 1.0
    verdict: str = UNDECIDED
    part: int = 1

    @property
    def label(self) -> str:
        """What was read: ``time``, or ``efficiency with 2 workers``."""
        which = f" #{self.part}" if self.part > 1 else ""
        return f"{self.metric}{which}" if self.workers is None else f"{self.metric}{which} with {self.workers} workers"

    @property
    def worse_and_better(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Numerators and denominators of the loss: of efficiency, less is worse."""
        return (self.base, self.current) if self.metric == "efficiency" else (self.current, self.base)

    @property
    def improved(self) -> bool:
        """Whether the whole interval lies on the better side, and as far as a loss that fails would on the other."""
        loss = self.loss
        return loss is not None and loss.has_interval and loss.high < 1 and loss.value * (1 + self.threshold / 2) < 1


@dataclass(frozen=True)
class GatedTest:
    """One test of a gate.

    Attributes:
        nodeid: of the test.
        readings: what was measured of it; none where nothing could be.
        why: why it is wrong or not gated, or what was noticed; empty where all is said by the readings.
        wrong: the two versions give different answers.
        path: of its file, relative to the root.
        line: from 1.
    """

    nodeid: str
    readings: tuple[Reading, ...] = ()
    why: str = ""
    wrong: bool = False
    path: str = ""
    line: int = 1

    @property
    def verdict(self) -> str:
        """The worst of its readings' verdicts."""
        if self.wrong:
            return WRONG
        return min((one.verdict for one in self.readings), key=VERDICTS.index, default=NOT_GATED)

    @property
    def improved(self) -> bool:
        """Whether it passed, and something became better."""
        return self.verdict == PASSED and any(one.improved for one in self.readings)


@dataclass(frozen=True)
class GateRun:
    """All tests of a gate, and how it was carried out.

    Attributes:
        base: the baseline as the user named it.
        base_commit: its commit, or version; empty where there is none.
        current_commit: the commit of the current version, marked where files differ from it.
        tests: in the order of the run.
        false_alarms: how often at most a run without any loss may fail: 0.01 is 1 %.
        launches: pairs of fresh processes that measured.
        elapsed_s: of all, without the building of the baseline.
        method: how was judged, in words.
        machine: facts, with ``load`` at the beginning.
        loads: the machine's load average at every launch.
        warnings: what may spoil it.
        seed: of all orders that were drawn.
    """

    base: str
    base_commit: str
    current_commit: str
    tests: tuple[GatedTest, ...]
    false_alarms: float
    launches: int
    elapsed_s: float
    method: str
    machine: Mapping[str, Any] = field(default_factory=dict)
    loads: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    seed: int = 0

    def count(self, verdict: str) -> int:
        """How many tests have a verdict."""
        return sum(test.verdict == verdict for test in self.tests)


def told_percent(loss: float) -> str:
    """A factor as people say it: 1.05 is +5.0 %."""
    if not math.isfinite(loss):
        return "unknown"
    return f"{_percent(loss)} %"


def told_loss(reading: Reading) -> str:
    """The loss of a reading with its interval: ``+5.2 % [+4.1, +6.4]``."""
    loss = reading.loss
    if loss is None or not loss.has_interval:
        return f"{told_percent(loss.value)} (too few launches for an interval)" if loss else "not judged"
    return f"{told_percent(loss.value)} [{_percent(loss.low)}, {_percent(loss.high)}]"


def to_json(run: GateRun) -> dict[str, Any]:
    """Put a gate into what ``json`` can write, with the version of the format and the verdicts that follow.

    ``docs/gate.schema.json`` describes it. The upper end of an interval that has none is null: JSON has no infinity.
    """
    counts = {verdict: run.count(verdict) for verdict in VERDICTS}
    data = {"format": FORMAT, "version": VERSION, **asdict(run), "machine": dict(run.machine), "counts": counts}
    for test, written in zip(run.tests, data["tests"]):
        written["verdict"], written["improved"] = test.verdict, test.improved
        for one in written["readings"]:
            if one["loss"] is not None and not math.isfinite(one["loss"]["high"]):
                one["loss"]["high"] = None
    return data


def from_json(data: Any, where: str = "gate") -> GateRun:
    """Read what ``to_json`` gave.

    Args:
        data: as read by ``json``.
        where: names it in errors.

    Raises:
        BadSetting: it is no gate, a part is missing or means nothing, or it is of another version.
    """
    if not isinstance(data, Mapping) or "version" not in data:
        raise BadSetting(f"{where}: is no gate; write one with --parallel-gate-json=FILE")
    if data["version"] != VERSION:
        told = f"version {data['version']!r} of the format, and {VERSION} is the one known here"
        raise BadSetting(f"{where}: {told}; read it with the pytest-parallel-lab that wrote it")
    try:
        tests = tuple(_test(one) for one in data["tests"])
        given = {**_known(data, GateRun), "tests": tests}
        given["loads"], given["warnings"] = tuple(data["loads"]), tuple(data["warnings"])
        return GateRun(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadSetting(f"{where}: a part of the gate is missing or of another kind ({error})") from error


def _percent(loss: float) -> str:
    return f"{round(100 * (loss - 1), 1) + 0.0:+.1f}"  # + 0.0: of nothing there is no minus


def _test(data: Mapping[str, Any]) -> GatedTest:
    readings = tuple(_reading(one) for one in data["readings"])
    return GatedTest(**{**_known(data, GatedTest), "readings": readings})


def _reading(data: Mapping[str, Any]) -> Reading:
    given = _known(data, Reading)
    given["base"], given["current"] = tuple(data["base"]), tuple(data["current"])
    if data["loss"] is not None:
        high = data["loss"]["high"]
        given["loss"] = Estimate(**{**data["loss"], "high": math.inf if high is None else high})
    return Reading(**given)


def _known(data: Mapping[str, Any], kind: type) -> dict[str, Any]:
    names: Sequence[str] = [one.name for one in fields(kind)]
    return {name: data[name] for name in names}
