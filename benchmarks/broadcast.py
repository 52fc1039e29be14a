"""Bcast against bcast, against pickle protocol 5, and against C, on 2 ranks.

    python -m benchmarks.broadcast [launches]

Every launch is an mpiexec of its own with one way to broadcast, several rounds for every length; the
launches of all ways alternate in random order. A launch counts with the fastest of its rounds, as what
else the machine does can only make one slower. What is told is the median of the ratios between
launches of the same turn.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
from pathlib import Path

from cases.broadcast import compiled
from cases.broadcast.program import WAYS

RANKS = 2
ROUNDS = 20
LENGTHS = (1, 1_000, 100_000, 1_000_000, 10_000_000)


def launch(command: list[str]) -> dict[int, float]:
    """Run one way; the seconds of its fastest broadcast by the number of doubles."""
    printed = compiled.run_under_mpiexec([*command, str(ROUNDS), *map(str, LENGTHS)], RANKS)
    times_s = compiled.parse_times(printed)
    return {doubles: min(rounds) for doubles, rounds in times_s.items()}


def main() -> None:
    launches = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    if reason := compiled.missing():
        sys.exit(f"bcast.c: {reason}")
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory, "bcast")
        compiled.compile_program(program)
        commands = {"C": [str(program)]}
        commands.update({way: [sys.executable, "-m", "cases.broadcast.program", way] for way in WAYS})
        turns: list[dict[str, dict[int, float]]] = []
        for _ in range(launches):
            turns.append({way: launch(commands[way]) for way in random.sample(list(commands), len(commands))})

    def ratio(way: str, other: str, doubles: int) -> float:
        return statistics.median(turn[way][doubles] / turn[other][doubles] for turn in turns)

    print(f"{RANKS} ranks under {compiled.find_mpiexec()}:")
    print(f"medians of {launches} launches, each the fastest of {ROUNDS} rounds\n")
    print("| doubles | C | Bcast / C | bcast / Bcast | pickle5 / Bcast |")
    print("|---|---|---|---|---|")
    for doubles in LENGTHS:
        c_us = 1e6 * statistics.median(turn["C"][doubles] for turn in turns)
        ratios = [ratio(*pair, doubles) for pair in (("Bcast", "C"), ("bcast", "Bcast"), ("pickle5", "Bcast"))]
        print(f"| {doubles:.0e} | {c_us:.1f} µs | " + " | ".join(f"{r:.2f}" for r in ratios) + " |")


if __name__ == "__main__":
    main()
