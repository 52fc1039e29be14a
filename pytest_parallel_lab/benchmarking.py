"""pytest-benchmark with parallel runs: the parallel section's time, facts and groups."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab.model.implementation import implementation_of

if TYPE_CHECKING:
    from pytest_parallel_lab.lease import Lease
    from pytest_parallel_lab.model.outcome import Outcome
    from pytest_parallel_lab.model.scaling_curve import ScalingCurve

_RUN_FIXTURES = {"parallel_run"}
_excluded_s = 0.0


def section_clock() -> float:
    """A clock that stands still while a run is sent, started and fetched: only its section counts.

    It is real time minus the time that finished runs spent outside their parallel sections, so
    whatever else a benchmarked function does is timed as ever.
    """
    return time.perf_counter() - _excluded_s


def exclude(elapsed_s: float) -> None:
    """Take time that has passed out of the clock."""
    global _excluded_s
    _excluded_s += elapsed_s


def record(fixture: Any, lease: Lease, outcome: Outcome, name: str, args: tuple[Any, ...], run_s: float) -> None:
    """Exclude what a run of ``run_s`` spent outside its section, and put the facts beside the benchmark."""
    # While pytest-benchmark calibrates (it has no stats yet), time counts as it passes: it would
    # choose far too many rounds for a section much shorter than its dispatch.
    if fixture.stats is not None:
        exclude(run_s - outcome.elapsed_s)
    fixture.extra_info.update(
        {
            "implementation": name,
            "backend": outcome.backend,
            "workers": outcome.workers,
            "size": [describe_size(a) for a in args],
            "start_method": lease.settings.start_method_in_force,
            "oversubscribed": lease.oversubscribed,
            **outcome.facts,
        }
    )


def describe_size(value: Any) -> Any:
    """An argument's size: an array's shape, a number itself, a collection's length."""
    if hasattr(value, "shape"):
        return "x".join(map(str, value.shape)) or "scalar"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return len(value) if hasattr(value, "__len__") else type(value).__name__


def prepare(item: pytest.Item) -> None:
    """Give a benchmark of parallel runs our clock, and a group of all that compute the same."""
    fixtures = set(getattr(item, "fixturenames", ()))
    if "benchmark" not in fixtures or not fixtures & _RUN_FIXTURES:
        return
    mark = item.get_closest_marker("benchmark")
    given = dict(mark.kwargs) if mark else {}
    args = mark.args if mark else ()
    chosen = {"timer": section_clock, "group": _group(item), **given}
    item.add_marker(pytest.mark.benchmark(*args, **chosen), append=False)


def _group(item: pytest.Item) -> str:
    """What is computed: the test's name and those of its parameters that do not say how."""
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    how = {"parallel_backend", "parallel_workers", *(n for n, v in params.items() if implementation_of(v))}
    ids = dict(zip(params, callspec._idlist)) if callspec else {}
    what = [str(ids.get(name, value)) for name, value in params.items() if name not in how]
    name = getattr(item, "originalname", item.name)
    return " ".join([name.removeprefix("test_"), *what])


@contextlib.contextmanager
def without_dispatch(fixture: Any) -> Iterator[None]:
    """Have runs excluded from a benchmark's clock but for their sections, as if it had begun to record."""
    fixture.stats = ()
    try:
        yield
    finally:
        fixture.stats = None


class _Replayed:
    """Times that were measured before, as a clock and a function for pytest-benchmark: it comes to them anew."""

    def __init__(self, times_s: Sequence[float]) -> None:
        self._times_s = iter(times_s)
        self._now_s = 0.0

    def clock(self) -> float:
        """The time by now."""
        return self._now_s

    def run(self) -> None:
        """Let the next time pass."""
        self._now_s += next(self._times_s)


def replay(fixture: Any, times_s: Sequence[float], pedantic: Callable[..., Any]) -> None:
    """Have a benchmark fixture record times that were measured without it.

    Args:
        fixture: it.
        times_s: the times.
        pedantic: its own method, where another one has taken that one's place.
    """
    replayed = _Replayed(times_s)
    fixture._timer = replayed.clock
    pedantic(fixture, replayed.run, rounds=len(times_s))


def is_recording(config: pytest.Config) -> bool:
    """Whether benchmarks are to be measured; skips the running test where they are not to be run at all."""
    session = getattr(config, "_benchmarksession", None)
    if session is not None and session.skip:
        pytest.skip("Benchmarks are skipped (--benchmark-skip was used).")
    return session is None or not session.disabled


def count_as_benchmarks(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Have ``--benchmark-only`` keep tests that measure curves, which do without the benchmark fixture."""
    if not config.getoption("benchmark_only", False):
        return
    for item in items:
        if "scaling" in getattr(item, "fixturenames", ()):
            reason = "Skipping non-benchmark (--benchmark-only active)."
            item.own_markers = [mark for mark in item.own_markers if mark.kwargs.get("reason") != reason]


def record_curve(item: pytest.Item, curve: ScalingCurve, number: str = "") -> None:
    """Make every point of a curve, and its serial times, a benchmark; the curve is in their ``extra_info``.

    Args:
        item: the test.
        curve: what it has measured.
        number: tells the second curve of a test, and all later ones, from the first.
    """
    from pytest_parallel_lab.model.curve_files import KEY

    session = getattr(item.config, "_benchmarksession", None)
    if session is None:  # -p no:benchmark
        return
    if curve.serial_times_s:
        facts = {"implementation": curve.machine["serial"], "backend": "serial", "workers": 1}
        _record_times(item, session, f"serial{number}", curve.serial_times_s, facts)
    for point in curve.points:
        facts = {"implementation": curve.name, "backend": curve.backend, "workers": point.workers}
        facts["oversubscribed"] = point.oversubscribed
        facts[KEY] = replace(curve, points=(point,)).to_json()
        _record_times(item, session, f"{point.workers}w{number}", point.times_s, facts)


def _record_times(
    item: pytest.Item, session: Any, label: str, times_s: Sequence[float], facts: Mapping[str, Any]
) -> None:
    replayed = _Replayed(times_s)
    fixture = _fixture(item, session, replayed.clock)
    fixture.name, fixture.fullname = (f"{name}[{label}]" for name in (item.name, item.nodeid))
    fixture.extra_info.update(facts)
    fixture.pedantic(replayed.run, rounds=len(times_s))


def _fixture(item: pytest.Item, session: Any, clock: Callable[[], float]) -> Any:
    """What pytest-benchmark would give a test, with a clock of ours."""
    from pytest_benchmark.fixture import BenchmarkFixture
    from pytest_benchmark.utils import NameWrapper

    mark = item.get_closest_marker("benchmark")
    options = {"group": _group(item), **(mark.kwargs if mark else {})}
    options["timer"] = NameWrapper(clock)  # type: ignore[no-untyped-call]
    return BenchmarkFixture(  # type: ignore[no-untyped-call]
        item,
        add_stats=session.benchmarks.append,
        logger=session.logger,
        warner=item.warn,
        disabled=False,
        **{**session.options, **options},
    )
