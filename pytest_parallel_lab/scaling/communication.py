"""What communication costs on a backend, measured: one message, a broadcast, and a master's answer to a worker.

with Lab() as lab:
print(measure_communication(lab, "mpi"))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_parallel_lab.model.communication import Network, fit_network
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_laws import check_workers
from pytest_parallel_lab.model.statistics import Estimate, check_confidence
from pytest_parallel_lab.scaling.exchanges import EXCHANGES, Samples, repeats_of

if TYPE_CHECKING:
    from pytest_parallel_lab.lab import Lab

SIZES = (8, 1024, 32_768, 262_144)
"""Bytes. Beyond them messages leave the caches, and what one byte costs is another matter."""
ROUNDS = 11
SLOW = {"ipyparallel": 3}
"""Backends whose messages take so long that few of them make a sample."""


@dataclass(frozen=True)
class Communication:
    """What messages cost on one backend, as measured here.

    Attributes:
        backend: its name.
        workers: how many took part in a broadcast; a message has a sender and a receiver.
        messages: one way from one to another: of a pool, half of a task's way there and back.
        broadcasts: one message to all workers. Of MPI along a tree, ``broadcasts`` is what one of its
            ``ceil(log2 p)`` rounds costs; of the others what one of the ``p`` messages costs.
        requests: what the master needs for one task: to send it and to take its result. Of pools
            and views in processor time of the master, which is what limits it.
        oversubscribed: there were more workers than usable cores, so that all of it took too long.
        samples: what was measured, in seconds by size, under the names above.
    """

    backend: str
    workers: int
    messages: Network
    broadcasts: Network
    requests: Network
    oversubscribed: bool = False
    samples: dict[str, Samples] = field(default_factory=dict, repr=False)

    @property
    def in_tree(self) -> bool:
        """Whether a broadcast goes along a tree; else the master sends all of its messages itself."""
        return self.backend == "mpi"

    def service_s(self, size_bytes: float = 0) -> Estimate:
        """Seconds that the master needs for a task whose argument has so many bytes."""
        alpha, beta = self.requests.alpha_s, self.requests.beta_s
        low, high = alpha.low + beta.low * size_bytes, alpha.high + beta.high * size_bytes
        return Estimate(self.requests.message_s(size_bytes), low, high, max(alpha.confidence, beta.confidence))

    def __str__(self) -> str:
        rows = (("message", self.messages), ("broadcast", self.broadcasts), ("request", self.requests))
        crowd = "; oversubscribed" if self.oversubscribed else ""
        return "\n".join(
            [
                f"communication of {self.backend}, {self.workers} workers{crowd}",
                *(f"  {name:<10} {_told(network)}" for name, network in rows),
            ]
        )


def measure_communication(
    lab: Lab,
    backend: str,
    workers: int = 2,
    *,
    sizes: Sequence[int] = SIZES,
    rounds: int = ROUNDS,
    confidence: float = 0.95,
    show: Callable[[str], None] | None = None,
) -> Communication:
    """Measure what messages cost on a backend.

    All sizes are measured in every round, in random order.

    Args:
        lab: whose warm workers are used.
        backend: its name.
        workers: p of the broadcasts, at least 2.
        sizes: of messages, in bytes; at least 3.
        rounds: samples of each size; fewer than 6 have no 95 % interval.
        confidence: of the intervals.
        show: is told what is being measured.

    Raises:
        BackendMissing: it cannot run here.
        BadSetting: a backend that has no messages or none that is known here, or a number that means nothing.
        NotEnoughPoints: fewer than 3 sizes.
        StartFailed: the workers did not come up.
    """
    check_workers(workers)
    check_confidence(confidence)
    exchanges = EXCHANGES.get(lab.backend(backend).name)
    if exchanges is None:
        known = ", ".join(sorted(EXCHANGES))
        raise BadSetting(f"{backend}: how its messages are to be measured is not known, but that of {known} is")
    if workers < 2:
        raise BadSetting(f"{backend}: {workers} worker has nobody to send to; measure communication with 2 or more")
    if rounds < 1:
        raise BadSetting(f"{backend}: rounds is {rounds}; measure at least once")
    samples: dict[str, Samples] = {}
    repeats = repeats_of(sizes, SLOW.get(backend, 20))
    lease = lab.lease(backend, workers)
    try:
        for name, exchange in zip(("messages", "broadcasts", "requests"), exchanges):
            if show is not None:
                show(f"communication of {backend}: {name}")
            samples[name] = lease.run(exchange, repeats, rounds, timed=True).result()
    finally:
        lease.end()
    hops = (workers - 1).bit_length() if backend == "mpi" else workers
    networks = {name: fit_network(found, confidence) for name, found in samples.items() if name != "broadcasts"}
    each = {size: [time_s / hops for time_s in times] for size, times in samples["broadcasts"].items()}
    return Communication(
        backend,
        workers,
        networks["messages"],
        fit_network(each, confidence),
        networks["requests"],
        workers > usable_cores(),
        samples,
    )


def _told(network: Network) -> str:
    latency = (1e3, "ms") if network.alpha_s.value >= 1e-3 else (1e6, "us")
    alpha, beta = (
        f"{one.value * factor:.3g} [{one.low * factor:.3g}, {one.high * factor:.3g}] {unit}"
        for one, factor, unit in ((network.alpha_s, *latency), (network.beta_s, 1e9, "ns/byte"))
    )
    far = f", {network.misfit:.0f} times further from this than noise explains" if network.misfit > 3 else ""
    return f"{alpha} + {beta}{far}"
