"""The expected time until a race is found: ``explore`` beside plain repetition, and beside frontrun.

``python -m benchmarks.time_to_detection [attempts] [--all] [--cap=60] [--families=a,b]``. The first program of each
family of ``tests/races``, or all of them; each attempt has another seed, or a new process, and at most the cap, in
seconds. All tools take their turns program by program, so that they share the noise of the machine. The peers are
optional (``pip install pytest-repeat pytest-flakefinder frontrun``): what is missing is named, and left out.

A repeated test asserts that the outcome is the right one, which is also explore's reference. Its time runs from the
first repetition to the first failure as pytest reports them: the start of pytest, and its collection,
are left out, and whatever explore starts after its call is not. The expected time is that of all attempts together
divided by the number of detections. A program that hangs is ended by pytest-timeout after 3 s.
"""

from __future__ import annotations

import math
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.detection_tools import PEERS, Attempt, Peer, attempt, explore
from pytest_parallel_lab import Lab
from tests.races import corpus
from tests.races.corpus import NOTHING, Program

OURS = "explore"
REPETITION = ("pytest-repeat", "flakefinder")
CAP_S = 60.0
FASTER = 10.0
SLOWER = 2.0


@dataclass
class Row:
    """The attempts of all tools on one program."""

    program: Program
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)

    def add(self, tool: str, made: Attempt) -> None:
        """Take in an attempt."""
        self.attempts.setdefault(tool, []).append(made)

    def expected_s(self, tool: str) -> float:
        """Time of all attempts over the number of detections; infinite where there are none."""
        made = self.attempts.get(tool, [])
        found = sum(one.found for one in made)
        return sum(one.seconds for one in made) / found if found else math.inf

    def told_s(self) -> float:
        """Until explore raises, with the schedule made small, carried out again and drawn."""
        made = self.attempts[OURS]
        found = sum(one.found for one in made)
        return sum(one.told_s for one in made) / found if found else math.inf

    def cell(self, tool: str) -> str:
        """The expected time in words."""
        made = self.attempts.get(tool, [])
        if not made or all(one.how == "-" for one in made):
            return "-"
        if not any(one.found for one in made):
            return f"not in {sum(one.seconds for one in made):.0f} s"
        missed = len(made) - sum(one.found for one in made)
        return f"{self.expected_s(tool):.2f}" + (f" ({missed} of {len(made)} missed)" if missed else "")

    @property
    def at_once(self) -> bool:
        """Whether the first plain run was wrong in every attempt: there is nothing to search for."""
        made = [one for tool in REPETITION for one in self.attempts.get(tool, [])]
        return bool(made) and all(one.found and one.runs == 1 for one in made)


def right_value(lab: Lab, program: Program) -> Any:
    """What comes of the mended twin, if the corpus does not say what is right."""
    if program.reference is not NOTHING:
        return program.reference
    assert program.fixed is not None
    return lab.explore(program.fixed, runs=1, hash_seeds=False, numerical="allow").value


def measure(lab: Lab, program: Program, peers: list[Peer], attempts: int, cap_s: float) -> Row:
    """Let the tools take their turns on one program."""
    row = Row(program)
    right = right_value(lab, program)
    for seed in range(attempts):
        row.add(OURS, explore(lab, program, right, seed, cap_s))
        for peer in peers:
            if any(one.how == "-" for one in row.attempts.get(peer.name, [])):
                continue
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
                row.add(peer.name, attempt(peer, program, right, seed, cap_s, Path(directory)))
    return row


def line(row: Row, peers: list[Peer]) -> str:
    """The row of a table."""
    cells = [row.program.id, row.cell(OURS), f"{row.told_s():.2f}", *(row.cell(peer.name) for peer in peers)]
    made = row.attempts[OURS]
    found, runs = " or ".join(sorted({one.how or "nothing" for one in made})), [one.runs for one in made]
    return "| " + " | ".join([*cells, f"{found} after {min(runs)} to {max(runs)}"]) + " |"


