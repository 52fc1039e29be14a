"""What warm workers cost while nobody uses them: processor time of the whole tree over some seconds.

python benchmarks/idle_workers.py
"""

from __future__ import annotations

import os
import time

import psutil

from pytest_parallel_lab import Lab

SECONDS = 10.0


def tree_cpu_s() -> float:
    """Processor seconds used so far by all processes below this one."""
    used = [p.cpu_times() for p in psutil.Process().children(recursive=True)]
    return sum(t.user + t.system for t in used)


def main() -> None:
    with Lab() as lab:
        for backend in lab.backends:
            if reason := lab.missing(backend):
                print(f"{backend}: {reason}")
                continue
            lease = lab.lease(backend, 1 if backend == "serial" else 2)
            lease.run(str)  # takes a handle, or nothing
            lease.end()
        processes = len(psutil.Process().children(recursive=True))
        time.sleep(1.0)
        before_s = tree_cpu_s()
        time.sleep(SECONDS)
        used_s = tree_cpu_s() - before_s
        ticks = round(used_s * os.sysconf("SC_CLK_TCK"))
        print(f"{processes} idle processes: {used_s:.3f} s of processor time in {SECONDS:g} s ({ticks} clock ticks)")


if __name__ == "__main__":
    main()
