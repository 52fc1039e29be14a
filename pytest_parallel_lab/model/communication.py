"""What messages cost: latency and bandwidth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.least_squares import fit_linear, observe
from pytest_parallel_lab.model.scaling_laws import NotEnoughPoints, check_workers
from pytest_parallel_lab.model.statistics import Estimate, checked


@dataclass(frozen=True)
class Network:
    """A message of n bytes takes ``alpha + beta n`` seconds, whoever sends it to whom.

    Attributes:
        alpha_s: latency, seconds per message, at least 0.
        beta_s: seconds per byte, at least 0: the reciprocal of the bandwidth.
        misfit: how far the measured times were from this, in units of what their noise explains.

    Source: Hockney, The communication challenge for MPP, Parallel Computing 20 (1994) 389-398.
    """

    alpha_s: Estimate
    beta_s: Estimate
    misfit: float = 1.0

    def message_s(self, size_bytes: float) -> float:
        """Seconds that one message takes."""
        return message_s(self.alpha_s.value, self.beta_s.value, size_bytes)

    def broadcast_s(self, workers: int, size_bytes: float) -> float:
        """Seconds until all workers have the same message, along a binomial tree."""
        return broadcast_s(self.alpha_s.value, self.beta_s.value, workers, size_bytes)

    def scatter_s(self, workers: int, size_bytes: float) -> float:
        """Seconds until every worker has its part of a message; a gather takes as long."""
        return scatter_s(self.alpha_s.value, self.beta_s.value, workers, size_bytes)


def message_s(alpha_s: float, beta_s: float, size_bytes: float) -> float:
    """Seconds that a message takes: ``alpha + beta n``."""
    return alpha_s + beta_s * size_bytes


def broadcast_s(alpha_s: float, beta_s: float, workers: int, size_bytes: float) -> float:
    """Seconds of a broadcast along a binomial tree: ``ceil(log2 p) (alpha + beta n)``.

    Source: Thakur, Rabenseifner and Gropp, Optimization of collective communication operations in
        MPICH, Int. J. High Perform. Comput. Appl. 19 (2005) 49-66, section 4.
    """
    return _rounds(workers) * message_s(alpha_s, beta_s, size_bytes)


def scatter_s(alpha_s: float, beta_s: float, workers: int, size_bytes: float) -> float:
    """Seconds of a scatter, or of a gather, along a binomial tree: ``ceil(log2 p) alpha + beta n (p - 1)/p``.

    Args:
        alpha_s: latency.
        beta_s: seconds per byte.
        workers: p.
        size_bytes: n, of all parts together.

    Source: Thakur, Rabenseifner and Gropp (2005), section 4: what is sent halves from round to round.
    """
    return _rounds(workers) * alpha_s + beta_s * size_bytes * (workers - 1) / workers


def fit_network(times_s: Mapping[int, Sequence[float]], confidence: float = 0.95) -> Network:
    """Fit latency and bandwidth to a sweep over message sizes.

    Args:
        times_s: seconds that one message took *one way* (half of a ping-pong), of every round, by
            its size in bytes.
        confidence: of the intervals.

    Raises:
        NotEnoughPoints: fewer than 3 sizes.
        BadSetting: a size below 0, or a time that is not finite and positive.

    Source: Hockney (1994); least squares of relative residuals, so that small messages count as
        much as large ones. Libraries change their protocol at some size: the misfit tells, and
        widens the intervals.
    """
    for size in times_s:
        if not isinstance(size, int) or size < 0:
            raise BadSetting(f"ping-pong: {size!r} is not a number of bytes; give whole numbers from 0")
    if len(times_s) < 3:
        raise NotEnoughPoints(
            f"latency and bandwidth are 2 parameters and there are times for {len(times_s)} message sizes; "
            "measure at least 3, such as 8, 8192 and 1048576 bytes"
        )
    sizes = sorted(times_s)
    observed = [observe(checked(times_s[n], f"ping-pong: times of {n} bytes", positive=True)) for n in sizes]
    linear = fit_linear([(1.0, float(n)) for n in sizes], observed, confidence)
    return Network(linear.combination((1, 0)), linear.combination((0, 1)), linear.misfit)


def _rounds(workers: int) -> int:
    """How often the workers that have something can double: ceil(log2 p)."""
    check_workers(workers)
    return (workers - 1).bit_length()