def compare(rows: list[Row], tool: str) -> None:
    """Print how much faster explore is than a tool, where the tool finds anything."""
    found = [row for row in rows if math.isfinite(row.expected_s(tool)) and math.isfinite(row.expected_s(OURS))]
    made = [row for row in rows if row.cell(tool) != "-"]
    ours = sum(math.isfinite(row.expected_s(OURS)) for row in made)
    finds = sum(math.isfinite(row.expected_s(tool)) for row in made)
    print(f"{tool}: {len(made)} programs, of which explore finds {ours} and {tool} {finds}")
    searched = [row for row in found if not row.at_once]
    for name, some in (("all that it finds", found), ("without those wrong in every first run", searched)):
        if some:
            first = [row.expected_s(tool) / row.expected_s(OURS) for row in some]
            told = [row.expected_s(tool) / row.told_s() for row in some]
            worst = some[first.index(min(first))]
            print(
                f"  {name}, {len(some)}: explore is {mean(first):.2g} times as fast to the first detection, "
                f"{mean(told):.2g} times with its explanation (geometric means); worst {min(first):.2g} times, "
                f"{worst.program.id}; {sum(ratio < 1 / SLOWER for ratio in first)} below {1 / SLOWER:g}"
            )
    bounded = [row for row in made if math.isfinite(row.expected_s(OURS))]
    if bounded:
        least = [min(row.expected_s(tool), _spent_s(row, tool)) / row.expected_s(OURS) for row in bounded]
        print(f"  all {len(bounded)}, with the time spent in vain as a lower bound: at least {mean(least):.2g} times")


def target(rows: list[Row]) -> None:
    """Print whether the target is met."""
    ratios = []
    for row in rows:
        theirs = min(row.expected_s(tool) for tool in REPETITION)
        if math.isfinite(theirs):
            ratios.append(theirs / row.expected_s(OURS))
    if ratios:
        verdict = "met" if mean(ratios) >= FASTER and min(ratios) >= 1 / SLOWER else "not met"
        print(
            f"target, {FASTER:g} times as fast as the better repetition in the geometric mean, and never slower than "
            f"{SLOWER:g} times: {mean(ratios):.2g} times, at worst {min(ratios):.2g}: {verdict}"
        )


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _spent_s(row: Row, tool: str) -> float:
    return sum(one.seconds for one in row.attempts.get(tool, []))


def choose(everything: bool, families: str) -> list[Program]:
    """All programs, or the first of each family."""
    chosen: dict[str, Program] = {}
    for program in corpus.load()[0]:
        family = program.id.partition(".")[0]
        if not families or family in families.split(","):
            chosen.setdefault(program.id if everything else family, program)
    return list(chosen.values())


def main(attempts: int = 3, *, everything: bool = False, cap_s: float = CAP_S, families: str = "") -> None:
    peers = [peer for peer in PEERS if peer.installed]
    for peer in PEERS:
        if not peer.installed:
            print(f"{peer.name} is not installed: left out")
    programs = choose(everything, families)
    print(f"{len(programs)} programs, {attempts} attempts of at most {cap_s:g} s each; expected seconds\n")
    titles = ["program", OURS, "with explanation", *(peer.name for peer in peers), "explore found, after runs"]
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles), flush=True)
    rows = []
    with Lab() as lab:
        for program in programs:
            rows.append(measure(lab, program, peers, attempts, cap_s))
            print(line(rows[-1], peers), flush=True)
    at_once = ", ".join(row.program.id for row in rows if row.at_once)
    print(f"\nwrong in the first plain run of every attempt: {at_once or 'none'}")
    for peer in peers:
        compare(rows, peer.name)
    target(rows)


def option(name: str, arguments: list[str]) -> str:
    """The value of an option such as ``--cap=60``; empty where it is not given."""
    return next((a.partition("=")[2] for a in arguments if a.startswith(f"--{name}=")), "")


if __name__ == "__main__":
    given = sys.argv[1:]
    numbers = [int(argument) for argument in given if not argument.startswith("--")]
    main(
        *numbers,
        everything="--all" in given,
        cap_s=float(option("cap", given) or CAP_S),
        families=option("families", given),
    )
