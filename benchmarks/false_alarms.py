"""How often a program that is not deadlocked is called so: every mended and innocent program of the corpus, under load.

``python -m benchmarks.false_alarms [runs] [at once]``. Several programs run at once, so that each is
watched, from its first moment on, on a machine with more to do than it has cores.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from pytest_parallel_lab import Lab
from pytest_parallel_lab.backends import supervision
from tests.deadlocks import corpus
from tests.deadlocks.corpus import Program

LIMIT_S = 60.0


def main(runs: int = 50, at_once: int = 8) -> int:
    _, fixed, innocent = corpus.load()
    supervision.LOOK_AFTER_S = 0.0
    accused: dict[str, int] = {}
    unfinished: dict[str, int] = {}
    started_s = time.perf_counter()
    with Lab() as lab, ThreadPoolExecutor(at_once) as threads:

        def run(program: Program) -> None:
            verdict = lab.supervise(program.function, limit_s=LIMIT_S).verdict
            if verdict is not None:
                counts = accused if verdict.proved else unfinished
                counts[program.id] = counts.get(program.id, 0) + 1
                print(verdict.full(), flush=True)

        list(threads.map(run, [p for p in [*fixed, *innocent] for _ in range(runs)]))
    elapsed_s = time.perf_counter() - started_s
    total = runs * (len(fixed) + len(innocent))
    print(f"{len(fixed)} mended and {len(innocent)} innocent programs, {runs} runs each, {at_once} at once")
    print(f"{total} runs in {elapsed_s:.0f} s: {sum(accused.values())} accused, {sum(unfinished.values())} unfinished")
    for name, count in sorted({**accused, **unfinished}.items()):
        print(f"  {name}: {count}")
    return 1 if accused or unfinished else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
