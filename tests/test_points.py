"""The instructions at which turns change, in functions as small as can be, on every Python."""

from __future__ import annotations

import dis
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_parallel_lab.explore.inside import opcodes

total = 0


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opcodes, "_points", {})
    monkeypatch.setattr(opcodes, "_changing", set())


def points(function: Callable[..., Any]) -> list[str]:
    return list(opcodes.points_of(function.__code__).values())


def adds_to_global() -> None:
    global total
    total = total + 1


def counter() -> Callable[[], None]:
    n = 0

    def count() -> None:
        nonlocal n
        n = n + 1

    return count


def store_attribute(x: Any) -> None:
    x.a = 1


def delete_attribute(x: Any) -> None:
    del x.a


def store_item(x: Any) -> None:
    x[0] = 1


def delete_item(x: Any) -> None:
    del x[0]


def read_attribute(x: Any) -> Any:
    return x.a


def read_item(x: Any) -> Any:
    return x[0]


def look_for_item(x: Any) -> bool:
    return 1 in x


def augment_attribute(x: Any) -> None:
    x.a += 1


def augment_item(x: Any) -> None:
    x[0] += 1


def change_in_place(x: Any) -> None:
    x += [1]


def yields(x: Any) -> Iterator[Any]:
    yield x


def call(x: Any) -> None:
    x()


def call_method(x: Any) -> None:
    x.method(1)


def call_with_keyword(x: Any) -> None:
    x(1, a=2)


def call_with_all(x: Any, *args: Any, **kwargs: Any) -> None:
    x(*args, **kwargs)


def loop(x: Any) -> None:
    for _ in x:
        pass


def loop_with_points(x: Any) -> None:
    for i in x:
        i.a = 1


def nested_loops(x: Any) -> None:
    for i in x:
        for _ in i:
            pass


def arithmetic(x: int, y: int) -> int:
    z = x * y + 1
    return z - x if z > y else y


def constants(x: Any) -> Any:
    return [x, (1, 2), {"a": x}, f"{x}"]


SMALL: dict[Callable[..., Any], list[str]] = {
    store_attribute: ["stores an attribute"],
    delete_attribute: ["deletes an attribute"],
    store_item: ["stores an item"],
    delete_item: ["deletes an item"],
    read_attribute: ["reads an attribute"],
    read_item: ["reads an item"],
    look_for_item: ["looks for an item"],
    augment_attribute: ["reads an attribute", "stores an attribute"],
    augment_item: ["reads an item", "stores an item"],
    change_in_place: ["changes in place"],
    yields: ["yields"],
    call: ["calls"],
    call_method: ["calls"],
    call_with_keyword: ["calls"],
    call_with_all: ["calls"],
    loop: ["takes the next item"],
    loop_with_points: ["stores an attribute"],
    nested_loops: ["takes the next item"] * 2,
    arithmetic: [],
    constants: [],
}


@pytest.mark.parametrize("function", SMALL, ids=lambda f: f.__name__)
def test_points_of_a_small_function(function: Callable[..., Any]) -> None:
    assert points(function) == SMALL[function]


def test_a_change_in_place_is_a_point_where_the_variable_is_used_at_once() -> None:
    made: dict[str, Any] = {}
    exec("def f(x):\n    x += [1]; return x", made)
    assert points(made["f"]) == ["changes in place"]


def test_reading_a_slice_is_a_point() -> None:
    def read_slice(x: Any) -> Any:
        return x[1:2]

    assert points(read_slice)[0] in ("reads an item", "reads a slice")


def test_storing_a_slice_is_a_point() -> None:
    def store_slice(x: Any) -> None:
        x[1:2] = []

    assert points(store_slice) == ["stores a slice" if sys.version_info >= (3, 12) else "stores an item"]


def test_points_are_at_the_offsets_of_their_instructions() -> None:
    names = {i.offset: i.opname for i in dis.get_instructions(augment_attribute)}
    assert [names[offset] for offset in opcodes.points_of(augment_attribute.__code__)] == ["LOAD_ATTR", "STORE_ATTR"]


@pytest.mark.parametrize("attributes", [200, 300])
def test_long_functions_have_all_their_points(attributes: int) -> None:
    made: dict[str, Any] = {}
    exec("def f(x):\n" + "".join(f"    x.a{i} = 1\n" for i in range(attributes)), made)
    assert points(made["f"]) == ["stores an attribute"] * attributes


def test_a_global_is_read_at_a_point_once_somebody_is_known_to_store_it() -> None:
    assert points(adds_to_global) == ["stores a global"]
    opcodes._points.clear()
    opcodes.prepare([adds_to_global])
    assert points(adds_to_global) == ["reads a global", "stores a global"]


def test_names_of_functions_are_read_without_a_point() -> None:
    def uses() -> None:
        os.getpid()
        counter()

    opcodes.prepare([uses, adds_to_global])
    assert set(points(uses)) <= {"calls", "reads an attribute"}
    assert points(uses).count("calls") == 2


def test_variables_of_outer_functions_are_shared() -> None:
    count = counter()
    opcodes.prepare([counter])
    assert points(count) == ["reads a variable that is shared", "stores a variable that is shared"]


def test_functions_within_functions_and_methods_are_looked_at() -> None:
    class Bank:
        def deposit(self) -> None:
            adds_to_global()

        @property
        def balance(self) -> Callable[[], None]:
            def inner() -> None:
                global total
                total = 0

            return inner

    opcodes.prepare([Bank])
    known = {code.co_name for code in opcodes._points}
    assert known >= {"deposit", "balance", "inner"}
    assert points(adds_to_global) == ["reads a global", "stores a global"]


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_class_methods_and_static_methods_are_looked_at(kind: Any) -> None:
    opcodes.prepare([type("Bank", (), {"reset": kind(adds_to_global)})])
    assert adds_to_global.__code__ in opcodes._points


def test_anything_may_be_prepared() -> None:
    opcodes.prepare([1, None, len, os, os.path.join, object(), int, Exception])
    assert not any("posixpath" in code.co_filename for code in opcodes._points)


def test_whose_code_it_is() -> None:
    library = [os.path.join.__code__, dis.dis.__code__, opcodes.points_of.__code__, pytest.raises.__code__]
    assert opcodes.is_users(arithmetic.__code__)
    assert not any(opcodes.is_users(code) for code in library)
    assert opcodes.is_users_file(__file__)
    assert not any(opcodes.is_users_file(module.__file__) for module in (dis, opcodes, pytest) if module.__file__)
