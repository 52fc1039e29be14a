"""What explore says: of hangs, wrong values, exceptions, rounding, random streams, hash seeds and bad options."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab import (
    BadSetting,
    CannotSend,
    Deadlock,
    Mismatch,
    NumericalNondeterminism,
    NumericalNondeterminismWarning,
    ParallelError,
    Race,
    SameStream,
)
from tests import explored
from tests.conftest import Run

EXHAUSTIVELY: dict[str, Any] = {"strategy": "bounded", "bound": 1, "hash_seeds": False}
NO_MATTER = "different schedules: it is no matter of timing"
ROUNDED = (0.3, 0.1, 0.2)
CANCELLING = (1e16, 1.0, -1e16)

Explore = Callable[..., Any]


# --- hangs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "one", "other"),
    [
        ("threads_that_cross", r"thread Thread-\d \(take\)", r"thread Thread-\d \(take\)"),
        ("processes_that_cross", r"main\.p1", r"main\.p2"),
    ],
)
def test_a_schedule_that_hangs(program: str, one: str, other: str, pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.makepyfile(f"import explored\ndef test_it(explore): explore(explored.{program}, **{EXHAUSTIVELY})")
    result = run_pytest()
    result.assert_outcomes(failed=1)
    replay = r"pytest \S+::test_it (--parallel-replay=o,h\d+,r0,\d+=main\.[tp]\d)"
    proof = r"nothing in this run can move any more\. .*"
    place = r"in Lock\.acquire at explored\.py:\d+"
    told = [
        rf"E +pytest_parallel_lab\.Deadlock: deadlock after 1 turn out of order: {proof}",
        rf"E +{one} waits for Lock b {place}, held by {other}, taken at explored\.py:\d+",
        rf"E +{other} waits for Lock a {place}, held by {one}, taken at explored\.py:\d+",
        r"E +see it again:",
        rf"E +{replay}",
    ]
    result.stdout.re_match_lines(told)
    found = re.search(replay, result.stdout.str())
    assert found is not None
    again = run_pytest(found[1])
    again.assert_outcomes(failed=1)
    again.stdout.re_match_lines(told)


def test_every_schedule_hangs(explore: Explore) -> None:
    with pytest.raises(Deadlock, match=r"\Adeadlock: nothing in this run can move any more\.") as caught:
        explore(explored.never_ends)
    assert re.search(
        r"the main thread waits for another thread in Queue\.\w+ at \S*explored\.py:\d+", str(caught.value)
    )
    assert "replay" not in str(caught.value)


def test_a_wait_has_its_users_name(explore: Explore) -> None:
    with pytest.raises(Deadlock, match=r"waits for another thread in Queue\.get at"):
        explore(explored.never_ends)


# --- wrong values and exceptions ---------------------------------------------------------------------


@pytest.mark.parametrize("reference", [9, explored.squared])
def test_always_wrong(reference: Any, explore: Explore) -> None:
    text = rf"doubled gave 6, where 9 is right, in all of the \d+ runs, under {NO_MATTER}"
    with pytest.raises(Mismatch, match=text):
        explore(explored.doubled, 3, reference=reference, hash_seeds=False)


@pytest.mark.parametrize("reference", [4, explored.squared])
def test_right_by_the_reference(reference: Any, explore: Explore) -> None:
    assert explore(explored.doubled, number=2, reference=reference, **EXHAUSTIVELY).value == 4


def test_wrong_in_some_schedules(explore: Explore) -> None:
    with pytest.raises(Race, match="who goes when: 1, where 2 is right\n"):
        explore(explored.threads, reference=2, **EXHAUSTIVELY)


def test_the_usual_schedule_is_the_wrong_one(explore: Explore) -> None:
    with pytest.raises(Race, match="who goes when: 2, where 1 is right\n"):
        explore(explored.threads, reference=1, **EXHAUSTIVELY)


def test_an_exception_in_every_schedule_is_raised(explore: Explore) -> None:
    with pytest.raises(explored.Gone, match=r"\Anobody there\Z") as caught:
        explore(explored.always_raises, runs=14, hash_seeds=False)
    cause = caught.value.__cause__
    assert type(cause) is ParallelError
    text = rf"always_raises raised this in all of the \d+ runs, under {NO_MATTER}\nTraceback .*in always_raises\n"
    assert re.match(text, str(cause), re.DOTALL)


def test_an_exception_in_some_schedules_is_a_race(explore: Explore) -> None:
    error = r"IndexError\(list index out of range\)"
    with pytest.raises(Race, match=f"who goes when: {error}, but 1 in the usual schedule") as caught:
        explore(explored.raises_sometimes, **EXHAUSTIVELY)
    text = rf"Traceback .*\n  File .*explored\.py\", line \d+, in raises_sometimes\n.*{error[:10]}"
    assert re.search(text, str(caught.value), re.DOTALL)


def test_a_process_that_ends_in_some_schedules_is_a_race(explore: Explore) -> None:
    with pytest.raises(Race, match="its process exited with code 3, but None in the usual schedule"):
        explore(explored.leaves_sometimes, **EXHAUSTIVELY)


def test_a_look_right_after_a_start(explore: Explore) -> None:
    with pytest.raises(Race):
        explore(explored.looks_once, **EXHAUSTIVELY)


# --- rounding, streams and hashes ----------------------------------------------------------------------


def test_rounding_is_warned_of(explore: Explore) -> None:
    text = (
        r"sum_of: numerical nondeterminism: the last bits of the result depend on who goes when, as in a sum in the "
        r"order in which its terms come: 0\.6000000000000001 \(\d+x\), 0\.6 \(\d+x\)\n"
        r"see it: pytest \S*test_explore_messages\.py::test_rounding_is_warned_of --parallel-replay=o,h\d+,r0,\d+=main"
    )
    with pytest.warns(NumericalNondeterminismWarning, match=text):
        found = explore(explored.sum_of, *ROUNDED, **EXHAUSTIVELY)
    assert found.failure is None
    assert found.numerical is not None


def test_rounding_can_be_allowed(explore: Explore) -> None:
    assert explore(explored.sum_of, *ROUNDED, numerical="allow", **EXHAUSTIVELY).numerical is not None


def test_rounding_can_be_a_failure(explore: Explore) -> None:
    with pytest.raises(NumericalNondeterminism, match="the last bits of the result depend on who goes when") as caught:
        explore(explored.sum_of, *ROUNDED, numerical="fail", **EXHAUSTIVELY)
    assert f"--parallel-replay={caught.value.replay}" in str(caught.value)


@pytest.mark.parametrize(("amounts", "rtol"), [(CANCELLING, 1e-9), (ROUNDED, 0.0), (ROUNDED, 1e-17)])
def test_beyond_the_tolerance_rounding_is_a_race(amounts: tuple[float, ...], rtol: float, explore: Explore) -> None:
    with pytest.raises(Race, match=r"who goes when: \d\.\d+, but \d\.\d+ in the usual schedule") as caught:
        explore(explored.sum_of, *amounts, rtol=rtol, numerical="allow", **EXHAUSTIVELY)
    assert type(caught.value) is Race


def test_an_absolute_tolerance(explore: Explore) -> None:
    assert explore(explored.sum_of, *CANCELLING, atol=2.0, numerical="allow", **EXHAUSTIVELY).numerical is not None


def test_an_inherited_stream(explore: Explore) -> None:
    with pytest.raises(SameStream) as caught:
        explore(explored.inherited_stream, **EXHAUSTIVELY)
    assert str(caught.value).splitlines() == [
        "inherited_stream: several workers draw the same numbers",
        "main.p1 and main.p2 draw the same numbers from numpy.random: it has the same state in each",
        "Give each worker a stream of its own, as of numpy.random.SeedSequence(seed).spawn(workers)",
    ]


def test_spawned_streams_differ(explore: Explore) -> None:
    found = explore(explored.spawned_streams, runs=3, **EXHAUSTIVELY)
    assert found.same_streams == ()
    assert found.value[0] != found.value[1]


def test_the_order_of_a_set_is_a_matter_of_the_hash_seed(explore: Explore) -> None:
    text = r"order_of_a_set: the outcome depends on the hash seed, that is on the order of sets or on hash\(\): \['"
    with pytest.raises(Race, match=text) as caught:
        explore(explored.order_of_a_set, strategy="bounded")
    assert "who goes when" not in str(caught.value)
    with pytest.raises(Race, match=text):
        explore(
            explored.order_of_a_set, strategy="bounded", reference=None if False else caught.value.exploration.value
        )


def test_other_hash_seeds_can_be_left_out(explore: Explore) -> None:
    assert explore(explored.order_of_a_set, **EXHAUSTIVELY).failure is None


def test_what_comes_from_outside_is_no_matter_of_the_hash_seed(explore: Explore) -> None:
    with pytest.raises(Race) as caught:
        explore(explored.from_outside, strategy="bounded")
    assert "the hash seed" not in str(caught.value)


# --- sending and printing ------------------------------------------------------------------------------


def test_what_cannot_be_sent(explore: Explore) -> None:
    lock = explored.returns_a_lock()
    with pytest.raises(CannotSend, match=r"argument 1 of doubled \(lock\) cannot be sent to a worker"):
        explore(explored.doubled, lock)
    with pytest.raises(CannotSend, match="cannot pickle"):
        explore(lambda: lock.locked())


def test_a_module_that_cannot_be_imported(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        """
        import sys, types

        def test_it(explore):
            module = sys.modules["nowhere"] = types.ModuleType("nowhere")
            exec("def program(): return 1", vars(module))
            explore(module.program)
        """
    )
    result = run_pytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*CannotSend: *ModuleNotFoundError: No module named 'nowhere'*on sys.path*"])


def test_a_result_that_cannot_be_sent(explore: Explore) -> None:
    with pytest.raises(CannotSend, match=r"the result \((Traced)?[lL]ock\) cannot be sent back"):
        explore(explored.returns_a_lock, **EXHAUSTIVELY)


def test_what_a_program_prints_does_not_spoil_the_output(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.makepyfile(
        f"import explored\ndef test_it(explore): assert explore(explored.prints, **{EXHAUSTIVELY}).value == 1"
    )
    result = run_pytest("-q", "-s")
    assert [line for line in result.outlines if line.startswith(".")] == [result.outlines[0]]
    assert result.errlines == []


def test_what_a_program_prints_is_in_its_failure(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(explored=Path(explored.__file__).read_text())
    pytester.makepyfile(
        f"import explored\ndef test_it(explore): explore(explored.prints, reference=2, **{EXHAUSTIVELY})"
    )
    run_pytest().stdout.fnmatch_lines_random(["*to stdout", "*to stderr", "*to the descriptor"])


# --- bad options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"runs": 0}, "explore(doubled): runs=0 is not a whole number of at least 1"),
        ({"runs": True}, "explore(doubled): runs=True is not a whole number of at least 1"),
        ({"runs": 1.5}, "explore(doubled): runs=1.5 is not a whole number of at least 1"),
        ({"seconds": 0}, "explore(doubled): seconds=0 is not a number of at least 0.01"),
        ({"seconds": "3"}, "explore(doubled): seconds='3' is not a number of at least 0.01"),
        ({"seed": -1}, "explore(doubled): seed=-1 is not a whole number of at least 0"),
        ({"bound": 0}, "explore(doubled): bound=0 is not a whole number of at least 1"),
        ({"rtol": -1e-9}, "explore(doubled): rtol=-1e-09 is not a number of at least 0"),
        ({"atol": -1}, "explore(doubled): atol=-1 is not a number of at least 0"),
        ({"strategy": "bonded"}, "explore(doubled): unknown strategy 'bonded'; did you mean 'bounded'?"),
        ({"strategy": ["pct", "randon"]}, "explore(doubled): unknown strategy 'randon'; did you mean 'random'?"),
        ({"strategy": ()}, "explore(doubled): no strategy given; choose from bounded, random, pct"),
        ({"numerical": "worn"}, "explore(doubled): unknown way to take numerical differences 'worn'; did you mean"),
        ({"backend": "serail"}, "unknown backend 'serail'; did you mean 'serial'?"),
    ],
    ids=str,
)
def test_bad_arguments(options: dict[str, Any], text: str, explore: Explore) -> None:
    with pytest.raises(BadSetting, match=re.escape(text)):
        explore(explored.doubled, **options)
