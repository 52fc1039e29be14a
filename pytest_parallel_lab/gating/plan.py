"""What the user asked of a gate: options, ini keys and marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_parallel_lab.gate.tally import Asked
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.gate import METRICS
from pytest_parallel_lab.model.settings import parse_names, parse_number
from pytest_parallel_lab.options import Choices

MARK = "parallel_gate"
REPORT, FAIL = "report", "fail"


@dataclass(frozen=True)
class GatePlan:
    """What was asked of the session's gate.

    Attributes:
        base: the baseline.
        threshold: the loss that fails a test, where no mark says otherwise.
        metrics: what is gated, where no mark says otherwise.
        seconds: of measuring for every test.
        false_alarms: how often at most a run without any loss may fail.
        undecided: what is done about a test that is: "report" or "fail".
        seed: of all orders.
    """

    base: str
    threshold: float
    metrics: tuple[str, ...]
    seconds: float
    false_alarms: float
    undecided: str
    seed: int

    @classmethod
    def of(cls, base: str, choices: Choices) -> GatePlan:
        """Read options and ini keys.

        Raises:
            BadSetting: a value that means nothing.
        """
        if not base.strip():
            raise BadSetting("--parallel-gate: is empty; give a git ref, NAME==VERSION, or another checkout's path")

        def given(name: str, default: str) -> tuple[str, str]:
            text, source = choices.given(f"gate-{name}")
            return text or default, source

        metrics, seconds = given("metrics", ",".join(METRICS)), given("seconds", "60")
        undecided, seed = given("undecided", REPORT), given("seed", "0")
        return cls(
            base=base,
            threshold=parse_share(*given("threshold", "5%"), most=10),
            metrics=parse_names(metrics[0], METRICS, metrics[1], "metric"),
            seconds=parse_number(seconds[0], float, seconds[1], least=1),
            false_alarms=parse_share(*given("false-alarms", "1%"), most=0.5),
            undecided=parse_names(undecided[0], (REPORT, FAIL), undecided[1], "way to take undecided tests")[0],
            seed=int(parse_number(seed[0], int, seed[1], least=0)),
        )

    def asked(self, item: pytest.Item) -> Asked:
        """What is to be gated of a test, as its mark says."""
        mark = item.get_closest_marker(MARK)
        own: dict[str, Any] = checked_mark(mark, f"{item.nodeid}: mark {MARK}") if mark else {}
        path, line, _ = item.location
        return Asked(
            **{
                "nodeid": item.nodeid,
                "threshold": self.threshold,
                "metrics": self.metrics,
                "path": path,
                "line": (line or 0) + 1,
                **own,
            }
        )


def parse_share(text: object, source: str, *, most: float) -> float:
    """Read a share such as 5% or 0.05.

    Args:
        text: as given.
        source: where, for the error.
        most: how much it may be.

    Raises:
        BadSetting: it is none.
    """
    try:
        value = float(str(text).strip().removesuffix("%")) / (100 if str(text).strip().endswith("%") else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        raise BadSetting(f"{source}: {text!r} is no share above 0 and at most {most:.0%}; write it as 5% or 0.05")
    return value


def checked_mark(mark: pytest.Mark, where: str) -> dict[str, Any]:
    """The arguments of a ``parallel_gate`` mark; ``where`` names it in errors.

    Raises:
        BadSetting: one that means nothing.
    """
    if mark.args:
        raise BadSetting(f"{where}: takes keyword arguments only, as in parallel_gate(threshold='10%')")
    own = dict(mark.kwargs)
    if "threshold" in own:
        own["threshold"] = parse_share(own["threshold"], f"{where}: threshold", most=10)
    if "metrics" in own:
        own["metrics"] = parse_names(own["metrics"], METRICS, f"{where}: metrics", "metric")
    for name in ("rtol", "atol"):
        if name in own and not (isinstance(own[name], (int, float)) and own[name] >= 0):
            raise BadSetting(f"{where}: {name}={own[name]!r} is not a number of at least 0")
    if "answers" in own and not isinstance(own["answers"], bool):
        raise BadSetting(f"{where}: answers={own['answers']!r} is neither True nor False")
    return own
