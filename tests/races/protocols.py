"""Home-made protocols: locks, elections, first come first served."""

from __future__ import annotations

import time
from threading import Condition, Lock, Thread
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, run_all, together


class Peterson:
    """Peterson's lock for the threads 0 and 1."""

    def __init__(self) -> None:
        self.wants = [False, False]
        self.turn = 0

    def enter_wrong(self, me: int) -> None:
        """Give way before saying that one wants to enter."""
        self.turn = 1 - me
        self.wants[me] = True
        while self.wants[1 - me] and self.turn != me:
            time.sleep(0)

    def enter(self, me: int) -> None:
        """Say that one wants to enter, then give way."""
        self.wants[me] = True
        self.turn = 1 - me
        while self.wants[1 - me] and self.turn != me:
            time.sleep(0)

    def leave(self, me: int) -> None:
        """Let the other one in."""
        self.wants[me] = False


def count_under_peterson(wrong: bool) -> int:
    lock = Peterson()
    count = 0

    def add(me: int) -> None:
        nonlocal count
        if wrong:
            lock.enter_wrong(me)
        else:
            lock.enter(me)
        count += 1
        lock.leave(me)

    together(Thread, add, (0,), (1,))
    return count


@buggy("Race")
def peterson_the_wrong_way_round() -> int:
    """The two assignments of Peterson's lock are swapped."""
    return count_under_peterson(wrong=True)


@fixes(peterson_the_wrong_way_round)
def peterson_the_wrong_way_round_fixed() -> int:
    """Peterson's lock as he wrote it."""
    return count_under_peterson(wrong=False)


def add_when_free(busy: Any, total: Any) -> None:
    while busy.value:
        time.sleep(0.001)
    busy.value = 1
    total.value += 1
    busy.value = 0


def add_when_taken(busy: Any, total: Any) -> None:
    while True:
        with busy.get_lock():
            if not busy.value:
                busy.value = 1
                break
        time.sleep(0.001)
    total.value += 1
    busy.value = 0


def count_while_busy(function: Any) -> int:
    busy, total = FORK.Value("b", 0), FORK.Value("i", 0)
    together(FORK.Process, function, (busy, total), (busy, total))
    return int(total.value)


@buggy("Race")
def flag_as_a_lock() -> int:
    """Both processes find the flag down and raise it."""
    return count_while_busy(add_when_free)


@fixes(flag_as_a_lock)
def flag_as_a_lock_fixed() -> int:
    """The flag is looked at and raised in one critical section."""
    return count_while_busy(add_when_taken)


def elect(leader: Any, seen: Any, rank: int) -> None:
    if rank < leader.value:
        leader.value = rank
    seen[rank] = leader.value


def elect_together(barrier: Any, leader: Any, seen: Any, rank: int) -> None:
    with leader.get_lock():
        if rank < leader.value:
            leader.value = rank
    barrier.wait()
    seen[rank] = leader.value


@buggy("Race")
def leader_elected_late() -> list[int]:
    """A candidate takes the smallest rank written so far for the leader."""
    leader = FORK.Value("i", 99)
    seen: Any = FORK.Array("i", 3)
    together(FORK.Process, elect, *((leader, seen, rank) for rank in range(3)))
    return list(seen)


@fixes(leader_elected_late)
def leader_elected_late_fixed() -> list[int]:
    """Nobody looks for the leader before all have stood for election."""
    leader, barrier = FORK.Value("i", 99), FORK.Barrier(3)
    seen: Any = FORK.Array("i", 3)
    together(FORK.Process, elect_together, *((barrier, leader, seen, rank) for rank in range(3)))
    return list(seen)


class Page:
    """Two lines that belong together, with readers and a writer."""

    def __init__(self) -> None:
        self.lines = ["old", "old"]
        self.readers = 0
        self.changed = Condition()

    def read(self) -> bool:
        """Read both lines as one of the readers: do they belong together?"""
        with self.changed:
            self.readers += 1
        first = self.lines[0]
        second = self.lines[1]
        with self.changed:
            self.readers -= 1
            self.changed.notify_all()
        return first == second

    def write_after_a_look(self, line: str) -> None:
        """Write when there are no readers; some may come while one writes."""
        with self.changed:
            while self.readers:
                self.changed.wait()
        self.lines[0] = line
        self.lines[1] = line

    def write(self, line: str) -> None:
        """Write when there are no readers, and let none in."""
        with self.changed:
            while self.readers:
                self.changed.wait()
            self.lines[0] = line
            self.lines[1] = line


def read_and_write(careful: bool) -> bool:
    page = Page()
    seen: list[bool] = []
    reader = Thread(target=lambda: seen.append(page.read()))
    writer = Thread(target=page.write if careful else page.write_after_a_look, args=("new",))
    run_all(writer, reader)
    return seen[0]


@buggy("Race")
def readers_let_in_while_writing() -> bool:
    """The writer waits for the readers to leave and does not shut the door."""
    return read_and_write(careful=False)


@fixes(readers_let_in_while_writing)
def readers_let_in_while_writing_fixed() -> bool:
    """The writer writes with the lock held which readers need to come in."""
    return read_and_write(careful=True)


class Room:
    """A room that is closed when the last guest has left."""

    def __init__(self) -> None:
        self.guests = 0
        self.lock = Lock()
        self.empty = Condition()

    def visit(self) -> None:
        """Come and go, without the lock."""
        self.guests += 1
        self.guests -= 1
        with self.empty:
            self.empty.notify_all()

    def visit_locked(self) -> None:
        """Come and go, with the lock held for either."""
        with self.empty:
            self.guests += 1
        with self.empty:
            self.guests -= 1
            self.empty.notify_all()

    def close(self) -> None:
        """Wait until nobody is there."""
        with self.empty:
            while self.guests != 0:
                self.empty.wait()


@buggy("Deadlock")
def guest_counted_wrong() -> int:
    """A lost update leaves a guest in the books, for whose departure the caretaker waits."""
    room = Room()
    run_all(Thread(target=room.visit), Thread(target=room.visit), Thread(target=room.close))
    return 0


@fixes(guest_counted_wrong)
def guest_counted_wrong_fixed() -> int:
    """The guests are counted with the lock of the condition held."""
    room = Room()
    run_all(Thread(target=room.visit_locked), Thread(target=room.visit_locked), Thread(target=room.close))
    return room.guests


def eat(first: Any, second: Any, meals: Any, seat: int) -> None:
    with first, second:
        meals[seat] += 1


@buggy("Deadlock")
def philosophers() -> list[int]:
    """Each of three philosophers takes the left fork first."""
    forks = [FORK.Lock() for _ in range(3)]
    meals: Any = FORK.Array("i", 3)
    together(FORK.Process, eat, *((forks[i], forks[(i + 1) % 3], meals, i) for i in range(3)))
    return list(meals)


@fixes(philosophers)
def philosophers_fixed() -> list[int]:
    """One of the philosophers is left-handed."""
    forks = [FORK.Lock() for _ in range(3)]
    meals: Any = FORK.Array("i", 3)
    pairs = [(0, 1), (1, 2), (0, 2)]
    together(FORK.Process, eat, *((forks[a], forks[b], meals, i) for i, (a, b) in enumerate(pairs)))
    return list(meals)
