"""Beyond this machine: a measured curve's tasks on any number of workers, with what messages cost here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import mean, stdev

from pytest_parallel_lab.model.least_squares import student_quantile
from pytest_parallel_lab.model.projection import Projection
from pytest_parallel_lab.model.scaling_curve import ScalingCurve, WorkerTimes
from pytest_parallel_lab.model.statistics import Estimate, ratio_paired
from pytest_parallel_lab.scaling.communication import Communication

_FEW_TASKS = 2000
_REPLICATES = (199, 79)
"""How many runs are simulated up to that many tasks, and beyond: an answer should not take minutes."""


def why_no_projection(curve: ScalingCurve) -> str | None:
    """Why a curve cannot be projected; None where it can."""
    if curve.mode == "weak":
        return "tasks were measured of the work of one worker; measure strong scaling of the whole work"
    if curve.task_times_s:
        return None
    if 1 not in curve.workers:
        return "it starts from the times of tasks on one worker, and one worker was not measured"
    if curve.backend == "mpi":
        return "it starts from the times of tasks on one worker, and ranks compute without being handed tasks"
    return "it starts from the times of tasks on one worker, and there the work was not handed out in several tasks"


def project_curve(
    curve: ScalingCurve,
    workers: int,
    decomposition: str,
    communication: Communication | None = None,
    *,
    chunk: int = 1,
    crowded: bool = True,
    seed: int = 0,
) -> Projection:
    """Project a curve's time on more workers.

    A task's time is that measured on one worker, with its share of what that worker spent on taking tasks
    and giving results. What it waited for, as arguments were being prepared and results put
    together, is taken for serial, but for the master's service. Where several workers were measured
    too, tasks take as much longer as they did there, beside each other on cores that share memory and caches.

    Args:
        curve: with times of tasks.
        workers: p.
        decomposition: "block", "cyclic" or "dynamic".
        communication: as measured on the same backend; gives the master's service of dynamic tasks. None
            to take it for nothing.
        chunk: tasks that go together.
        crowded: tasks take as long as beside others, where that is known; else as long as alone.
        seed: of the simulated runs.

    Raises:
        BadSetting: there are no times of tasks.
    """
    tasks = len(curve.task_times_s[0]) if curve.task_times_s else 0
    service = communication.service_s() if communication else Estimate(0.0, 0.0, 0.0)
    return replace(curve, task_times_s=_task_times_s(curve, crowded)).project(
        workers,
        decomposition,
        chunk=chunk,
        service_s=service if decomposition == "dynamic" else 0.0,
        serial_s=waited_s(curve, tasks * service.value),
        replicates=_REPLICATES[tasks > _FEW_TASKS] if curve.confidence <= 0.95 else None,
        seed=seed,
    )


def waited_s(curve: ScalingCurve, service_s: float = 0.0) -> Estimate:
    """Seconds that one worker waits in another run, without the master's service of all tasks."""
    waits = [sum(one.waiting_s for one in workers) for workers in _on_one_worker(curve)]
    if not waits:
        return Estimate(0.0, 0.0, 0.0)
    return predicted([max(0.0, seconds - service_s) for seconds in waits], curve.confidence)


def crowd_of(curve: ScalingCurve) -> int | None:
    """The most workers that computed side by side, with a core each, and told for how long; None where none did."""
    points = [one for one in curve.points if one.workers > 1 and not one.oversubscribed]
    rounds = len(_on_one_worker(curve))
    return next((one.workers for one in reversed(points) if rounds and len(one.breakdown) == rounds), None)


def slow_down(curve: ScalingCurve) -> Estimate | None:
    """By what factor all tasks together take longer beside each other than alone; None where it was not measured."""
    crowd = crowd_of(curve)
    if crowd is None:
        return None
    beside, alone = _compute_s(curve.point(crowd).breakdown), _compute_s(_on_one_worker(curve))
    if not all((*beside, *alone)):
        return None
    return ratio_paired(beside, alone, curve.confidence)


def _task_times_s(curve: ScalingCurve, crowded: bool) -> tuple[tuple[float, ...], ...]:
    """Times of tasks with the worker's communication, which workers do side by side as they compute."""
    alone = _on_one_worker(curve)
    if len(alone) != len(curve.task_times_s) or not all(_compute_s(alone)):
        return curve.task_times_s
    crowd = crowd_of(curve) if crowded else None
    compute_s = _compute_s(alone if crowd is None else curve.point(crowd).breakdown)
    found = []
    for times, workers, longer_s, own_s in zip(curve.task_times_s, alone, compute_s, _compute_s(alone)):
        moving_s = sum(one.communication_s for one in workers)
        found.append(tuple(time_s * (longer_s + moving_s) / own_s for time_s in times))
    return tuple(found)


def _compute_s(rounds: Sequence[Sequence[WorkerTimes]]) -> list[float]:
    """The seconds that all workers together computed in each round."""
    return [sum(one.compute_s for one in workers) for workers in rounds]


def _on_one_worker(curve: ScalingCurve) -> tuple[tuple[WorkerTimes, ...], ...]:
    return curve.point(1).breakdown if 1 in curve.workers else ()


def predicted(samples: Sequence[float], confidence: float) -> Estimate:
    """What is to be expected of one more sample, none of which can be below 0.

    Source: Hahn and Meeker, Statistical Intervals (1991), section 4.8.1: ``mean ± t s sqrt(1 + 1/n)``. It
        assumes that samples are normal, and has an interval where there are two or more.
    """
    middle, n = mean(samples), len(samples)
    if n < 2:
        return Estimate(middle, 0.0, math.inf, 1.0)
    half = student_quantile((1 + confidence) / 2, n - 1) * stdev(samples) * math.sqrt(1 + 1 / n)
    return Estimate(middle, max(0.0, middle - half), middle + half, confidence)
