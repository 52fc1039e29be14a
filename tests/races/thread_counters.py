"""Numbers in ordinary objects, changed by two threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread

from tests.races.corpus import buggy, fixes, together

visits = 0
visits_lock = Lock()


def visit(times: int) -> None:
    global visits
    for _ in range(times):
        visits += 1


def visit_locked(times: int) -> None:
    global visits
    for _ in range(times):
        with visits_lock:
            visits += 1


@buggy("Race")
def global_counter() -> int:
    """Two threads increment a global variable."""
    global visits
    visits = 0
    together(Thread, visit, (3,), (3,))
    return visits


@fixes(global_counter)
def global_counter_fixed() -> int:
    """Two threads increment a global variable with a lock held."""
    global visits
    visits = 0
    together(Thread, visit_locked, (3,), (3,))
    return visits


class Counter:
    """A counter of events."""

    def __init__(self) -> None:
        self.count = 0
        self.lock = Lock()

    def add(self, times: int) -> None:
        """Count some events, without the lock."""
        for _ in range(times):
            self.count += 1

    def add_locked(self, times: int) -> None:
        """Count some events, with the lock held."""
        for _ in range(times):
            with self.lock:
                self.count += 1


@buggy("Race")
def counter_in_an_attribute() -> int:
    """Two threads increment an attribute of the same object."""
    counter = Counter()
    together(Thread, counter.add, (3,), (3,))
    return counter.count


@fixes(counter_in_an_attribute)
def counter_in_an_attribute_fixed() -> int:
    """Two threads increment the attribute with the lock of the object held."""
    counter = Counter()
    together(Thread, counter.add_locked, (3,), (3,))
    return counter.count


@buggy("Race")
def counter_in_a_closure() -> int:
    """Two threads increment a local variable of the function that made them."""
    count = 0

    def add(times: int) -> None:
        nonlocal count
        for _ in range(times):
            count += 1

    together(Thread, add, (3,), (3,))
    return count


@fixes(counter_in_a_closure)
def counter_in_a_closure_fixed() -> int:
    """Two threads increment the variable with a lock held."""
    count, lock = 0, Lock()

    def add(times: int) -> None:
        nonlocal count
        for _ in range(times):
            with lock:
                count += 1

    together(Thread, add, (3,), (3,))
    return count


class Job:
    """A job that counts how many of its kind have finished."""

    finished = 0
    lock = Lock()

    def run(self) -> None:
        """Finish, without the lock."""
        Job.finished += 1

    def run_locked(self) -> None:
        """Finish, with the lock held."""
        with Job.lock:
            Job.finished += 1


@buggy("Race")
def counter_of_a_class() -> int:
    """Two objects in two threads increment an attribute of their class."""
    Job.finished = 0
    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(Job().run)
    return Job.finished


@fixes(counter_of_a_class)
def counter_of_a_class_fixed() -> int:
    """The attribute of the class is incremented with a lock held."""
    Job.finished = 0
    with ThreadPoolExecutor(2) as threads:
        for _ in range(2):
            threads.submit(Job().run_locked)
    return Job.finished


def count_words(counts: dict[str, int], text: str) -> None:
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1


def count_words_locked(lock: Lock, counts: dict[str, int], text: str) -> None:
    for word in text.split():
        with lock:
            counts[word] = counts.get(word, 0) + 1


@buggy("Race")
def words_in_a_dict() -> dict[str, int]:
    """Two threads count words in one dict."""
    counts: dict[str, int] = {}
    together(Thread, count_words, (counts, "to be or"), (counts, "not to be"))
    return dict(sorted(counts.items()))


@fixes(words_in_a_dict)
def words_in_a_dict_fixed() -> dict[str, int]:
    """Two threads count words in a dict each, which are added up after the join."""
    counts: list[dict[str, int]] = [{}, {}]
    together(Thread, count_words, (counts[0], "to be or"), (counts[1], "not to be"))
    total = dict(counts[0])
    for word, count in counts[1].items():
        total[word] = total.get(word, 0) + count
    return dict(sorted(total.items()))


def sum_in_executor(locked: bool) -> int:
    total = 0
    lock = Lock()

    def add_square(number: int) -> None:
        nonlocal total
        if locked:
            with lock:
                total += number**2
        else:
            total += number**2

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(add_square, range(1, 5)))
    return total


@buggy("Race")
def accumulator_of_an_executor() -> int:
    """The tasks of a thread pool add to one variable."""
    return sum_in_executor(locked=False)


@fixes(accumulator_of_an_executor)
def accumulator_of_an_executor_fixed() -> int:
    """The tasks of a thread pool add to one variable with a lock held."""
    return sum_in_executor(locked=True)


class Ids:
    """A source of identifiers."""

    def __init__(self) -> None:
        self.last = 0
        self.lock = Lock()

    def new(self) -> int:
        """Hand out an identifier, without the lock."""
        self.last += 1
        return self.last

    def new_locked(self) -> int:
        """Hand out an identifier, with the lock held."""
        with self.lock:
            self.last += 1
            return self.last


def take_ids(new: Callable[[], int], into: list[int]) -> None:
    for _ in range(2):
        into.append(new())


@buggy("Race")
def identifier_handed_out_twice() -> int:
    """The number of different identifiers among four."""
    source = Ids()
    ids: list[int] = []
    together(Thread, take_ids, (source.new, ids), (source.new, ids))
    return len(set(ids))


@fixes(identifier_handed_out_twice)
def identifier_handed_out_twice_fixed() -> int:
    """The identifiers are handed out with a lock held."""
    source = Ids()
    ids: list[int] = []
    together(Thread, take_ids, (source.new_locked, ids), (source.new_locked, ids))
    return len(set(ids))


@buggy("Race")
def lock_made_in_the_function() -> int:
    """Every call makes a new lock, which nobody else can hold."""
    totals = [0]

    def add(amount: int) -> None:
        with Lock():
            totals[0] += amount

    together(Thread, add, (1,), (2,))
    return totals[0]


@fixes(lock_made_in_the_function)
def lock_made_in_the_function_fixed() -> int:
    """The calls share one lock."""
    totals = [0]
    lock = Lock()

    def add(amount: int) -> None:
        with lock:
            totals[0] += amount

    together(Thread, add, (1,), (2,))
    return totals[0]
