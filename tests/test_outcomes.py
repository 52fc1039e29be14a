"""What runs end with, sorted; and what a single run tells by itself."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab.explore import evidence
from pytest_parallel_lab.explore.endings import Ending, Endings, ending_of, pack, raised, returned, unpack
from pytest_parallel_lab.explore.record import Decision, Record
from pytest_parallel_lab.model.exploration import Seen
from pytest_parallel_lab.model.sameness import CLOSE, DIFFERENT, SAME
from pytest_parallel_lab.model.schedule import Schedule
from pytest_parallel_lab.model.verdict import Verdict

FIRST, SECOND, THIRD = (Schedule(seed=seed) for seed in range(3))
ULP = 1.0 + 2**-52


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x


def value(x: Any) -> Ending:
    return returned(pack(x))


def error(kind: type[Exception], message: str = "") -> Ending:
    return raised(kind.__name__, message, f"Traceback of {message}", pack(kind(message)))


def died(status: int) -> Ending:
    return ending_of(Record(FIRST, status=status))


def stuck(*, proved: bool) -> Ending:
    return ending_of(Record(FIRST, verdict=Verdict(proved, "the evidence")))


def endings(reference: tuple[Any] | None = None) -> Endings:
    return Endings(1e-9, 0.0, reference)


# --- reading a run -----------------------------------------------------------------------------


@pytest.mark.parametrize("x", [None, 7, "text", [1.5, {"a": (1,)}], b"\0" * 1000])
def test_a_value_survives_packing(x: Any) -> None:
    assert unpack(pack(x)) == x


def test_an_array_survives_packing() -> None:
    x = np.arange(1e5).reshape(100, -1)
    assert np.array_equal(unpack(pack(x)), x)
    assert np.array_equal(value(x).value(), x)


def test_a_run_that_returned() -> None:
    ending = ending_of(Record(FIRST, ending=pickle.dumps(("returned", pack([1, 2])))))
    assert (ending.kind, ending.text, ending.value(), ending.verdict) == ("returned", "[1, 2]", [1, 2], None)


def test_a_run_that_raised() -> None:
    told = ("raised", "KeyError", "'a'", "Traceback ...", pack(KeyError("a")))
    ending = ending_of(Record(FIRST, ending=pickle.dumps(told)))
    assert (ending.kind, ending.text, ending.type_name) == ("raised", "KeyError('a')", "KeyError")
    assert ending.traceback == "Traceback ..."
    assert ending.value().args == ("a",)


def test_an_exception_without_a_message_is_its_name() -> None:
    assert error(ValueError).text == "ValueError"


@pytest.mark.parametrize(
    ("ending", "kind", "text"),
    [
        (died(3), "died", "its process exited with code 3"),
        (died(-9), "died", "its process was killed by signal 9 (SIGKILL)"),
        (stuck(proved=True), "hangs", "a deadlock"),
        (stuck(proved=False), "unfinished", "no end"),
    ],
)
def test_runs_without_an_end_of_their_own(ending: Ending, kind: str, text: str) -> None:
    assert (ending.kind, ending.text) == (kind, text)


def test_a_verdict_counts_more_than_what_was_returned() -> None:
    record = Record(FIRST, ending=pickle.dumps(("returned", pack(1))), verdict=Verdict(True, "the evidence"))
    assert ending_of(record).kind == "hangs"


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.arange(3), "array([0, 1, 2])"),
        (np.zeros((4, 5)), "an array of shape (4, 5)"),
        ("a" * 100, repr("a" * 100)),
        ({"b": 1, "a": 2}, "{'a': 2, 'b': 1}"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...]"),
    ],
)
def test_values_in_words(x: Any, text: str) -> None:
    assert value(x).text == text


@pytest.mark.parametrize("x", ["a" * 1000, list(range(10**10, 10**10 + 12)), 10**1000])
def test_words_are_few(x: Any) -> None:
    assert len(value(x).text) <= 120
    assert "..." in value(x).text


def test_a_very_large_number_is_a_value() -> None:
    assert value(10**5000).kind == "returned"


# --- sorting -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usual", "other", "expected"),
    [
        (value(1), value(1), SAME),
        (value(1), value(2), DIFFERENT),
        (value([1.0]), value([ULP]), CLOSE),
        (value({8, 0}), value({0, 8}), SAME),
        (value(1), error(ValueError), DIFFERENT),
        (error(ValueError), value(1), DIFFERENT),
        (error(ValueError, "a"), error(ValueError, "b"), SAME),
        (error(ValueError), error(TypeError), DIFFERENT),
        (value(1), died(1), DIFFERENT),
        (died(1), died(1), SAME),
        (died(1), died(2), DIFFERENT),
        (value(1), stuck(proved=True), DIFFERENT),
    ],
)
def test_an_ending_is_compared_with_the_usual_one(usual: Ending, other: Ending, expected: str) -> None:
    found = endings()
    assert found.take(usual, FIRST) == SAME
    assert found.take(other, SECOND) == expected
    assert found.judge(usual) == SAME
    assert found.varied is (expected != SAME)
    assert found.differ is (expected == DIFFERENT)


def test_objects_without_words_of_their_own_are_the_same() -> None:
    found = endings()
    packed = pack(Plain(1))
    text = "<Plain object at 0x7f00000000{}>"
    for i in range(2):  # unpacked again, it has another address
        ending = Ending("returned", text.format(i), packed)
        judged = found.take(ending, FIRST)
    assert judged == SAME


@pytest.mark.parametrize("proved", [True, False])
def test_a_run_that_does_not_end_is_never_as_expected(proved: bool) -> None:
    found = endings()
    assert found.take(stuck(proved=proved), FIRST) == DIFFERENT
    assert found.take(stuck(proved=proved), SECOND) == DIFFERENT
    assert not found.varied


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (value(2.0), SAME),
        (value(2.0 * ULP), CLOSE),
        (value(1.0), DIFFERENT),
        (error(ValueError), DIFFERENT),
        (died(0), DIFFERENT),
        (stuck(proved=True), DIFFERENT),
    ],
)
def test_where_somebody_says_what_is_right_the_usual_one_may_be_wrong(ending: Ending, expected: str) -> None:
    found = endings((2.0,))
    assert found.take(ending, FIRST) == expected
    assert found.take(value(2.0), SECOND) == SAME
    assert found.expected_text == "where 2.0 is right"


def test_nothing_may_be_what_is_right() -> None:
    found = endings((None,))
    assert found.take(value(None), FIRST) == SAME
    assert found.take(value(0), FIRST) == DIFFERENT
    assert found.expected_text == "where None is right"


def test_outcomes_are_counted_with_the_first_schedule_they_came_of() -> None:
    found = endings()
    for ending, schedule in [(value(1), FIRST), (value(2), SECOND), (value(1), THIRD), (value(2), THIRD)]:
        found.take(ending, schedule)
    found.take(value(3), THIRD, counts=False)
    assert found.seen() == (Seen("1", 2, FIRST), Seen("2", 2, SECOND))
    assert found.expected_text == "but 1 in the usual schedule"


def test_close_outcomes_vary_but_do_not_differ() -> None:
    found = endings()
    found.take(value(1.0), FIRST)
    found.take(value(ULP), SECOND)
    assert (found.varied, found.differ) == (True, False)
    assert len(found.seen()) == 2


def test_a_record_is_read_and_sorted() -> None:
    found = endings()
    assert found.expected_text == ""
    for x, expected in [(1, SAME), (2, DIFFERENT)]:
        ending, judged = found.see(Record(FIRST, ending=pickle.dumps(("returned", pack(x)))))
        assert (ending.text, judged) == (str(x), expected)


# --- evidence ----------------------------------------------------------------------------------


def test_unordered_accesses_are_told() -> None:
    events = [
        ("main", "starts", "main.p1", None, ""),
        ("main.p1", "writes", "x", ("bank.py", 1, "f"), "balance"),
        ("main", "waits", "x", None, ""),  # no kind that orders or accesses
        ("main", "reads", "x", ("bank.py", 2, "g"), "balance"),
    ]
    (told,) = evidence.data_races(Record(FIRST, events=list(events)))
    assert "balance" in told
    ordered = [*events[:2], ("main", "joins", "main.p1", None, ""), *events[2:]]
    assert evidence.data_races(Record(FIRST, events=ordered)) == ()


def draws(actor: str, state: str, name: str = "random") -> tuple[str, str, str, None, str]:
    return actor, "draws", state, None, name


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], ()),
        ([draws("main.p1", "s")], ()),
        ([draws("main.p1", "s"), draws("main.p2", "t")], ()),
        ([draws("main.p1", "s"), draws("main.p2", "s", "numpy.random")], ()),
        (
            [draws("main.p1", "s"), draws("main.p2", "s")],
            ("main.p1 and main.p2 draw the same numbers from random: it has the same state in each",),
        ),
        pytest.param(
            [draws("main.p1", "s"), draws("main.p1", "s")],
            (),
        ),
    ],
)
def test_streams_that_several_draw_from_are_told(events: list[Any], expected: tuple[str, ...]) -> None:
    assert evidence.same_streams(Record(FIRST, events=events)) == expected


def test_an_interleaving_shows_the_lines_of_code(tmp_path: Path) -> None:
    path = tmp_path / "bank.py"
    path.write_text("old = balance\nbalance = old + 1\n")
    record = Record(Schedule(((1, "b"),)))
    for step, (chosen, line) in enumerate([("a", 1), ("b", 1), ("b", 2), ("a", 2)]):
        record.decisions.append(Decision(step, ("a", "b"), "a", chosen, site=(str(path), line, "deposit")))
    lines = evidence.interleaving(record).splitlines()
    assert lines[0].split() == ["a", "b"]
    assert [line.split("  ")[-1] for line in lines[1:]] == ["old = balance", "old = balance"] + [
        "balance = old + 1"
    ] * 2
    assert ["→" in line for line in lines[1:]] == [False, True, False, True]


def test_a_run_shorter_than_its_schedule_is_drawn() -> None:
    record = Record(Schedule(((7, "b"),)), [Decision(0, ("a",), "a", "a", "starts")])
    assert "starts" in evidence.interleaving(record)
    assert evidence.interleaving(Record(FIRST)) == ""
