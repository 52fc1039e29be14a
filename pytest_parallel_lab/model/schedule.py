"""A schedule: all that has to be the same for a run to go the same way again."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from pytest_parallel_lab.model.errors import BadSetting

_TURN = re.compile(r"(\d+)=(main(?:\.[pt]\d+)*)\Z")
_MATCH = re.compile(r"(\d+)\.(\d+)=(\d+):(\d+)\Z")
_KINDS = {"o": "opcodes", "s": "synchronisation", "m": "matches", "d": "delays"}

FREELY = "freely"

Match = tuple[int, int, int, int]


@dataclass(frozen=True)
class Schedule:
    """Who goes when.

    Attributes:
        turns: the steps at which another than the usual one has its turn, with its label. Usually
            a worker goes on until it waits, and then the next one does.
        opcodes: whether workers take turns within their own code, not only where they synchronise.
        hash_seed: PYTHONHASHSEED of the run.
        seed: what random generators begin with; of delays, what they are drawn with.
        free: "" where turns are taken; "matches" where workers run freely but for which message a
            receive from anybody gets, "delays" where they do but for tasks that take longer, FREELY
            where nobody chose anything, and nothing can be carried out again.
        matches: such messages: (rank, number of its receive, source, tag).
    """

    turns: tuple[tuple[int, str], ...] = ()
    opcodes: bool = True
    hash_seed: int = 0
    seed: int = 0
    free: str = ""
    matches: tuple[Match, ...] = ()

    def __str__(self) -> str:
        """The schedule as ``--parallel-replay`` takes it."""
        kind = self.free[0] if self.free else "o" if self.opcodes else "s"
        turns = [f"{step}={label}" for step, label in self.turns]
        matches = [f"{rank}.{number}={source}:{tag}" for rank, number, source, tag in self.matches]
        return ",".join([f"{kind},h{self.hash_seed},r{self.seed}", *turns, *matches])


def parse_schedule(text: str, source: str) -> Schedule:
    """Read a schedule.

    Args:
        text: as a failure has told it.
        source: where it was given, for the error.

    Raises:
        BadSetting: it is not one.
    """
    kind, hash_seed, seed, *rest = [*text.strip().split(","), "", "", ""][: max(3, text.count(",") + 1)]
    found = [(_MATCH if kind == "m" else _TURN).match(one) for one in rest]
    if (kind == "d" and rest) or len(hash_seed) > 10:
        found = [None]
    if kind not in _KINDS or not re.match(r"h\d+\Z", hash_seed) or not re.match(r"r\d+\Z", seed) or None in found:
        raise BadSetting(
            f"{source}: {text!r} is not a schedule; copy it whole from the failure, as in 'o,h0,r0,17=main.p1'"
        )
    free = _KINDS[kind] if kind in "md" else ""
    with_seeds = functools.partial(Schedule, hash_seed=int(hash_seed[1:]), seed=int(seed[1:]))
    if free:
        matches = tuple((int(m[1]), int(m[2]), int(m[3]), int(m[4])) for m in found if m and kind == "m")
        return with_seeds(free=free, matches=matches)
    turns = tuple((int(turn[1]), turn[2]) for turn in found if turn)
    if [step for step, _ in turns] != sorted({step for step, _ in turns}):
        raise BadSetting(f"{source}: the steps of {text!r} are not in order; copy it whole from the failure")
    return with_seeds(turns, kind == "o")
