"""How long a 2-engine ipyparallel cluster takes until it answers: ours and a stock Cluster, in turn.

python benchmarks/cluster_start.py [rounds]
"""

from __future__ import annotations

import logging
import statistics
import sys
import tempfile
import time

import ipyparallel

from pytest_parallel_lab import Lab

ENGINES = 2


def ours_s() -> float:
    """Seconds from an idle lab to a cluster that has answered."""
    with Lab() as lab:
        lab.run(str, backend="serial")  # the keeper is up before the first cluster of a session
        started_s = time.perf_counter()
        lease = lab.lease("ipyparallel", ENGINES)
        assert lease.run(lambda view: view.apply_sync(int)).result() == [0] * ENGINES
        elapsed_s = time.perf_counter() - started_s
        lease.end()
    return elapsed_s


def stock_s() -> float:
    """The same with ipyparallel's own defaults."""
    with tempfile.TemporaryDirectory() as profile:
        started_s = time.perf_counter()
        cluster = ipyparallel.Cluster(n=ENGINES, profile_dir=profile, log_level=logging.WARNING)
        client = cluster.start_and_connect_sync(activate=False)
        assert client[:].apply_sync(int) == [0] * ENGINES
        elapsed_s = time.perf_counter() - started_s
        client.close()
        cluster.stop_cluster_sync()
    return elapsed_s


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    pairs = [(ours_s(), stock_s()) for _ in range(rounds)]
    ours, stock = (statistics.median(times) for times in zip(*pairs))
    ratio = statistics.median(a / b for a, b in pairs)
    print(
        f"{ENGINES} engines ready after {ours:.2f} s, stock {stock:.2f} s: ratio {ratio:.2f} (median of {rounds} pairs)"
    )


if __name__ == "__main__":
    main()
