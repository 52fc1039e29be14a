"""What is to be measured, and how well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab.model.curve_fits import MODES
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.settings import parse_names, parse_workers

LEAST_ROUNDS = 6  # fewer have no distribution-free 95 % interval


@dataclass(frozen=True)
class ScalingPlan:
    """What is to be measured, and how well.

    Attributes:
        workers: the worker counts.
        rounds: how many rounds at least; every round measures all counts and the reference once.
        mode: "strong" (the same work for all counts) or "weak" (the same for each worker).
        seconds: for all rounds together; when they are over, and ``rounds`` are done, so is the measuring.
        narrow: it ends before, too, once the interval of every median is within this share of it.
        seed: of the order within rounds.
    """

    workers: tuple[int, ...] = (1, 2)
    rounds: int = 7
    mode: str = "strong"
    seconds: float = 20.0
    narrow: float = 0.05
    seed: int = 0

    @classmethod
    def of(cls, source: str, **given: Any) -> ScalingPlan:
        """Make a plan of what was given.

        Args:
            source: where, for the error.
            **given: any of the attributes.

        Raises:
            BadSetting: a value that means nothing; the text says what would.
        """
        if isinstance(given.get("workers"), (str, Iterable)):
            given["workers"] = parse_workers(given["workers"], f"{source}: workers")
        elif "workers" in given:
            given["workers"] = parse_workers([given["workers"]], f"{source}: workers")
        plan = cls(**given)
        parse_names([plan.mode], MODES, f"{source}: mode", "kind of scaling")
        whole: dict[str, float] = {"rounds": 1, "seed": 0}
        for name, least in {**whole, "seconds": 0, "narrow": 0}.items():
            value = getattr(plan, name)
            kinds: Any = (int,) if name in whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not value >= least:
                kind = "a whole number" if name in whole else "a number"
                raise BadSetting(f"{source}: {name}={value!r} is not {kind} of at least {least:g}")
        return plan
