"""Times on more workers than there are, from measured tasks and messages: projected, never measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist, median
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.communication import Network, broadcast_s, scatter_s
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_laws import check_workers
from pytest_parallel_lab.model.statistics import Estimate, check_confidence
from pytest_parallel_lab.model.task_simulation import Simulated, check_tasks, saturation, simulate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REPLICATED_TASKS = 4_000_000
"""Runs are simulated again as often as this many tasks allow: 399 times up to 10 000 tasks, 39 times from 100 000."""


@dataclass(frozen=True)
class Projection:
    """What a run on many workers would take, if all that is assumed held.

    Attributes:
        workers: p.
        decomposition: "block", "cyclic" or "dynamic".
        time_s: seconds of one run, without start-up.
        speed_up: over the same tasks one after the other on one worker.
        efficiency: speed-up over p.
        imbalance: the longest busy time over the mean one.
        communication_s: the part of the time that is broadcast, scatter and gather.
        master_share: the part of the computing time that the master is busy; 0 where there is none.
        tasks: how many tasks were measured.
        rounds: how often each was.
        replicates: how many runs were simulated.
        seed: of what they were drawn with.
        assumptions: sentences; a projection is shown with them.
    """

    workers: int
    decomposition: str
    time_s: Estimate
    speed_up: Estimate
    efficiency: Estimate
    imbalance: Estimate
    communication_s: Estimate
    master_share: float
    tasks: int
    rounds: int
    replicates: int
    seed: int
    assumptions: tuple[str, ...]

    def __str__(self) -> str:
        head = f"projection to {self.workers} workers ({self.decomposition}): {self.time_s} s, speed-up {self.speed_up}"
        return "\n".join([head, *(f"  - {one}" for one in self.assumptions)])


def project(
    task_times_s: Any,
    workers: int,
    decomposition: str = "block",
    *,
    chunk: int = 1,
    service_s: Estimate | float = 0.0,
    network: Network | None = None,
    broadcast_bytes: float = 0,
    scatter_bytes: float = 0,
    gather_bytes: float = 0,
    serial_s: Estimate | float = 0.0,
    seed: int = 0,
    replicates: int | None = None,
    confidence: float = 0.95,
) -> Projection:
    """Project the time of one run on p workers from the times of its tasks on one.

    Every replicate is a simulated run with inputs drawn anew: each task's time is that of one of its
    rounds, a factor common to all tasks is drawn from what is to be expected of another round after
    those measured (Student's t of the logarithms of the rounds' totals), latency, bandwidth, service
    and serial time from their own intervals. The estimate is the replicates' median, the interval
    that of *one run*, between their quantiles. With one round nothing is known of how times vary:
    there is no interval, and one run is simulated.

    Args:
        task_times_s: shape ``(rounds, tasks)``, or ``(tasks,)`` for one round; seconds.
        workers: p.
        decomposition: as in ``simulate``, with ``chunk`` and ``service_s`` (seconds) as there.
        chunk: tasks that go together.
        service_s: the master's time for a request; a number is taken for exact.
        network: what messages cost; needed where any are sent.
        broadcast_bytes: sent to all workers before the first task.
        scatter_bytes: of all parts together, sent before the first task.
        gather_bytes: of all parts together, sent after the last task.
        serial_s: seconds of what one worker does while all others wait.
        seed: what the replicates are drawn with.
        replicates: how many; by default as many as the number of tasks allows.
        confidence: of the intervals.

    Raises:
        BadSetting: a value that means nothing, messages without a network, or too few replicates
            for the confidence.

    Source: a parametric and nonparametric bootstrap: Davison and Hinkley, Bootstrap Methods and
        their Application (1997), sections 2.3 to 2.5 and 6.3.3 (prediction).
    """
    import numpy as np

    check_workers(workers)
    check_confidence(confidence)
    times = check_tasks(np.atleast_2d(np.asarray(task_times_s, dtype=object)), dimensions=2)
    rounds, tasks = times.shape
    if not rounds:
        raise BadSetting("task times have no rounds; measure every task at least once")
    bytes_sent = {"broadcast": broadcast_bytes, "scatter": scatter_bytes, "gather": gather_bytes}
    for what, size in bytes_sent.items():
        if not (math.isfinite(size) and size >= 0):
            raise BadSetting(f"{what}_bytes is {size!r}; it must be finite and at least 0")
    if network is None and any(bytes_sent.values()):
        raise BadSetting("messages are to be sent and no network is given; fit one to a ping-pong with fit_network")
    inputs = [_estimate(service_s, "service_s"), _estimate(serial_s, "serial_s")]
    inputs += [network.alpha_s, network.beta_s] if network else [_estimate(0.0, "")] * 2
    known = rounds > 1 and all(one.has_interval for one in inputs)
    count = _replicates(replicates, tasks, confidence) if known else 1
    run = partial(simulate, workers=workers, decomposition=decomposition, chunk=chunk)
    random = np.random.default_rng(seed)
    found: list[tuple[float, ...]] = []
    share = 0.0
    for drawn in _task_times(times, random, count):
        service, serial, alpha, beta = (_draw(one, random) if known else one.value for one in inputs)
        done: Simulated = run(drawn, service_s=service)
        share += done.master_share / count
        sent = broadcast_s(alpha, beta, workers, broadcast_bytes) if broadcast_bytes else 0.0
        sent += sum(scatter_s(alpha, beta, workers, n) for n in (scatter_bytes, gather_bytes) if n)
        whole = serial + sent + done.time_s
        gain = (serial + float(drawn.sum())) / whole if whole else 1.0
        found.append((whole, gain, done.imbalance, sent))
    bounds = ((0.0, math.inf), (0.0, math.inf), (1.0, float(workers)), (0.0, math.inf))
    time_s, gain_s, imbalance, sent_s = (
        _quantiles(list(values), confidence) if known else Estimate(values[0], *ends, 1.0)
        for values, ends in zip(zip(*found), bounds)
    )
    told = (
        *_said_of_work(workers, tasks, decomposition, chunk),
        *_said_of_master(times, inputs[0].value, decomposition, chunk),
        *_said_of_messages(network, bytes_sent),
        *_said_of_interval(rounds, known, confidence),
    )
    efficiency = gain_s.through(lambda gain: gain / workers)
    figures = (time_s, gain_s, efficiency, imbalance, sent_s, share)
    return Projection(workers, decomposition, *figures, tasks, rounds, count, seed, told)


def _task_times(times: Array, random: np.random.Generator, count: int) -> Iterator[Array]:
    """Times of all tasks in so many runs, each of shape ``(tasks,)``."""
    import numpy as np

    rounds, tasks = times.shape
    if count == 1:
        yield np.median(times, axis=0)
        return
    totals = times.sum(1)
    if not tasks or (totals == 0).any():
        totals = np.ones(rounds)
    logs = np.log(totals)
    level = np.exp(logs.mean() - logs)[:, None] * times
    spread = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / rounds)
    for _ in range(count):
        factor = math.exp(min(50.0, max(-50.0, spread * float(random.standard_t(rounds - 1)))))
        yield level[random.integers(rounds, size=tasks), np.arange(tasks)] * factor


def _draw(estimate: Estimate, random: np.random.Generator) -> float:
    """A value that an estimate leaves possible: normal to either side, to its end of the interval."""
    deviations = float(random.standard_normal()) / NormalDist().inv_cdf((1 + estimate.confidence) / 2)
    end = estimate.low if deviations < 0 else estimate.high
    return max(0.0, estimate.value + abs(deviations) * (end - estimate.value))


def _estimate(value: Estimate | float, name: str) -> Estimate:
    found = value if isinstance(value, Estimate) else Estimate(value, value, value)
    if not (math.isfinite(found.value) and found.value >= 0):
        raise BadSetting(f"{name} is {found.value!r} s; it must be finite and at least 0")
    return found


def _replicates(given: int | None, tasks: int, confidence: float) -> int:
    """How many runs to simulate, so that the quantiles are runs and not interpolated."""
    least = math.ceil(2 / (1 - confidence)) - 1
    if given is None:
        return (least + 1) * min(10, max(1, REPLICATED_TASKS // ((least + 1) * max(1, tasks)))) - 1
    if given < least:
        raise BadSetting(f"{given} replicates have no {confidence:.0%} interval; simulate at least {least}")
    return given


def _quantiles(values: Sequence[float], confidence: float) -> Estimate:
    ordered = sorted(values)
    rank = max(1, math.floor((len(ordered) + 1) * (1 - confidence) / 2 + 1e-9))
    return Estimate(median(ordered), ordered[rank - 1], ordered[-rank], confidence)


def _said_of_work(workers: int, tasks: int, decomposition: str, chunk: int) -> Iterator[str]:
    together = f" in chunks of {chunk}" if chunk > 1 else ""
    yield f"nothing was run on {workers} workers: {tasks} tasks measured on one are simulated"
    yield f"the decomposition is {decomposition}{together}"
    yield "a task takes as long there as alone: memory, caches, cores and network are not contended for"
    yield "start-up is not counted; communication and computing do not overlap"
    chunks = -(-tasks // chunk)
    if chunks < workers:
        yield f"{workers - chunks} workers have nothing to do: there are {chunks} pieces of work"


def _said_of_master(times: Array, service_s: float, decomposition: str, chunk: int) -> Iterator[str]:
    if decomposition != "dynamic":
        return
    if not service_s:
        yield "the master answers at once"
        return
    most = saturation(times.mean(0), service_s, chunk=chunk)
    yield f"the master, not one of the workers, serves one request after the other, {service_s:.3g} s each"
    yield f"beyond {most:.0f} workers all wait for the master, and more of them gain nothing"


def _said_of_messages(network: Network | None, bytes_sent: dict[str, float]) -> Iterator[str]:
    sizes = ", ".join(f"{what} of {size:g} bytes" for what, size in bytes_sent.items() if size)
    if network is None or not sizes:
        yield "no communication is counted" + (" but the master's service" if network else "")
        return
    cost = f"{network.alpha_s.value:.3g} s + {network.beta_s.value:.3g} s/byte"
    yield f"{sizes} along a binomial tree; every message costs {cost}, whoever sends it, however many do"


def _said_of_interval(rounds: int, known: bool, confidence: float) -> Iterator[str]:
    if known:
        sources = f"{rounds} rounds of task times and the intervals of the other inputs"
        yield f"the {confidence:.0%} interval is that of one run, from {sources}"
    elif rounds < 2:
        yield "there is no interval: tasks were measured once; measure them in several rounds"
    else:
        yield "there is no interval: latency, bandwidth, service or serial time has none"
