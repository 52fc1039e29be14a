"""Measuring curves: what is timed, where it goes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_parallel_lab import BadSetting, Lab, Mismatch, ReturnedEarly
from pytest_parallel_lab.backends.builtin import builtin_backends
from pytest_parallel_lab.backends.threads import ThreadsBackend
from pytest_parallel_lab.scaling.arms import leased
from pytest_parallel_lab.scaling.empty import EMPTY, PARTS, moment_of
from pytest_parallel_lab.scaling.measure import Measured, measure
from pytest_parallel_lab.scaling.plan import ScalingPlan
from tests import scaled

QUICK: dict[str, Any] = {"workers": [1, 2], "rounds": 2, "seconds": 0}
TELLING = [
    pytest.param(scaled.thread_map, "threads", id="threads"),
    pytest.param(scaled.pool_map, "processes", id="processes"),
    pytest.param(scaled.executor_map, "executor", id="executor"),
    pytest.param(scaled.view_map, "ipyparallel", id="ipyparallel", marks=pytest.mark.ipyparallel),
    pytest.param(scaled.mpi_blocks, "mpi", id="mpi", marks=pytest.mark.mpi),
]


class _Own(ThreadsBackend):
    """What a third party might add."""

    name = "own"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(backends=[*builtin_backends(), _Own()]) as made:
        yield made


def curve_of(lab: Lab, function: Callable[..., Any], backend: str, n: int = 4, **options: Any) -> Measured:
    plan = ScalingPlan.of("here", **{**QUICK, **options.pop("plan", {})})
    given: dict[str, Any] = {"reference": scaled.squares, **options}
    return measure(lab, function, (range(n),), {}, plan, backend=backend, **given)


@pytest.mark.parametrize(("function", "backend"), TELLING)
def test_every_backend_tells_where_the_time_goes(lab: Lab, function: Callable[..., Any], backend: str) -> None:
    if reason := lab.missing(backend):
        pytest.skip(reason)
    # Every point takes two clusters of its own, and each of these seconds to start.
    workers = [2] if backend == "ipyparallel" else [1, 2]
    measured = curve_of(lab, function, backend, plan={"workers": workers})
    curve = measured.curve
    assert curve.workers == tuple(workers)
    assert [len(point.times_s) for point in curve.points] == [2] * len(workers)
    assert len(curve.serial_times_s) == 2
    for point in curve.points:
        assert len(point.breakdown) == 2
        assert point.resolution_s > 0  # nobody is handed a task, and wakes up, in no time
        for round_ in point.breakdown:
            assert len(round_) == point.workers
            assert all(one.startup_s > 0 for one in round_)
            # All sleep for as long as they have tasks; nobody can have slept for less.
            assert sum(one.compute_s for one in round_) >= 4 * scaled.TASK_S
    assert curve.serial_resolution_s > 0
    for count, section in measured.sections.items():
        for seconds in section.seconds():
            assert sum(seconds.values()) == pytest.approx(section.elapsed_s)
        assert section.workers == count


@pytest.mark.parametrize(("name", "empty"), EMPTY.items())
def test_a_section_without_work_lasts_as_long_as_its_sleep(lab: Lab, name: str, empty: Callable[..., None]) -> None:
    if reason := lab.missing(name):
        pytest.skip(reason)
    with leased(lab, name, 1 if name == "serial" else 2, None) as lease:
        outcome = lease.run(empty, 0.004, timed=True)
    assert outcome.result() is None
    assert outcome.elapsed_s >= PARTS * 0.004


def test_what_dispatch_costs_on_a_backend_of_your_own_is_not_known(lab: Lab) -> None:
    curve = curve_of(lab, scaled.thread_map, "own", n=1).curve
    assert [point.resolution_s for point in curve.points] == [0, 0]
    assert curve.serial_resolution_s > 0
    told = "what dispatch and wake-ups cost on own is not known: intervals hold the noise from round to round only"
    assert told in curve.machine["warnings"]


def test_sleeps_beside_a_section_are_a_small_part_of_it() -> None:
    assert [moment_of(time_s) for time_s in (1e-6, 0.1, 0.4, 1e3)] == [1e-3, 5e-3, 0.02, 0.05]


@pytest.mark.parametrize(("function", "backend"), TELLING[1:3])
def test_a_spawned_worker_tells_too(lab: Lab, function: Callable[..., Any], backend: str) -> None:
    section = curve_of(lab, function, backend, start_method="spawn", plan={"workers": [2]}).sections[2]
    assert sum(seconds["compute"] for seconds in section.seconds()) >= 4 * scaled.TASK_S
    assert {span.name for span in section.spans if span.kind == "compute"} == {"nap"}


@pytest.mark.parametrize(("function", "backend"), TELLING[:3])
def test_task_times_are_those_of_one_worker(lab: Lab, function: Callable[..., Any], backend: str) -> None:
    times = curve_of(lab, function, backend, plan={"workers": [1]}).curve.task_times_s
    assert [len(round_) for round_ in times] == [4, 4]
    assert all(time_s >= scaled.TASK_S for round_ in times for time_s in round_)


def test_imbalance_is_seen(lab: Lab) -> None:
    """One of two workers sleeps three times 10 ms, the other once: 30 over a mean of 20."""
    found = curve_of(lab, scaled.uneven, "processes", n=4, plan={"workers": [2]}).curve.imbalance(2)
    assert 1.2 < found.value <= 2


def test_a_collective_is_waiting_until_the_last_has_come(lab: Lab) -> None:
    if reason := lab.missing("mpi"):
        pytest.skip(reason)
    for one, two in curve_of(lab, scaled.mpi_blocks, "mpi", n=9, plan={"workers": [2]}).curve.point(2).breakdown:
        assert one.waiting_s < two.waiting_s  # with a task less, it comes first


def test_the_fastest_reference_counts(lab: Lab) -> None:
    plan = ScalingPlan.of("here", **{**QUICK, "workers": [1]})
    slow_first = [scaled.slow_squares, scaled.squares]
    args = (range(1),)
    curve = measure(lab, scaled.thread_map, args, {}, plan, backend="threads", reference=slow_first).curve
    assert curve.machine["serial"] == "squares"


def test_weak_scaling_gives_every_worker_as_much(lab: Lab) -> None:
    plan = ScalingPlan.of("here", mode="weak", **QUICK)
    curve = measure(
        lab,
        scaled.thread_map,
        (),
        {},
        plan,
        backend="threads",
        reference=scaled.squares,
        arguments=lambda workers: (range(2 * workers),),
    ).curve
    assert curve.mode == "weak"
    assert all(time_s >= 2 * scaled.TASK_S for point in curve.points for time_s in point.times_s)
    assert all(sum(w.compute_s for w in r) >= 4 * scaled.TASK_S for r in curve.point(2).breakdown)


def test_it_says_that_it_never_was_narrow(lab: Lab) -> None:
    told = curve_of(lab, scaled.thread_map, "threads", n=1, plan={"narrow": 0.0}).curve.machine["warnings"]
    assert "some interval is wider than 0% of its median on either side: give it more seconds" in told


def test_it_ends_when_all_is_narrow(lab: Lab) -> None:
    plan = {"workers": [2], "rounds": 6, "seconds": 600, "narrow": 1e9}
    curve = curve_of(lab, scaled.thread_map, "threads", n=1, plan=plan).curve
    assert len(curve.serial_times_s) == 6
    assert not any("wider" in told for told in curve.machine["warnings"])


def test_the_machine_is_known(lab: Lab) -> None:
    machine = curve_of(lab, scaled.thread_map, "threads", n=1).curve.machine
    assert machine["blas_threads_per_worker"] == 1
    for name in ("host", "processor", "usable_cores", "load", "python", "versions", "governor", "affinity", "commit"):
        assert name in machine


@pytest.mark.parametrize("function", [scaled.too_early, scaled.too_early_too, scaled.too_early_as_well])
def test_one_that_returns_before_its_work_is_done(lab: Lab, function: Callable[..., Any]) -> None:
    backend = function.__parallel_implementation__.backend  # type: ignore[attr-defined]
    text = rf"{function.__name__} \({backend}, 1 worker\) returned before its work was done: its tasks were still out"
    with pytest.raises(ReturnedEarly, match=text):
        curve_of(lab, function, backend)


def test_a_wrong_fast_result_is_no_curve(lab: Lab) -> None:
    with pytest.raises(Mismatch, match=r"wrong \(threads, 1 worker\)"):
        curve_of(lab, scaled.wrong, "threads")


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"rounds": 0}, "here: rounds=0 is not a whole number of at least 1"),
        ({"rounds": 2.5}, "here: rounds=2.5 is not a whole number of at least 1"),
        ({"seconds": -1}, "here: seconds=-1 is not a number of at least 0"),
        ({"seconds": float("nan")}, "here: seconds=nan is not a number of at least 0"),
        ({"mode": "week"}, "here: mode: unknown kind of scaling 'week'; did you mean 'weak'?"),
        ({"workers": [0]}, "here: workers: 0 is not a number of workers"),
        ({"workers": "1,x"}, "here: workers: 'x' is not a number of workers"),
    ],
)
def test_plans_that_mean_nothing(plan: dict[str, Any], text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        ScalingPlan.of("here", **plan)
    assert str(caught.value).startswith(text)


def test_weak_scaling_wants_to_know_how_to_grow(lab: Lab) -> None:
    with pytest.raises(BadSetting, match=r"scaling\(thread_map\): mode='weak' needs arguments=: a function"):
        curve_of(lab, scaled.thread_map, "threads", plan={"mode": "weak"})
    with pytest.raises(BadSetting, match=r"arguments= is for mode='weak'"):
        curve_of(lab, scaled.thread_map, "threads", arguments=lambda workers: (range(workers),))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"reference": 3}, "scaling(thread_map): reference=3 is neither a serial function nor a list of them"),
        ({"rtol": -1}, "scaling(thread_map): rtol=-1 is not a number of at least 0"),
        (
            {"plan": {"mode": "weak"}, "arguments": lambda workers: workers},
            "scaling(thread_map): arguments(1) gave 1; give a tuple, as in lambda p: (n * p,)",
        ),
    ],
)
def test_options_that_mean_nothing(lab: Lab, options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadSetting) as caught:
        curve_of(lab, scaled.thread_map, "threads", **options)
    assert str(caught.value) == text


@pytest.mark.parametrize("function", [scaled.leaves_a_thread, scaled.leaves_a_process])
def test_one_that_leaves_something_running(lab: Lab, function: Callable[..., Any]) -> None:
    with pytest.raises(ReturnedEarly, match="a thread or process of its own still ran"):
        curve_of(lab, function, "threads")


def test_threads_of_the_pool_are_nobodys(lab: Lab) -> None:
    curve_of(lab, scaled.asks_for_more_later, "threads", plan={"rounds": 6, "workers": [2]})


def test_without_a_reference_all_counts_have_to_agree(lab: Lab) -> None:
    plan = ScalingPlan.of("here", **QUICK)
    with pytest.raises(Mismatch, match=r"as_many_as_workers \(threads, 2 workers\)"):
        measure(lab, scaled.as_many_as_workers, (range(4),), {}, plan, backend="threads")


def test_every_round_is_checked(lab: Lab) -> None:
    with pytest.raises(Mismatch, match=r"wrong_after_a_while \(threads, 1 worker\)"):
        curve_of(lab, scaled.wrong_after_a_while, "threads", plan={"rounds": 6, "workers": [1]})


@pytest.mark.parametrize("function", [scaled.with_a_pool_of_threads, scaled.in_tasks_a_pool_of_threads])
def test_pools_of_threads_inside_are_left_alone(lab: Lab, function: Callable[..., Any]) -> None:
    curve = curve_of(lab, function, "processes", plan={"workers": [2]}).curve
    assert curve.workers == (2,)


@pytest.mark.parametrize("backend", ["threads", "processes", "executor"])
def test_tasks_may_be_called_anything(lab: Lab, backend: str) -> None:
    plan = ScalingPlan.of("here", **{**QUICK, "workers": [2], "rounds": 1})
    section = measure(lab, scaled.strange_tasks, (), {}, plan, backend=backend).sections[2]
    assert {span.name for span in section.spans if span.kind == "compute"} >= {"len", "task"}


def test_the_first_error_is_told_and_not_what_it_left_behind(lab: Lab) -> None:
    with pytest.raises(ValueError, match="boom"):
        curve_of(lab, scaled.closes_and_raises, "processes")
