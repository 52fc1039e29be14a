"""The benchmark fixture on a side of a gate: it measures in turns with the other side, not all at once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pytest_parallel_lab import benchmarking
from pytest_parallel_lab.gating.measuring import Clock, MeasuringSide

_LEAD_FROM = 4  # calls in a sample, from which on one more goes before: the other side has had the caches


class _Timed:
    """What a benchmark calls, and what came of it."""

    def __init__(
        self,
        target: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        setup: Callable[[], Any] | None,
        teardown: Callable[..., Any] | None,
    ) -> None:
        self._target = target
        self._given = args, kwargs
        self._setup = setup
        self._teardown = teardown
        self.result: Any = None
        self.taken_s: list[float] = []

    def sample(self, loops: int, clock: Clock) -> dict[str, float]:
        """Call it so often, and say how long one call took."""
        if loops >= _LEAD_FROM:
            self._once(clock)
        if self._setup is None and self._teardown is None:
            elapsed_s = self._in_a_row(loops, clock)
        else:
            elapsed_s = sum(self._once(clock) for _ in range(loops))
        self.taken_s.append(elapsed_s / loops)
        return {"": elapsed_s / loops}

    def _in_a_row(self, loops: int, clock: Clock) -> float:
        target, (args, kwargs), result = self._target, self._given, None
        began_s = clock()
        for _ in range(loops):
            result = target(*args, **kwargs)
        elapsed_s = clock() - began_s
        self.result = result
        return elapsed_s

    def _once(self, clock: Clock) -> float:
        args, kwargs = (self._setup() if self._setup else None) or self._given
        began_s = clock()
        self.result = self._target(*args, **kwargs)
        elapsed_s = clock() - began_s
        if self._teardown is not None:
            self._teardown(*args, **kwargs)
        return elapsed_s


def measure_in_turns(side: MeasuringSide) -> None:
    """Have all benchmark fixtures of this process do so. Their ``stats`` tell of it afterwards, as ever."""
    from pytest_benchmark.fixture import BenchmarkFixture

    record = BenchmarkFixture.pedantic

    def pedantic(
        fixture: Any,
        target: Callable[..., Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        timed = _Timed(target, args, kwargs or {}, setup, teardown)
        collects = gc.isenabled()
        if getattr(fixture, "_disable_gc", False):
            gc.disable()
        try:
            with benchmarking.without_dispatch(fixture):
                side.section("benchmark", timed.sample, lambda: (timed.result, fixture.extra_info))
                if not timed.taken_s:  # the other side has not come here
                    timed.sample(1, benchmarking.section_clock)
        finally:
            if collects:
                gc.enable()
        benchmarking.replay(fixture, timed.taken_s, record)
        return timed.result

    def call(fixture: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return pedantic(fixture, function, args, kwargs)

    for name, method in (("pedantic", pedantic), ("__call__", call)):
        setattr(BenchmarkFixture, name, method)
