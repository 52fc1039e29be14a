"""Measuring a scaling curve: rounds over all worker counts and the serial reference, in random order."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import BadSetting, ParallelError
from pytest_parallel_lab.model.implementation import backend_of, name_of
from pytest_parallel_lab.model.resolution import resolution_of
from pytest_parallel_lab.model.scaling_curve import ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.model.statistics import median_interval
from pytest_parallel_lab.model.timeline import COMMUNICATION, COMPUTE, WAITING, Section
from pytest_parallel_lab.scaling.arms import Arm, leased, settle_what_is_right
from pytest_parallel_lab.scaling.empty import EMPTY, empty_s
from pytest_parallel_lab.scaling.machine import machine_facts
from pytest_parallel_lab.scaling.plan import LEAST_ROUNDS, ScalingPlan

if TYPE_CHECKING:
    from pytest_parallel_lab.lab import Lab

_TRACED_ROUNDS = LEAST_ROUNDS  # in which workers tell what they do, for an interval of the imbalance
_MOST_TIMES_THE_ROUNDS = 5
_FEW_TASKS = 2  # that are no chunks of a map, but its blocks

Show = Callable[[str], None]
Rounds = Callable[[Sequence[Arm], Sequence[Arm]], bool]
"""Measures references and points round by round, and says whether it is enough."""


class ReturnedEarly(ParallelError):
    """An implementation returned before the work that it had handed out was done."""


ReturnedEarly.__module__ = __name__.partition(".")[0]  # where users import it from


@dataclass
class Measured:
    """A curve with a run of every point to look at.

    Attributes:
        curve: what was measured.
        sections: by worker count, a run in which the workers told what they did.
    """

    curve: ScalingCurve
    sections: dict[int, Section]


def measure(
    lab: Lab,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    plan: ScalingPlan,
    *,
    backend: str,
    reference: Callable[..., Any] | Sequence[Callable[..., Any]] = (),
    arguments: Callable[[int], Sequence[Any]] | None = None,
    rtol: float = 0.0,
    atol: float = 0.0,
    size: float = 1.0,
    unit: str = "runs",
    start_method: str | None = None,
    once: bool = False,
    rounds: Rounds | None = None,
    show: Show | None = None,
) -> Measured:
    """Measure one implementation over worker counts.

    Every round measures each worker count and each serial reference once, in an order drawn anew, so
    that what the machine does meanwhile hits all of them alike; and on the same workers a section that holds
    no work, which says what of it is dispatch and wake-ups. Times are those of the parallel
    section, by the workers' own clocks. Where they go is told by runs of their own, as telling it
    takes time too.

    Args:
        lab: leases the workers.
        function: the implementation.
        args: its arguments.
        kwargs: more of them.
        plan: worker counts, rounds, and how well.
        backend: that it runs on.
        reference: serial functions of the same arguments; the fastest one's times are the serial times,
            and all results have to agree with it.
        arguments: of weak scaling: the arguments for p workers, in place of ``args``.
        rtol: relative tolerance of that.
        atol: absolute tolerance of that.
        size: units of work in the arguments, or of weak scaling for one worker.
        unit: what they are.
        start_method: of ``multiprocessing``.
        once: run and compare everything once only; the curve's times have no interval.
        rounds: makes the rounds, in place of ours; then it is not found out where the time goes.
        show: told how far it is.

    Raises:
        BadSetting: weak scaling without ``arguments``, or the other way round.
        Mismatch: a result differs from the reference's.
        ReturnedEarly: a result came before its work was done.
        Exception: whatever an implementation raises.
    """
    __tracebackhide__ = True
    references = [reference] if callable(reference) else reference
    grown = _grown(f"scaling({name_of(function)})", args, plan, references, arguments, rtol, atol)
    facts = machine_facts()
    with contextlib.ExitStack() as leases:

        def arm(one: Callable[..., Any], name: str, workers: int) -> Arm:
            began_s = time.perf_counter()
            lease = leases.enter_context(leased(lab, name, workers, start_method))
            startup_s = time.perf_counter() - began_s
            return Arm(one, name, workers, grown(workers), kwargs, lease, startup_s, rtol=rtol, atol=atol)

        serial = [arm(one, "serial", 1) for one in references]
        points = [arm(function, backend, workers) for workers in plan.workers]
        first = settle_what_is_right(points, references, same_work=plan.mode == "strong")
        facts["blas_threads_per_worker"] = first.facts.get("blas_threads_per_worker")
        for one in serial:
            one.run()
        narrow = rounds(serial, points) if rounds else _rounds([*serial, *points], plan, once, show)
        if not narrow and not once:
            facts["warnings"].append(
                f"some interval is wider than {plan.narrow:.0%} of its median on either side: give it more seconds"
            )
        if backend not in EMPTY:
            facts["warnings"].append(
                f"what dispatch and wake-ups cost on {backend} is not known: intervals hold the noise from round to "
                "round only"
            )
        traced: dict[int, list[Section]] = {}
        for one in points if rounds is None else ():
            traced[one.workers] = _traced(lab, one, start_method, 1 if once else min(_TRACED_ROUNDS, plan.rounds), show)
    best = min(serial, key=lambda one: median_interval(one.times_s).value, default=None)
    curve = ScalingCurve(
        name=name_of(function),
        backend=backend,
        mode=plan.mode,
        points=tuple(_point(one, traced.get(one.workers, [])) for one in points),
        serial_times_s=tuple(best.times_s) if best else (),
        size=size,
        unit=unit,
        machine={**facts, "serial": name_of(best.function) if best else None},
        interleaved=True,
        task_times_s=_task_times_s(traced.get(1, [])),
        serial_resolution_s=_resolution_s(best) if best else 0.0,
    )
    return Measured(curve, {workers: sections[-1] for workers, sections in traced.items() if sections})


def _grown(
    source: str,
    args: Sequence[Any],
    plan: ScalingPlan,
    references: Any,
    arguments: Callable[[int], Sequence[Any]] | None,
    rtol: float,
    atol: float,
) -> Callable[[int], Sequence[Any]]:
    """The arguments for so many workers, once all that was asked for means something."""
    if plan.mode == "weak" and arguments is None:
        raise BadSetting(f"{source}: mode='weak' needs arguments=: a function from workers to a tuple of arguments")
    if plan.mode != "weak" and arguments is not None:
        raise BadSetting(f"{source}: arguments= is for mode='weak', where the work grows with the workers")
    if not isinstance(references, Sequence) or not all(map(callable, references)):
        raise BadSetting(f"{source}: reference={references!r} is neither a serial function nor a list of them")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not value >= 0:
            raise BadSetting(f"{source}: {name}={value!r} is not a number of at least 0")

    def grown(workers: int) -> Sequence[Any]:
        given = args if arguments is None else arguments(workers)
        if not isinstance(given, (tuple, list)):
            raise BadSetting(f"{source}: arguments({workers}) gave {given!r}; give a tuple, as in lambda p: (n * p,)")
        return given

    return grown


def _rounds(arms: Sequence[Arm], plan: ScalingPlan, once: bool, show: Show | None) -> bool:
    """Round after round, until all is narrow or the time is over; whether it is narrow."""
    __tracebackhide__ = True
    draw = random.Random(plan.seed)
    telling = [one for one in arms if one.backend in EMPTY]
    began_s = time.monotonic()
    most = 1 if once else plan.rounds * _MOST_TIMES_THE_ROUNDS
    for number in range(1, most + 1):
        for one in draw.sample(arms, len(arms)):
            if show is not None:
                show(f"round {number}: {one.label}, {time.monotonic() - began_s:.0f} of {plan.seconds:g} s")
            one.times_s.append(one.run(timed=True).elapsed_s)
        if not once:
            for one in draw.sample(telling, len(telling)):
                one.empty_s.append(empty_s(one))
        if number >= plan.rounds:
            narrow = all(_is_narrow(one.times_s, plan.narrow) for one in arms)
            if narrow or time.monotonic() - began_s > plan.seconds:
                return narrow
    return False


def _is_narrow(times_s: Sequence[float], share: float) -> bool:
    found = median_interval(times_s)
    return found.has_interval and max(found.high - found.value, found.value - found.low) <= share * found.value


def _traced(lab: Lab, one: Arm, start_method: str | None, rounds: int, show: Show | None) -> list[Section]:
    """Runs in which the workers tell what they do."""
    __tracebackhide__ = True
    sections = []
    with leased(lab, one.backend, one.workers, start_method, spans=True) as lease:
        for number in range(rounds + 1):
            if show is not None:
                show(f"where the time goes: {one.label}, {number} of {rounds}")
            section = one.run(on=lease).section
            if section is None:  # a backend that does not tell
                return []
            if section.outstanding or (number and section.left_running):  # the first may start what serves them all
                what = "its tasks were still out" if section.outstanding else "a thread or process of its own still ran"
                raise ReturnedEarly(
                    f"{one.label} returned before its work was done: {what}. Its time would be too short: wait for "
                    "all results, as with .get(), .result() or list(...), and join what it has started"
                )
            if number:  # the first one warms up
                sections.append(section)
    return sections


def _point(one: Arm, sections: Sequence[Section]) -> ScalingPoint:
    return ScalingPoint(
        workers=one.workers,
        times_s=tuple(one.times_s),
        breakdown=tuple(
            tuple(
                WorkerTimes(kinds[COMPUTE], kinds[COMMUNICATION], kinds[WAITING], one.startup_s)
                for kinds in section.seconds()
            )
            for section in sections
        ),
        oversubscribed=one.workers > usable_cores(),
        resolution_s=_resolution_s(one),
    )


def _resolution_s(one: Arm) -> float:
    return resolution_of(one.empty_s) if one.empty_s else 0.0


def _task_times_s(sections: Sequence[Section]) -> tuple[tuple[float, ...], ...]:
    """Of every round on one worker, the seconds of its tasks; none where it was not told, or there was only one."""
    rounds = tuple(section.task_times_s() for section in sections)
    if len({len(times) for times in rounds}) != 1 or len(rounds[0]) < _FEW_TASKS:
        return ()
    return rounds


def measure_scaling(
    lab: Lab, function: Callable[..., Any], *args: Any, backend: str | None = None, **options: Any
) -> ScalingCurve:
    """Measure a curve from a script; ``options`` are those of ``ScalingPlan`` and of ``measure``."""
    __tracebackhide__ = True
    planned = {name: options.pop(name) for name in [*options] if name in ScalingPlan.__dataclass_fields__}
    plan = ScalingPlan.of(f"scaling({name_of(function)})", **planned)
    kwargs = options.pop("kwargs", {})
    return measure(lab, function, args, kwargs, plan, backend=backend_of(function, backend), **options).curve
