"""How far to search, and what counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.schedule import Schedule
from pytest_parallel_lab.model.settings import STRATEGIES, parse_names

REPLAYS = 2  # of a schedule that fails
ALWAYS_AFTER = 12  # runs that all end in the same wrong way: it is no matter of timing


@dataclass(frozen=True)
class Plan:
    """How far to search, and what counts.

    Attributes:
        runs: how many runs at most.
        seconds: how long at most; what is found then is still made small.
        seed: what sampled schedules come from.
        strategies: in which order they are used.
        bound: the most turns out of order of an enumerated schedule.
        opcodes: whether turns change within the user's own code.
        hash_seeds: whether other hash seeds are tried.
        rtol: relative tolerance within which a difference is numerical only.
        atol: absolute tolerance.
        stops_at_numerical: whether a numerical difference ends the search.
        reference: what is right, in a tuple; None where nobody says.
        replay: carry out this schedule only.
    """

    runs: int = 300
    seconds: float = 10.0
    seed: int = 0
    strategies: tuple[str, ...] = STRATEGIES
    bound: int = 2
    opcodes: bool = True
    hash_seeds: bool = True
    rtol: float = 1e-9
    atol: float = 0.0
    stops_at_numerical: bool = False
    reference: tuple[Any] | None = None
    replay: Schedule | None = None

    def checked(self, source: str) -> Plan:
        """The plan itself, once it means something.

        Args:
            source: where it was given, for the error.

        Raises:
            BadSetting: a number that is not above 0, or an unknown name.
        """
        for name, least in (("runs", 1), ("seconds", 0.01), ("bound", 1), ("seed", 0), ("rtol", 0), ("atol", 0)):
            value = getattr(self, name)
            whole = name in ("runs", "bound", "seed")
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not value >= least:
                kind = "a whole number" if whole else "a number"
                raise BadSetting(f"{source}: {name}={value!r} is not {kind} of at least {least}")
        parse_strategies(self.strategies, source)
        return self


def parse_strategies(given: str | Iterable[str], source: str) -> tuple[str, ...]:
    """Read names of strategies, in the order in which they are to be used.

    Raises:
        BadSetting: an unknown one, or none.
    """
    if not isinstance(given, Iterable):
        raise BadSetting(f"{source}: strategy={given!r} is no name; choose from {', '.join(STRATEGIES)}")
    names = parse_names(given if isinstance(given, str) else tuple(given), STRATEGIES, source, "strategy")
    if not names:
        raise BadSetting(f"{source}: no strategy given; choose from {', '.join(STRATEGIES)}")
    return names
