"""The whole corpus of races, many times over: is every buggy program found, and no correct one accused?

    python -m benchmarks.race_corpus [--tries 20] [--correct-tries 50] [--seconds 10] [--at-once 1] [name ...]

Every try has a seed of its own. What is found is replayed in fresh processes, as often as --replays says.
With several at once, programs run under load; the budget is the same.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pytest_parallel_lab import Deadlock, Lab, NumericalNondeterminismWarning, Race
from tests.races import corpus
from tests.races.corpus import NOTHING, Program


@dataclass(frozen=True)
class Try:
    """One exploration of one program."""

    program: Program
    buggy: bool
    verdict: str
    elapsed_s: float
    replayed: int
    text: str


def explore(lab: Lab, program: Program, options: argparse.Namespace, seed: int, *, buggy: bool) -> Try:
    """Explore once; replay what is found."""
    given: dict[str, Any] = {} if program.reference is NOTHING else {"reference": program.reference}
    began_s = time.monotonic()
    verdict, text, replay = "", "", ""
    try:
        lab.explore(program.function, seconds=options.seconds, seed=seed, **given)
    except NumericalNondeterminismWarning as found:
        verdict, text = "Nondeterminism", str(found)
    except Race as found:
        verdict, text, replay = type(found).__name__, str(found), found.replay
    except Deadlock as found:
        verdict, text, replay = "Deadlock", str(found), found.replay
    except Exception as found:
        verdict, text = type(found).__name__, str(found)
    elapsed_s = time.monotonic() - began_s
    replayed = sum(fails_again(lab, program, replay, given) for _ in range(options.replays)) if buggy and replay else 0
    return Try(program, buggy, verdict, elapsed_s, replayed if replay else options.replays, text)


def fails_again(lab: Lab, program: Program, replay: str, given: dict[str, Any]) -> bool:
    """Whether a schedule fails in a fresh process."""
    try:
        lab.explore(program.function, replay=replay, **given)
    except Exception:
        return True
    return False


def expected(tried: Try) -> bool:
    """Whether a try ended as it should."""
    return bool(tried.verdict) == tried.buggy


def report(tries: Iterable[Try], replays: int) -> None:
    """Print what went wrong, and how long it took."""
    seen: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    for tried in tries:
        kind = "buggy" if tried.buggy else "correct"
        seen[kind] += 1
        slowest[tried.program.id] = max(slowest.get(tried.program.id, 0.0), tried.elapsed_s)
        if not expected(tried):
            seen[f"{kind}, wrong"] += 1
            print(f"{tried.program.id}: {tried.verdict or 'nothing found'} after {tried.elapsed_s:.1f} s", flush=True)
            print(f"    {tried.text[:400]}", flush=True)
        elif tried.buggy and tried.replayed < replays:
            seen["not replayed"] += 1
            print(f"{tried.program.id}: came again {tried.replayed} of {replays} times", flush=True)
    print(
        f"{seen['buggy']} tries of buggy programs: {seen['buggy, wrong']} not found, "
        f"{seen['not replayed']} not replayed every time"
    )
    print(f"{seen['correct']} tries of correct programs: {seen['correct, wrong']} accused")
    for name in sorted(slowest, key=lambda name: -slowest[name])[:10]:
        print(f"    at most {slowest[name]:5.1f} s  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=20)
    parser.add_argument("--correct-tries", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--replays", type=int, default=1)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    warnings.simplefilter("error", NumericalNondeterminismWarning)
    buggy, fixed, innocent = corpus.load()
    work = [(p, True, seed) for seed in range(1, options.tries + 1) for p in buggy]
    work += [(p, False, seed) for seed in range(1, options.correct_tries + 1) for p in (*fixed, *innocent)]
    chosen = [one for one in work if not options.names or any(name in one[0].id for name in options.names)]
    with Lab() as lab, ThreadPoolExecutor(options.at_once) as threads:
        _ = lab.keeper
        tries = threads.map(lambda one: explore(lab, one[0], options, one[2], buggy=one[1]), chosen)
        report(tries, options.replays)


if __name__ == "__main__":
    main()
