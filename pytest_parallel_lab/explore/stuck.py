"""The verdict on an explored run that does not come to its end, as on any other run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from pytest_parallel_lab.keeper.ask import ask
from pytest_parallel_lab.keeper.watch.quiescence import Prover, examine
from pytest_parallel_lab.model.verdict import Verdict, judge


def proofs(root: int, directory: str, names: Mapping[int, str]) -> Iterator[Verdict | None]:
    """Look, at every step, whether it is proved that nothing below a process can move any more.

    Args:
        root: the run's first process; nobody in it waits for turns any more.
        directory: private to the session.
        names: what to call the processes.
    """
    prover = Prover(root, directory)
    while True:
        state = prover.look()
        yield None if state is None else judge(state, ask(directory, state), "", names)
        until_s = time.monotonic() + prover.settle_s
        while time.monotonic() < until_s:
            yield None


def verdict_on(root: int, directory: str, names: Mapping[int, str], limit: str) -> Verdict:
    """The verdict on a run that has run out of time."""
    state = examine(root, directory)
    return judge(state, ask(directory, state), limit, names)
