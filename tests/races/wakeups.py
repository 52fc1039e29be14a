"""Conditions and events: signals that are lost."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all


class Mailbox:
    """Letters, with a condition to wait for them."""

    def __init__(self) -> None:
        self.letters: list[str] = []
        self.arrived = Condition()

    def put(self, letter: str) -> None:
        """Leave a letter."""
        with self.arrived:
            self.letters.append(letter)
            self.arrived.notify()

    def take_next(self) -> str:
        """Wait for the next notification, whatever lies in the box."""
        with self.arrived:
            self.arrived.wait()
            return self.letters.pop()

    def take_if_there(self) -> str:
        """Wait for one notification where the box is empty."""
        with self.arrived:
            if not self.letters:
                self.arrived.wait()
            return self.letters.pop()

    def take(self) -> str:
        """Wait while the box is empty."""
        with self.arrived:
            while not self.letters:
                self.arrived.wait()
            return self.letters.pop()


@buggy("Deadlock")
def wait_without_predicate() -> str:
    """The letter, and its notification, may come before the wait for it."""
    box = Mailbox()
    with ThreadPoolExecutor(1) as threads:
        letter = threads.submit(box.take_next)
        box.put("letter")
        return letter.result()


@fixes(wait_without_predicate)
def wait_without_predicate_fixed() -> str:
    """Nobody waits for a letter that is there."""
    box = Mailbox()
    with ThreadPoolExecutor(1) as threads:
        letter = threads.submit(box.take)
        box.put("letter")
        return letter.result()


def take_two(take: Any, box: Mailbox) -> list[str]:
    with ThreadPoolExecutor(2) as threads:
        letters = [threads.submit(take) for _ in range(2)]
        box.put("a")
        box.put("b")
        return sorted(letter.result() for letter in letters)


@buggy("Race")
def if_instead_of_while() -> list[str]:
    """Who was woken up may find that another one took the letter."""
    box = Mailbox()
    return take_two(box.take_if_there, box)


@fixes(if_instead_of_while)
def if_instead_of_while_fixed() -> list[str]:
    """Who was woken up looks again."""
    box = Mailbox()
    return take_two(box.take, box)


def signal(condition: Any, flag: Any) -> None:
    with condition:
        flag.value = 1
        condition.notify_all()


@buggy("Deadlock")
def process_waits_without_predicate() -> int:
    """The child may give its signal before the parent waits for it."""
    condition, flag = FORK.Condition(), FORK.Value("i", 0)
    child = FORK.Process(target=signal, args=(condition, flag))
    child.start()
    with condition:
        condition.wait()
    child.join()
    return int(flag.value)


@fixes(process_waits_without_predicate)
def process_waits_without_predicate_fixed() -> int:
    """The parent waits only while the flag is down."""
    condition, flag = FORK.Condition(), FORK.Value("i", 0)
    child = FORK.Process(target=signal, args=(condition, flag))
    child.start()
    with condition:
        while not flag.value:
            condition.wait()
    child.join()
    return int(flag.value)


class Shelf:
    """Room for one jar, or for more where nobody looks."""

    def __init__(self) -> None:
        self.jars = 1
        self.most = 1
        self.changed = Condition()

    def put_once_asked(self) -> None:
        """Wait for one notification where there is no room."""
        with self.changed:
            if self.jars >= 1:
                self.changed.wait()
            self.add()

    def put(self) -> None:
        """Wait while there is no room."""
        with self.changed:
            while self.jars >= 1:
                self.changed.wait()
            self.add()

    def add(self) -> None:
        """Put a jar on the shelf."""
        self.jars += 1
        self.most = max(self.most, self.jars)
        self.changed.notify_all()

    def take(self, times: int) -> None:
        """Take some jars, one after the other."""
        for _ in range(times):
            with self.changed:
                while self.jars < 1:
                    self.changed.wait()
                self.jars -= 1
                self.changed.notify_all()


def most_on_the_shelf(shelf: Shelf, put: Any) -> int:
    run_all(Thread(target=shelf.take, args=(3,)), Thread(target=put), Thread(target=put))
    return shelf.most


@buggy("Race")
def shelf_too_full() -> int:
    """Two producers that were woken up for the same room both use it."""
    shelf = Shelf()
    return most_on_the_shelf(shelf, shelf.put_once_asked)


@fixes(shelf_too_full)
def shelf_too_full_fixed() -> int:
    """A producer that was woken up looks again."""
    shelf = Shelf()
    return most_on_the_shelf(shelf, shelf.put)


def clear_and_wait(bell: Any) -> None:
    bell.clear()
    bell.wait()


def wait_and_clear(bell: Any) -> None:
    bell.wait()
    bell.clear()


def answered(function: Any, make: Any, bell: Any) -> str:
    run_all(make(target=function, args=(bell,)), make(target=bell.set))
    return "answered"


@buggy("Deadlock")
def event_cleared_before_the_wait() -> str:
    """The event may be set already when the thread clears it."""
    return answered(clear_and_wait, Thread, Event())


@fixes(event_cleared_before_the_wait)
def event_cleared_before_the_wait_fixed() -> str:
    """The event is cleared after the wait."""
    return answered(wait_and_clear, Thread, Event())


@buggy("Deadlock")
def event_of_processes_cleared_before_the_wait() -> str:
    """The event may be set already when the process clears it."""
    return answered(clear_and_wait, FORK.Process, FORK.Event())


@fixes(event_of_processes_cleared_before_the_wait)
def event_of_processes_cleared_before_the_wait_fixed() -> str:
    """The event is cleared after the wait."""
    return answered(wait_and_clear, FORK.Process, FORK.Event())


def send(items: deque[int], filled: Event) -> None:
    for item in (1, 2):
        items.append(item)
        filled.set()


def drain_then_clear(items: deque[int], filled: Event, got: list[int]) -> None:
    while len(got) < 2:
        filled.wait()
        while items:
            got.append(items.popleft())
        filled.clear()


def clear_then_drain(items: deque[int], filled: Event, got: list[int]) -> None:
    while len(got) < 2:
        filled.wait()
        filled.clear()
        while items:
            got.append(items.popleft())


def drained(function: Any) -> list[int]:
    items: deque[int] = deque()
    filled, got = Event(), list[int]()
    run_all(Thread(target=function, args=(items, filled, got)), Thread(target=send, args=(items, filled)))
    return got


@buggy("Deadlock")
def event_cleared_too_late() -> list[int]:
    """The clear after the work wipes out what was signalled meanwhile."""
    return drained(drain_then_clear)


@fixes(event_cleared_too_late)
def event_cleared_too_late_fixed() -> list[int]:
    """The clear comes before the work."""
    return drained(clear_then_drain)
