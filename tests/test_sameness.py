"""Whether two results are the same: bit for bit, within a tolerance, or not."""

from __future__ import annotations

import dataclasses
import decimal
import fractions
import functools
import math
from collections import Counter, OrderedDict, deque, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab.model.sameness import CLOSE, DIFFERENT, SAME, compare

ULP = 1.0 + 2**-52
FAR = 1.001
RTOL = 1e-9
NAN = float("nan")
Pair = namedtuple("Pair", "x y")


def nan() -> float:
    """Another NaN, as a process that unpickles one has."""
    return float("nan")


@dataclasses.dataclass
class Point:
    x: float
    y: Any = None


@dataclasses.dataclass(frozen=True)
class Slotted:
    __slots__ = ("x",)
    x: float


@dataclasses.dataclass(eq=False)
class Identity:
    x: float


class Plain:
    def __init__(self, x: Any) -> None:
        self.x = x


class WithSlots:
    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        self.x = x


class InheritedSlots(WithSlots):
    __slots__ = ("y",)

    def __init__(self, x: Any) -> None:
        super().__init__(x)
        self.y = 0


class OneSlot:
    __slots__ = "value"

    def __init__(self, value: Any) -> None:
        self.value = value


class PrivateSlot:
    __slots__ = ("__x",)

    def __init__(self, x: Any) -> None:
        self.__x = x


