"""Those who have their turn in every round: an implementation on so many workers, or a serial reference."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.agreement import check_agreement
from pytest_parallel_lab.model.errors import LeftOver
from pytest_parallel_lab.model.implementation import name_of

if TYPE_CHECKING:
    from pytest_parallel_lab.lab import Lab
    from pytest_parallel_lab.lease import Lease
    from pytest_parallel_lab.model.outcome import Outcome


@dataclass
class Arm:
    """One that has its turn in every round.

    Attributes:
        function: the implementation or reference.
        backend: that it runs on.
        workers: how many it has.
        args: its arguments.
        kwargs: more of them.
        lease: its workers.
        startup_s: seconds until they were up.
        right: what it has to give, once that is known.
        rtol: relative tolerance of that.
        atol: absolute tolerance of that.
        times_s: of all rounds.
        empty_s: what sections without work took in all rounds.
    """

    function: Callable[..., Any]
    backend: str
    workers: int
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    lease: Lease
    startup_s: float
    right: list[Any] = field(default_factory=list)
    rtol: float = 0.0
    atol: float = 0.0
    times_s: list[float] = field(default_factory=list)
    empty_s: list[float] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Who has its turn."""
        if self.backend == "serial":
            return f"{name_of(self.function)} (serial)"
        plural = "s" if self.workers > 1 else ""
        return f"{name_of(self.function)} ({self.backend}, {self.workers} worker{plural})"

    def run(self, *, timed: bool = False, on: Lease | None = None) -> Outcome:
        """Run it once, on its own workers or others, and check what comes of it.

        Raises:
            Mismatch: that is not right.
            Exception: whatever it raises.
        """
        __tracebackhide__ = True
        outcome = (on or self.lease).run(self.function, *self.args, timed=timed, **self.kwargs)
        result = outcome.result()
        for right in self.right:
            check_agreement(result, right, self.label, rtol=self.rtol, atol=self.atol)
        return outcome


@contextlib.contextmanager
def leased(lab: Lab, backend: str, workers: int, start_method: str | None, *, spans: bool = False) -> Iterator[Lease]:
    """Workers for a while. What is left in them is told, unless something else has gone wrong before."""
    __tracebackhide__ = True
    lease = lab.lease(backend, workers, start_method, spans=spans)
    try:
        yield lease
    finally:
        failed = sys.exc_info()[0] is not None
        try:
            lease.end()
        except LeftOver:
            if not failed:
                raise


def settle_what_is_right(
    points: Sequence[Arm], references: Sequence[Callable[..., Any]], *, same_work: bool
) -> Outcome:
    """Run every point once, which warms it up too, and settle what it has to give from now on.

    That is what the references give for its arguments; without any, what the first point gives, if
    all do the same work. Where they do, that is found out once.

    Returns:
        What became of the first point's run.

    Raises:
        Mismatch: a point gives something else.
    """
    __tracebackhide__ = True
    first: Outcome | None = None
    for point in points:
        if first is None or not same_work:
            point.right = [one(*point.args, **point.kwargs) for one in references]
        else:
            point.right = points[0].right or [first.result()]
        outcome = point.run()
        first = first or outcome
    assert first is not None  # there is a worker count at least
    return first
