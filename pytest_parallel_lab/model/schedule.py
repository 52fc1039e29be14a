"""A schedule: all that has to be the same for a run to go the same way again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_parallel_lab.model.errors import BadSetting

_TURN = re.compile(r"(\d+)=(main(?:\.[pt]\d+)*)\Z")


@dataclass(frozen=True)
class Schedule:
    """Who goes when.

    Attributes:
        turns: the steps at which another than the usual one has its turn, with its label. Usually
            a worker goes on until it waits, and then the next one does.
        opcodes: whether workers take turns within their own code, not only where they synchronise.
        hash_seed: PYTHONHASHSEED of the run.
        seed: what random generators begin with.
    """

    turns: tuple[tuple[int, str], ...] = ()
    opcodes: bool = True
    hash_seed: int = 0
    seed: int = 0

    def __str__(self) -> str:
        """The schedule as ``--parallel-replay`` takes it."""
        head = f"{'o' if self.opcodes else 's'},h{self.hash_seed},r{self.seed}"
        return ",".join([head, *(f"{step}={label}" for step, label in self.turns)])


def parse_schedule(text: str, source: str) -> Schedule:
    """Read a schedule.

    Args:
        text: as a failure has told it.
        source: where it was given, for the error.

    Raises:
        BadSetting: it is not one.
    """
    kind, hash_seed, seed, *turns = [*text.strip().split(","), "", "", ""][: max(3, text.count(",") + 1)]
    found = [_TURN.match(turn) for turn in turns]
    if kind not in ("o", "s") or not re.match(r"h\d+\Z", hash_seed) or not re.match(r"r\d+\Z", seed) or None in found:
        raise BadSetting(
            f"{source}: {text!r} is not a schedule; copy it whole from the failure, as in 'o,h0,r0,17=main.p1'"
        )
    pairs = tuple((int(turn[1]), turn[2]) for turn in found if turn)
    if [step for step, _ in pairs] != sorted({step for step, _ in pairs}):
        raise BadSetting(f"{source}: the steps of {text!r} are not in order; copy it whole from the failure")
    return Schedule(pairs, kind == "o", int(hash_seed[1:]), int(seed[1:]))
