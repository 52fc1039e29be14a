"""Run every program of the folder many times, as it is, and show what comes of it.

python -m cases.race.observe --times 10000 --runs 20
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

import reference.race
from cases.race import process_account, shared_double, thread_account

Program = Callable[[int], float]

SUMS: tuple[Program, ...] = (
    shared_double.double_without_lock,
    shared_double.double_in_a_value_alone,
    shared_double.double_with_a_lock,
    shared_double.double_with_its_own_lock,
)
ACCOUNTS: tuple[Program, ...] = (
    process_account.account_without_lock,
    process_account.account_in_a_value_alone,
    process_account.account_with_a_lock,
    process_account.account_with_its_own_lock,
    thread_account.thread_account_without_lock,
    thread_account.thread_account_by_methods,
    thread_account.thread_account_with_a_lock,
)


def outcomes(program: Program, times: int, runs: int) -> Counter[float]:
    """Count what comes of a program.

    Args:
        program: one of this folder's.
        times: how often each worker changes the number.
        runs: how often the program runs.

    Raises:
        ValueError: ``runs`` is less than 1, or ``times`` negative.
    """
    if runs < 1:
        raise ValueError(f"runs is {runs}: nothing is seen without at least 1 run")
    return Counter(program(times) for _ in range(runs))


def describe(program: Program, right: float, seen: Counter[float]) -> str:
    """Tell in a line how many runs were right, how many outcomes there were, and the lowest and the highest."""
    name, low, high = program.__name__, min(seen), max(seen)
    return (
        f"{name:<30} {seen[right]:>3} of {seen.total():>3} right   {len(seen):>3} different: {low:.10g} to {high:.10g}"
    )


def main() -> None:
    """Show a line for each program."""
    parser = argparse.ArgumentParser(description="Run every program of cases/race and show what comes of it.")
    parser.add_argument("--times", type=int, default=10_000, help="how often each worker changes the number")
    parser.add_argument("--runs", type=int, default=20, help="how often each program runs")
    parser.add_argument("--only", default="", help="only programs whose names contain this text")
    chosen = parser.parse_args()
    for programs, reference_of in ((SUMS, reference.race.sum_of_two), (ACCOUNTS, reference.race.balance)):
        right = reference_of(chosen.times)
        print(f"right: {right:.10g}")
        for program in (program for program in programs if chosen.only in program.__name__):
            print("  " + describe(program, right, outcomes(program, chosen.times, chosen.runs)))


if __name__ == "__main__":
    main()