class Modulo:
    """Says itself what it is equal to."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Modulo) and self.x % 10 == other.x % 10

    __hash__ = None  # type: ignore[assignment]


class Refuses:
    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


def array(*values: Any, dtype: Any = None) -> Any:
    return np.array(values, dtype=dtype)


def structured(x: float, n: int = 1) -> Any:
    return np.array([(x, n)], dtype=[("x", "f8"), ("n", "i8")])


TABLE: dict[str, tuple[Any, Any, str]] = {
    "equal floats": (0.5, 0.5, SAME),
    "floats one bit apart": (1.0, ULP, CLOSE),
    "floats far apart": (1.0, FAR, DIFFERENT),
    "zeros of both signs": (0.0, -0.0, CLOSE),
    "zero and nearly zero": (0.0, 1e-300, DIFFERENT),
    "two NaN": (NAN, nan(), SAME),
    "NaN and a number": (NAN, 1.0, DIFFERENT),
    "infinities": (math.inf, float("inf"), SAME),
    "infinities of both signs": (math.inf, -math.inf, DIFFERENT),
    "infinity and the largest": (math.inf, 1.7e308, DIFFERENT),
    "equal complex": (1 + 2j, 1 + 2j, SAME),
    "close complex": (1 + 2j, ULP + 2j, CLOSE),
    "different complex": (1 + 2j, 1 + 3j, DIFFERENT),
    "whole and not": (1, 1.0, SAME),
    "whole and another": (1, 2, DIFFERENT),
    "large whole numbers one apart": (10**20, 10**20 + 1, DIFFERENT),
    "equal texts": ("ab", "a" + "b", SAME),
    "texts": ("ab", "ba", DIFFERENT),
    "bytes and text": (b"a", "a", DIFFERENT),
    "nothing and zero": (None, 0, DIFFERENT),
    "decimals": (decimal.Decimal("1.0"), decimal.Decimal("1.00"), SAME),
    "fractions": (fractions.Fraction(1, 3), fractions.Fraction(1, 4), DIFFERENT),
    "lists": ([1.0, NAN], [1.0, nan()], SAME),
    "close lists": ([1.0, 2.0], [ULP, 2.0], CLOSE),
    "a list with one close and one different": ([1.0, 2.0], [ULP, 3.0], DIFFERENT),
    "lists of other lengths": ([1], [1, 1], DIFFERENT),
    "order of a list": ([1, 2], [2, 1], DIFFERENT),
    "list and tuple": ([1], (1,), DIFFERENT),
    "named tuples": (Pair(1.0, 2), Pair(ULP, 2), CLOSE),
    "deques": (deque([1.0]), deque([ULP]), CLOSE),
    "dictionaries in another order": ({"a": 1.0, "b": 2}, {"b": 2, "a": ULP}, CLOSE),
    "dictionaries of other keys": ({"a": 1}, {"b": 1}, DIFFERENT),
    "dictionary and ordered one": ({"a": 1}, OrderedDict(a=1), SAME),
    "counters": (Counter("aab"), Counter("aba"), SAME),
    "sets in another order": ({8, 0, 16}, {16, 8, 0}, SAME),
    "sets": ({1}, {2}, DIFFERENT),
    "frozen sets": (frozenset("ab"), frozenset("ba"), SAME),
    "nested": ([{"a": (1.0, [2.0])}], [{"a": (1.0, [2.0 * ULP])}], CLOSE),
    "nested and different": ([{"a": (1.0, [2.0])}], [{"a": (1.0, [2.1])}], DIFFERENT),
    "ranges": (range(5), range(5), SAME),
    "arrays": (array(1.0, NAN), array(1.0, NAN), SAME),
    "close arrays": (array(1.0, 2.0), array(ULP, 2.0), CLOSE),
    "different arrays": (array(1.0, 2.0), array(FAR, 2.0), DIFFERENT),
    "close complex arrays": (array(1j), array(ULP * 1j), CLOSE),
    "whole arrays": (array(1, 2), array(1, 2), SAME),
    "whole arrays that differ": (array(1, 2), array(1, 3), DIFFERENT),
    "arrays of truth values": (array(True), array(False), DIFFERENT),
    "arrays of texts": (array("a"), array("a"), SAME),
    "empty arrays": (array(dtype=float), array(dtype=float), SAME),
    "arrays of other shapes": (np.zeros((2, 3)), np.zeros((3, 2)), DIFFERENT),
    "arrays that could be broadcast": (np.zeros(3), np.zeros(1), DIFFERENT),
    "arrays of other types": (array(1.0), array(1), DIFFERENT),
    "arrays of other precision": (array(1.0), array(1.0, dtype="f4"), DIFFERENT),
    "arrays in another order of memory": (np.eye(3, order="F") * 2, np.eye(3) * 2, SAME),
    "structured arrays": (structured(1.0), structured(1.0), SAME),
    "structured arrays that differ": (structured(1.0), structured(1.0, 2), DIFFERENT),
    "arrays of objects": (array("a", None, dtype=object), array("a", None, dtype=object), SAME),
    "arrays of other objects": (array("a", dtype=object), array("b", dtype=object), DIFFERENT),
    "a list of arrays": ([array(1.0)], [array(ULP)], CLOSE),
    "numpy's numbers": (np.float64(1.0), np.float64(1.0), SAME),
    "numpy's close numbers": (np.float64(1.0), np.float64(ULP), CLOSE),
    "numpy's number and a number": (np.float64(1.0), 1.0, SAME),
    "numpy's whole number and another": (np.int64(1), 2, DIFFERENT),
    "numpy's number and nothing": (np.float64(1.0), None, DIFFERENT),
    "array and text": (array(1), "1", DIFFERENT),
    "data classes": (Point(1.0, [2]), Point(1.0, [2]), SAME),
    "close data classes": (Point(1.0), Point(ULP), CLOSE),
    "different data classes": (Point(1.0), Point(2.0), DIFFERENT),
    "data classes of arrays": (Point(0.0, array(1.0, 2.0)), Point(0.0, array(1.0, ULP * 2)), CLOSE),
    "data classes with slots": (Slotted(1.0), Slotted(ULP), CLOSE),
    "data classes without equality": (Identity(1.0), Identity(1.0), SAME),
    "plain objects": (Plain([1.0]), Plain([1.0]), SAME),
    "close plain objects": (Plain([1.0]), Plain([ULP]), CLOSE),
    "different plain objects": (Plain(1), Plain(2), DIFFERENT),
    "objects of other classes": (Plain(1), WithSlots(1), DIFFERENT),
    "objects with slots": (WithSlots(1.0), WithSlots(ULP), CLOSE),
    "different objects with slots": (WithSlots(1), WithSlots(2), DIFFERENT),
    "objects that say they are equal": (Modulo(1), Modulo(11), SAME),
    "objects that say they are not": (Modulo(1), Modulo(2), DIFFERENT),
    "objects that cannot be compared": (Refuses(), Refuses(), DIFFERENT),
    "exceptions of other classes": (ValueError(1), TypeError(1), DIFFERENT),
    "equal exceptions": (ValueError(1), ValueError(1), SAME),
    "classes": (int, str, DIFFERENT),
}

WRONG: dict[str, tuple[Any, Any, str]] = {
    "exceptions with other arguments": (ValueError(1), ValueError(2), DIFFERENT),
    "partial functions": (functools.partial(int, "1"), functools.partial(int, "2"), DIFFERENT),
    "inherited slots": (InheritedSlots(1), InheritedSlots(2), DIFFERENT),
    "a single slot": (OneSlot(1), OneSlot(2), DIFFERENT),
    "private slots": (PrivateSlot(1), PrivateSlot(2), DIFFERENT),
    "zeros of both signs in arrays": (array(0.0), array(-0.0), CLOSE),
    "complex zeros of both signs": (complex(0.0, 0.0), complex(-0.0, 0.0), CLOSE),
    "half of a complex NaN": (complex(NAN, 1), complex(NAN, 2), DIFFERENT),
    "close, one of them whole": (1, ULP, CLOSE),
    "close structured arrays": (structured(1.0), structured(ULP), CLOSE),
    "structured arrays with NaN": (structured(NAN), structured(NAN), SAME),
    "close arrays of objects": (array(1.0, dtype=object), array(ULP, dtype=object), CLOSE),
    "arrays of objects with NaN": (array(NAN, dtype=object), array(nan(), dtype=object), SAME),
    "arrays of dates with NaT": (array("NaT", dtype="M8[s]"), array("NaT", dtype="M8[s]"), SAME),
    "array and ragged list": (array(1.0), [[1], [1, 2]], DIFFERENT),
    "arrays of arrays": (
        array(np.arange(2), None, dtype=object),
        array(np.arange(2), None, dtype=object),
        SAME,
    ),
    "sets with NaN": ({NAN}, {nan()}, SAME),
}


@pytest.mark.parametrize("name", TABLE)
def test_values_are_the_same_close_or_different(name: str) -> None:
    a, b, expected = TABLE[name]
    assert compare(a, b, rtol=RTOL) == expected
    assert compare(b, a, rtol=RTOL) == expected


@pytest.mark.parametrize("name", TABLE)
def test_a_value_is_the_same_as_itself(name: str) -> None:
    assert [compare(value, value) for value in TABLE[name][:2]] == [SAME, SAME]


@pytest.mark.parametrize("name", WRONG)
def test_values_that_are_hard_to_compare(name: str) -> None:
    a, b, expected = WRONG[name]
    assert compare(a, b, rtol=RTOL) == expected


@pytest.mark.parametrize("wrap", [float, np.float64, lambda x: [x], array, Point, Plain])
def test_without_a_tolerance_nothing_is_close(wrap: Callable[[float], Any]) -> None:
    assert compare(wrap(1.0), wrap(ULP)) == DIFFERENT
    assert compare(wrap(1.0), wrap(1.0)) == SAME


@pytest.mark.parametrize("wrap", [float, np.float64, lambda x: [x], array, Point, Plain])
def test_tolerances_reach_all_that_is_inside(wrap: Callable[[float], Any]) -> None:
    assert compare(wrap(100.0), wrap(100.5), rtol=0.01) == CLOSE
    assert compare(wrap(100.0), wrap(100.5), atol=0.6) == CLOSE
    assert compare(wrap(100.0), wrap(100.5), rtol=0.001, atol=0.1) == DIFFERENT


def test_what_contains_itself_is_compared_in_finite_time() -> None:
    a: list[Any] = [1]
    b: list[Any] = [2]
    a.append(a)
    b.append(b)
    assert compare(a, b) == DIFFERENT


@pytest.mark.parametrize("depth", [60, 200])
def test_deep_values_can_be_the_same(depth: int) -> None:
    def nested() -> Any:
        value: Any = 0
        for _ in range(depth):
            value = [value]
        return value

    assert compare(nested(), nested()) == SAME


def test_values_that_contain_themselves_can_be_the_same() -> None:
    a: list[Any] = [1]
    b: list[Any] = [1]
    a.append(a)
    b.append(b)
    assert compare(a, b) == SAME
