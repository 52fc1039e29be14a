"""What becomes of measured task times on any number of workers."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_laws import check_workers
from pytest_parallel_lab.model.settings import parse_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DECOMPOSITIONS = ("block", "cyclic", "dynamic")


@dataclass(frozen=True)
class Simulated:
    """One simulated run.

    Attributes:
        time_s: when the last worker has done its last task.
        busy_s: shape ``(p,)``: seconds that each worker computed.
        master_s: seconds that the master served, 0 where there is none.
    """

    time_s: float
    busy_s: Array
    master_s: float = 0.0

    @property
    def imbalance(self) -> float:
        """The longest busy time over the mean one; 1 where there was nothing to do."""
        mean = float(self.busy_s.mean())
        return float(self.busy_s.max()) / mean if mean else 1.0

    @property
    def master_share(self) -> float:
        """The part of the time that the master was busy: near 1 it is what all wait for."""
        return self.master_s / self.time_s if self.time_s else 0.0


def simulate(
    task_times_s: Any, workers: int, decomposition: str = "block", *, chunk: int = 1, service_s: float = 0.0
) -> Simulated:
    """Compute when independent tasks would be done.

    - block: worker i computes a contiguous part, cut as by ``blocks``.
    - cyclic: worker i computes the chunks i, i + p, i + 2p, …
    - dynamic: a worker that has nothing to do asks the master, who serves one request after the
      other, in the order of their coming, taking ``service_s`` for each, and hands out chunks in
      order. At the start all ask at once. The master itself computes nothing and is not one of
      the workers. That all is done costs no request.

    Exact, by events in a heap: O(n log p). A million tasks take a second or two.

    Args:
        task_times_s: shape ``(tasks,)``, seconds, none below 0; may be empty.
        workers: p.
        decomposition: one of those above.
        chunk: how many tasks go together; not for blocks.
        service_s: seconds that the master takes for a request.

    Raises:
        BadSetting: any of these has a value that means nothing; the text names task and value.
    """
    import numpy as np

    check_workers(workers)
    parse_names([decomposition], DECOMPOSITIONS, "decomposition", "decomposition")
    if not isinstance(chunk, int) or chunk < 1:
        raise BadSetting(f"chunk is {chunk!r}; it must be a whole number from 1")
    if not (math.isfinite(service_s) and service_s >= 0):
        raise BadSetting(f"the master's service time is {service_s!r} s; it must be finite and at least 0")
    if (chunk > 1 and decomposition == "block") or (service_s and decomposition != "dynamic"):
        raise BadSetting(f"{decomposition}: chunks are for cyclic and dynamic, a service time for dynamic only")
    times = check_tasks(task_times_s, dimensions=1)
    if decomposition == "block":
        shorter, longer = divmod(len(times), workers)
        edges = np.arange(workers) * shorter + np.minimum(np.arange(workers), longer)
        # The sum of each block by itself: differences of running sums would lose digits.
        busy = np.zeros(workers)
        filled = min(workers, len(times))
        if filled:
            busy[:filled] = np.add.reduceat(times, edges[:filled])
        return Simulated(float(busy.max()), busy)
    if chunk > 1 and len(times):
        times = np.add.reduceat(times, np.arange(0, len(times), chunk))
    if decomposition == "cyclic":
        turns = np.zeros((-(-len(times) // workers), workers))
        turns.ravel()[: len(times)] = times
        busy = turns.sum(axis=0)
        return Simulated(float(busy.max()), busy)
    return _dynamic(times, workers, service_s)


def saturation(task_times_s: Any, service_s: float, *, chunk: int = 1) -> float:
    """The worker count beyond which the master's service is what all wait for; inf without service time.

    A worker asks once every ``mean + service`` seconds, the master can answer once every
    ``service`` seconds: (mean + service) / service. More workers do not make a long run faster.

    Args:
        task_times_s: shape ``(tasks,)``, seconds, at least one task.
        service_s: seconds that the master takes for a request.
        chunk: tasks per request.

    Source: the asymptotic bound of a closed queue with one server: Lazowska et al., Quantitative
        System Performance (1984), section 5.2.
    """
    times = check_tasks(task_times_s, dimensions=1)
    if not len(times) or service_s <= 0:
        return math.inf
    return (float(times.mean()) * chunk + service_s) / service_s


def check_tasks(task_times_s: Any, dimensions: int) -> Array:
    """Take task times as an array of floats.

    Raises:
        BadSetting: another shape, or a time that is negative or not finite; the text names the task.
    """
    import numpy as np

    try:
        times = np.asarray(task_times_s, dtype=float)
    except (TypeError, ValueError) as error:
        raise BadSetting(f"task times cannot be read as an array of numbers: {error}") from error
    if times.ndim != dimensions:
        meant = "(tasks,)" if dimensions == 1 else "(rounds, tasks)"
        raise BadSetting(f"task times have shape {times.shape}; expected {meant}")
    bad = ~(np.isfinite(times) & (times >= 0))
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        place = f"task {where[-1]}" + (f" in round {where[0]}" if dimensions == 2 else "")
        raise BadSetting(f"{place} took {float(times[where])!r} s; a time is finite and at least 0")
    return times


def _dynamic(times: Array, workers: int, service_s: float) -> Simulated:
    import numpy as np

    if not len(times):
        return Simulated(0.0, np.zeros(workers))
    asking = [0.0] * min(workers, len(times))
    ends: list[float] = []
    master_free = 0.0
    replace, note = heapq.heapreplace, ends.append
    for time_s in times.tolist():
        asked = asking[0]
        master_free = (asked if asked > master_free else master_free) + service_s
        done = master_free + time_s
        note(done)
        replace(asking, done)
    # Who ends first asks first: task p + j goes to the worker whose task was the j-th to end. Found
    # afterwards, so that the heap holds plain floats, which compare faster than pairs.
    who = list(range(len(asking)))
    for ended in np.argsort(ends, kind="stable")[: len(times) - len(asking)].tolist():
        who.append(who[ended])
    busy = np.bincount(who, weights=times, minlength=workers).astype(float)
    return Simulated(max(ends), busy, service_s * len(times))
