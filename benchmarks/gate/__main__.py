"""How often the paired gate raises a false alarm, and how often it finds a loss, beside stock comparisons.

    python -m benchmarks.gate [runs] [--kinds=kernel,matmul,pool,broadcast] [--seconds=60] [--neighbour]

A run has ten tests of one kind: seven the same in both versions, and one each slower by 3, 5 and 10 %. It is
gated at 5 %, and then compared as pytest-benchmark does, both versions in a row, with the same measuring
time: a test fails if its mean, median or minimum is more than 5 % above the baseline's. Shares come with 95 %
intervals (Clopper and Pearson 1934). With ``--neighbour`` another process computes half of the time, in spells.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.gate.projects import KINDS, write

LOSSES = [0, 0, 0, 0, 0, 0, 0, 3, 5, 10]
STOCK = ("mean", "median", "min")
THRESHOLD = 0.05
Alarms = dict[str, dict[int, list[bool]]]


def pytest_in(directory: Path, *words: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)


def gated(directory: Path, seconds: float, seed: int) -> tuple[list[str], float]:
    """The verdict of each test, and the seconds that each took."""
    words = ("--parallel-gate=HEAD", f"--parallel-gate-seconds={seconds}", f"--parallel-gate-seed={seed}")
    pytest_in(directory, *words, "--parallel-gate-metrics=time", "--parallel-gate-json=gate.json")
    found = json.loads((directory / "gate.json").read_text())
    return [one["verdict"] for one in found["tests"]], found["elapsed_s"] / len(LOSSES)


def stock(directory: Path, seconds: float) -> dict[str, list[bool]]:
    """Which tests fail by each of pytest-benchmark's statistics, both versions measured for so long each."""
    stats: list[list[dict[str, float]]] = []
    for version in ("base", "current"):
        if version == "base":
            subprocess.run(["git", "stash", "-q"], cwd=directory, check=True)
        pytest_in(directory, f"--benchmark-max-time={seconds}", f"--benchmark-json={version}.json")
        if version == "base":
            subprocess.run(["git", "stash", "pop", "-q"], cwd=directory, check=True)
        read = json.loads((directory / f"{version}.json").read_text())["benchmarks"]
        stats.append([one["stats"] for one in sorted(read, key=lambda one: one["params"]["number"])])
    return {name: [now[name] > (1 + THRESHOLD) * before[name] for before, now in zip(*stats)] for name in STOCK}


def neighbour() -> None:
    """Compute in spells of up to four seconds, with pauses as long."""
    draw = random.Random(1)
    while True:
        end_s = time.monotonic() + draw.uniform(0.1, 4)
        while time.monotonic() < end_s:
            sum(range(10_000))
        time.sleep(draw.uniform(0.1, 4))


def told(alarms: list[bool]) -> str:
    """A share with its interval."""
    from scipy.stats import binomtest

    found = binomtest(sum(alarms), len(alarms)).proportion_ci()
    return f"{sum(alarms)}/{len(alarms)} [{found.low:.2f}, {found.high:.2f}]"


def measure(kind: str, runs: int, seconds: float) -> None:
    alarms: Alarms = defaultdict(lambda: defaultdict(list))
    undecided: dict[int, int] = defaultdict(int)
    runs_with_alarm: dict[str, list[bool]] = defaultdict(list)
    loads, times_s = [], []
    for seed in range(runs):
        losses = random.Random(seed).sample(LOSSES, len(LOSSES))
        directory = Path(tempfile.mkdtemp(prefix="gate-"))
        try:
            write(directory, kind, losses)
            verdicts, elapsed_s = gated(directory, seconds, seed)
            outcomes: dict[str, list[bool]] = {"paired": [one == "regressed" for one in verdicts]}
            outcomes |= stock(directory, elapsed_s / 2)
        finally:
            shutil.rmtree(directory)
        loads.append(os.getloadavg()[0])
        times_s.append(elapsed_s)
        for name, failed in outcomes.items():
            for loss, one in zip(losses, failed):
                alarms[name][loss].append(one)
            runs_with_alarm[name].append(any(one for loss, one in zip(losses, failed) if loss == 0))
        for loss, verdict in zip(losses, verdicts):
            undecided[loss] += verdict == "undecided"
    spent = f"{median(times_s):.0f} s a test, load {min(loads):.1f} to {max(loads):.1f}"
    print(f"{kind}: {runs} runs of {len(LOSSES)} tests, {spent}")
    for name in ("paired", *STOCK):
        cells = "  ".join(f"{loss} %: {told(alarms[name][loss])}" for loss in sorted(set(LOSSES)))
        print(f"  {name:7} alarms  {cells}  runs with a false one: {told(runs_with_alarm[name])}", flush=True)
    print(f"  undecided by the paired gate: {', '.join(f'{n} at {loss} %' for loss, n in sorted(undecided.items()))}")


def main(runs: int = 5, *, kinds: str = ",".join(KINDS), seconds: float = 60.0, with_neighbour: bool = False) -> None:
    other = multiprocessing.Process(target=neighbour, daemon=True)
    if with_neighbour:
        other.start()
    try:
        for kind in kinds.split(","):
            measure(kind, runs, seconds)
    finally:
        if with_neighbour:
            other.kill()


if __name__ == "__main__":
    options: dict[str, Any] = dict(one[2:].partition("=")[::2] for one in sys.argv[1:] if one.startswith("--"))
    plain = [int(one) for one in sys.argv[1:] if not one.startswith("--")]
    chosen = {name: options[name] for name in ("kinds",) if name in options}
    main(*plain, **chosen, seconds=float(options.get("seconds", 60)), with_neighbour="neighbour" in options)
