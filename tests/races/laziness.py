"""Things made when they are first needed, by whoever comes first, or by two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Lock, Thread
from typing import Any, ClassVar

from tests.races.corpus import FORK, buggy, fixes, together


class Connection:
    """A connection to some server, of which there should be one."""

    only: ClassVar[Connection | None] = None
    lock: ClassVar[Lock] = Lock()

    @classmethod
    def get(cls) -> Connection:
        """Return the only connection, perhaps."""
        if cls.only is None:
            cls.only = cls()
        return cls.only

    @classmethod
    def get_locked(cls) -> Connection:
        """Return the only connection."""
        with cls.lock:
            return cls.get()


def connections_of_two(get: Any) -> int:
    Connection.only = None
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(get) for _ in range(2)]
        return len({id(connection) for connection in [future.result() for future in futures]})


@buggy("Race")
def singleton_made_twice() -> int:
    """Both threads find that there is no connection yet."""
    return connections_of_two(Connection.get)


@fixes(singleton_made_twice)
def singleton_made_twice_fixed() -> int:
    """The connection is looked for and made with a lock held."""
    return connections_of_two(Connection.get_locked)


class Settings:
    """Settings, loaded when they are first asked for."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.values: dict[str, int] | None = None

    def get_early(self) -> int | None:
        """Return a setting; the table is there before its content."""
        if self.values is None:
            with self.lock:
                if self.values is None:
                    self.values = {}
                    self.values["size"] = 3
        return self.values.get("size")

    def get_late(self) -> int | None:
        """Return a setting; the table is there when it is complete."""
        if self.values is None:
            with self.lock:
                if self.values is None:
                    values = {}
                    values["size"] = 3
                    self.values = values
        return self.values.get("size")


def setting_for_two(get: Any) -> list[int | None]:
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(get) for _ in range(2)]
        return [future.result() for future in futures]


@buggy("Race")
def settings_published_empty() -> list[int | None]:
    """The second check, without the lock, sees a table that is still empty."""
    return setting_for_two(Settings().get_early)


@fixes(settings_published_empty)
def settings_published_empty_fixed() -> list[int | None]:
    """The table is filled before others can see it."""
    return setting_for_two(Settings().get_late)


class Squares:
    """Squares, each computed once and remembered."""

    def __init__(self) -> None:
        self.known: dict[int, int] = {}
        self.computed: list[int] = []
        self.lock = Lock()

    def get(self, number: int) -> int:
        """Return the square, without the lock."""
        if number not in self.known:
            self.computed.append(number)
            self.known[number] = number * number
        return self.known[number]

    def get_locked(self, number: int) -> int:
        """Return the square, with the lock held."""
        with self.lock:
            return self.get(number)


@buggy("Race")
def computed_twice() -> list[int]:
    """Both threads find that the square is not known."""
    squares = Squares()
    together(Thread, squares.get, (3,), (3,))
    return squares.computed


@fixes(computed_twice)
def computed_twice_fixed() -> list[int]:
    """The square is looked up and computed with a lock held."""
    squares = Squares()
    together(Thread, squares.get_locked, (3,), (3,))
    return squares.computed


def cubes_of_two(locked: bool) -> int:
    calls: list[int] = []
    lock = Lock()

    @lru_cache
    def cube(number: int) -> int:
        calls.append(number)
        return number**3

    def get(number: int) -> int:
        if locked:
            with lock:
                return cube(number)
        return cube(number)

    together(Thread, get, (2,), (2,))
    return len(calls)


@buggy("Race")
def cached_function_called_twice() -> int:
    """A cache of functools calls the function again while its first call is under way."""
    return cubes_of_two(locked=False)


@fixes(cached_function_called_twice)
def cached_function_called_twice_fixed() -> int:
    """The cached function is called with a lock held."""
    return cubes_of_two(locked=True)


class Table:
    """A table made by the first object that needs it, for all of its class."""

    rows: ClassVar[list[int]]
    lock: ClassVar[Lock] = Lock()

    def length(self) -> int:
        """Return the length of the table, making it without the lock."""
        if not hasattr(Table, "rows"):
            Table.rows = []
            Table.rows.extend([1, 2, 3])
        return len(Table.rows)

    def length_locked(self) -> int:
        """Return the length of the table, making it with the lock held."""
        with Table.lock:
            return self.length()


def lengths(method: Any) -> list[int]:
    if hasattr(Table, "rows"):
        del Table.rows
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(method, [Table(), Table()]))


@buggy("Race")
def attribute_of_a_class_made_lazily() -> list[int]:
    """A table of the class is there before its rows."""
    return lengths(Table.length)


@fixes(attribute_of_a_class_made_lazily)
def attribute_of_a_class_made_lazily_fixed() -> list[int]:
    """The table is looked for and made with a lock held."""
    return lengths(Table.length_locked)


class Box:
    """A content, and a flag that says that it is there."""

    def __init__(self) -> None:
        self.full = False
        self.content = ""

    def fill_early(self) -> None:
        """Set the flag before the content."""
        self.full = True
        self.content = "gold"

    def fill_late(self) -> None:
        """Set the flag after the content."""
        self.content = "gold"
        self.full = True


def content_when_full(box: Box, fill: Any) -> bool:
    filler = Thread(target=fill)
    filler.start()
    right = box.content == "gold" if box.full else True
    filler.join()
    return right


@buggy("Race")
def flag_of_an_empty_box() -> bool:
    """The flag is set before the content."""
    box = Box()
    return content_when_full(box, box.fill_early)


@fixes(flag_of_an_empty_box)
def flag_of_an_empty_box_fixed() -> bool:
    """The flag is set after the content."""
    box = Box()
    return content_when_full(box, box.fill_late)


def prepare(made: Any, table: Any) -> None:
    if not made.value:
        for i in range(len(table)):
            table[i] += i
        made.value = 1


def prepare_locked(made: Any, table: Any) -> None:
    with made.get_lock():
        prepare(made, table)


def prepared_by_two(function: Any) -> list[int]:
    made = FORK.Value("b", 0)
    table: Any = FORK.Array("i", 3)
    together(FORK.Process, function, (made, table), (made, table))
    return list(table)


@buggy("Race")
def table_prepared_twice() -> list[int]:
    """Both processes find that the table is not prepared."""
    return prepared_by_two(prepare)


@fixes(table_prepared_twice)
def table_prepared_twice_fixed() -> list[int]:
    """Whether the table is prepared is asked with the lock held, until it is."""
    return prepared_by_two(prepare_locked)
