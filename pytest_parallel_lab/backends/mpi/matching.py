"""Which message a receive from anybody gets: a choice that MPI leaves open, taken at random and noted.

A message that is taken could have been taken by any MPI library: of several senders, any may come
first; of one sender, messages come in the order they were sent (MPI 4.1, section 3.5).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_parallel_lab.keeper.host import bind_workers

Match = tuple[int, int]  # source, tag

_WINDOW_S = 0.02  # after the first message that would do, others get as long to arrive
_PATIENCE_S = 0.2  # then the receive waits as ever, where it can be proved to wait in vain
_LOOK_EVERY_S = 0.0005


class Matching:
    """Chooses for one rank, in one run."""

    def __init__(self, seed: int | None, forced: Sequence[Match]) -> None:
        """Begin.

        Args:
            seed: of the choices; None takes the message of the lowest rank.
            forced: the first choices, as an earlier run has noted them.
        """
        self._random = None if seed is None else random.Random(seed)
        self._forced = list(forced)
        self.noted: list[Match] = []
        self.strayed = False

    def choose(self, probe: Callable[[int], Match | None], sources: Sequence[int]) -> Match | None:
        """The message to receive next.

        Args:
            probe: the first message from a source that would do, if one is there.
            sources: who could have sent one.

        Returns:
            Its source and tag; None where none has come: receive whatever comes then.
        """
        wanted = self._forced[len(self.noted)] if len(self.noted) < len(self._forced) else None
        until_s = time.monotonic() + _PATIENCE_S
        found: dict[int, Match] = {}
        while time.monotonic() < until_s:
            for source in sources:
                if source not in found and (match := probe(source)) is not None:
                    found[source] = match
                    if len(found) == 1:
                        until_s = time.monotonic() + (_PATIENCE_S if wanted else _WINDOW_S)
            if wanted in found.values() or (len(found) == len(sources) and wanted is None):
                break
            time.sleep(_LOOK_EVERY_S)
        if wanted in found.values():
            return wanted
        self.strayed = self.strayed or wanted is not None
        if not found:
            return None
        matches = [found[source] for source in sorted(found)]
        return matches[0] if self._random is None else self._random.choice(matches)


def run_matched(
    comm: Any,
    seed: int | None,
    forced: Mapping[int, Sequence[Match]],
    function: Callable[..., Any],
    *args: Any,
    **kwargs: Any,
) -> tuple[Any, list[Match], bool]:
    """Run a function on this rank with its choices taken; its value, the choices, and whether forced ones failed."""
    tracer = comm._lab_tracer
    own_seed = None if seed is None else seed * 1_000_003 + comm.rank
    matching = tracer.matching = Matching(own_seed, forced.get(comm.rank, ()))
    try:
        value = function(comm, *args, **bind_workers(function, kwargs, comm.size))
    finally:
        tracer.matching = None
    return value, matching.noted, matching.strayed
