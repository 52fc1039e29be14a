"""Lists, dicts and generators of one process, used by two threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Lock, Thread
from typing import Any

from tests.races.corpus import buggy, fixes, run_all, together


def in_threads(*calls: tuple[Any, ...]) -> list[Any]:
    """What the calls return, each made by a thread of its own; the first exception of any is raised."""
    with ThreadPoolExecutor(len(calls)) as threads:
        futures = [threads.submit(*call) for call in calls]
        return [future.result() for future in futures]


def numbers() -> Iterator[int]:
    number = 0
    while number < 4:
        yield number
        number += 1


def take_two(source: Iterator[int], lock: Any) -> list[int]:
    taken = []
    for _ in range(2):
        with lock:
            taken.append(next(source))
    return taken


@buggy("Race")
def generator_shared() -> list[int]:
    """A generator that is running cannot be asked for its next item."""
    source = numbers()
    one, two = in_threads((take_two, source, nullcontext()), (take_two, source, nullcontext()))
    return sorted(one + two)


@fixes(generator_shared)
def generator_shared_fixed() -> list[int]:
    """The generator is asked with a lock held."""
    source, lock = numbers(), Lock()
    one, two = in_threads((take_two, source, lock), (take_two, source, lock))
    return sorted(one + two)


def add_keys(ages: dict[str, int], lock: Any) -> None:
    for name in ("cid", "dan"):
        with lock:
            ages[name] = len(ages)


def add_up(ages: dict[str, int], lock: Any) -> bool:
    total = 0
    with lock:
        for age in ages.values():
            total += age
    return total >= 1


@buggy("Race")
def dict_changed_while_iterated() -> list[Any]:
    """A dict must not grow while another thread goes through it."""
    ages = {"ann": 0, "bob": 1}
    return in_threads((add_up, ages, nullcontext()), (add_keys, ages, nullcontext()))


@fixes(dict_changed_while_iterated)
def dict_changed_while_iterated_fixed() -> list[Any]:
    """The dict is changed and gone through with a lock held."""
    ages, lock = {"ann": 0, "bob": 1}, Lock()
    return in_threads((add_up, ages, lock), (add_keys, ages, lock))


def remove_if_there(items: list[str], lock: Any) -> None:
    with lock:
        if "old" in items:
            items.remove("old")


@buggy("Race")
def item_removed_twice() -> list[str]:
    """Both threads find the item in the list, and one fails to remove it."""
    items = ["old", "new"]
    in_threads((remove_if_there, items, nullcontext()), (remove_if_there, items, nullcontext()))
    return items


@fixes(item_removed_twice)
def item_removed_twice_fixed() -> list[str]:
    """The item is looked for and removed with a lock held."""
    items, lock = ["old", "new"], Lock()
    in_threads((remove_if_there, items, lock), (remove_if_there, items, lock))
    return items


def forget(cache: dict[str, int], key: str) -> None:
    if key in cache:
        del cache[key]  # noqa: RUF051 - the bug


def forget_at_once(cache: dict[str, int], key: str) -> None:
    cache.pop(key, None)


@buggy("Race")
def key_deleted_twice() -> dict[str, int]:
    """The key may be gone between the check and the deletion."""
    cache = {"a": 1, "b": 2}
    in_threads((forget, cache, "a"), (forget, cache, "a"))
    return cache


@fixes(key_deleted_twice)
def key_deleted_twice_fixed() -> dict[str, int]:
    """The key is taken out in one step, if it is there."""
    cache = {"a": 1, "b": 2}
    in_threads((forget_at_once, cache, "a"), (forget_at_once, cache, "a"))
    return cache


def enrol(names: list[str], name: str, lock: Any) -> bool:
    with lock:
        names.append(name)
        number = len(names) - 1
    return names[number] == name


@buggy("Race")
def number_of_the_last() -> list[Any]:
    """The last of the list need not be the one that was appended just now."""
    names: list[str] = []
    return in_threads((enrol, names, "ann", nullcontext()), (enrol, names, "bob", nullcontext()))


@fixes(number_of_the_last)
def number_of_the_last_fixed() -> list[Any]:
    """The name is appended and its number taken with a lock held."""
    names, lock = list[str](), Lock()
    return in_threads((enrol, names, "ann", lock), (enrol, names, "bob", lock))


class Server:
    """Where to connect: a host and its port."""

    def __init__(self) -> None:
        self.host = "a"
        self.port = 1
        self.address = ("a", 1)

    def move(self) -> None:
        """Change the host, then the port."""
        self.host = "b"
        self.port = 2

    def move_at_once(self) -> None:
        """Change host and port together."""
        self.address = ("b", 2)

    def where(self) -> tuple[str, int]:
        """Return the host, then the port."""
        return self.host, self.port

    def where_at_once(self) -> tuple[str, int]:
        """Return host and port together."""
        return self.address


@buggy("Race")
def host_without_its_port() -> bool:
    """The address is read while its two parts are changed."""
    server = Server()
    address, _ = in_threads((server.where,), (server.move,))
    return address in (("a", 1), ("b", 2))


@fixes(host_without_its_port)
def host_without_its_port_fixed() -> bool:
    """The address is one object, which is replaced."""
    server = Server()
    address, _ = in_threads((server.where_at_once,), (server.move_at_once,))
    return address in (("a", 1), ("b", 2))


def extend(words: list[str], word: str) -> None:
    words[:] = [*words, word]


def extend_in_place(words: list[str], word: str) -> None:
    words.append(word)


@buggy("Race")
def list_rebuilt() -> list[str]:
    """Each thread replaces the list by a longer copy."""
    words: list[str] = []
    together(Thread, extend, (words, "yes"), (words, "no"))
    return sorted(words)


@fixes(list_rebuilt)
def list_rebuilt_fixed() -> list[str]:
    """Each thread appends to the list."""
    words: list[str] = []
    together(Thread, extend_in_place, (words, "yes"), (words, "no"))
    return sorted(words)


@buggy("Race")
def started_in_a_loop() -> list[int]:
    """Each thread looks at the variable of the loop when it comes to it."""
    seen = []
    threads = []
    for number in range(2):
        threads.append(Thread(target=lambda: seen.append(number)))  # noqa: B023 - the bug
        threads[-1].start()
    for thread in threads:
        thread.join()
    return sorted(seen)


@fixes(started_in_a_loop)
def started_in_a_loop_fixed() -> list[int]:
    """Each thread is given its number."""
    seen: list[int] = []
    run_all(*(Thread(target=seen.append, args=(number,)) for number in range(2)))
    return sorted(seen)
