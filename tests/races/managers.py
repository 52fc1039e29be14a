"""Objects of a manager: every call is atomic, two calls are not."""

from __future__ import annotations

from typing import Any

from tests.races.corpus import FORK, buggy, fixes, together


def claim(owners: Any, claims: Any, task: str, worker: int) -> None:
    if task not in owners:
        owners[task] = worker
        claims.append(task)


def claim_once(owners: Any, claims: Any, task: str, worker: int) -> None:
    if owners.setdefault(task, worker) == worker:
        claims.append(task)


def claims_of_two(function: Any) -> list[str]:
    with FORK.Manager() as manager:
        owners, claims = manager.dict(), manager.list()
        together(FORK.Process, function, (owners, claims, "task", 1), (owners, claims, "task", 2))
        return list(claims)


@buggy("Race")
def task_claimed_twice() -> list[str]:
    """Both processes find the task free and claim it."""
    return claims_of_two(claim)


@fixes(task_claimed_twice)
def task_claimed_twice_fixed() -> list[str]:
    """The manager decides in one call who comes first."""
    return claims_of_two(claim_once)


def count(counts: Any, words: list[str]) -> None:
    for word in words:
        counts[word] += 1


def count_locked(lock: Any, counts: Any, words: list[str]) -> None:
    for word in words:
        with lock:
            counts[word] += 1


@buggy("Race")
def item_of_a_dict_incremented() -> dict[str, int]:
    """The increment is a call to read and a call to write."""
    with FORK.Manager() as manager:
        counts = manager.dict(a=0, b=0)
        together(FORK.Process, count, (counts, ["a", "b"]), (counts, ["b", "a"]))
        return dict(sorted(counts.items()))


@fixes(item_of_a_dict_incremented)
def item_of_a_dict_incremented_fixed() -> dict[str, int]:
    """A lock of the manager makes one of the two calls."""
    with FORK.Manager() as manager:
        counts, lock = manager.dict(a=0, b=0), manager.Lock()
        together(FORK.Process, count_locked, (lock, counts, ["a", "b"]), (lock, counts, ["b", "a"]))
        return dict(sorted(counts.items()))


def register(names: Any, places: Any, name: str) -> None:
    names.append(name)
    places[name] = len(names) - 1


def register_locked(lock: Any, names: Any, places: Any, name: str) -> None:
    with lock:
        register(names, places, name)


@buggy("Race")
def place_in_a_list() -> bool:
    """The last element of the list need not be the one appended just now."""
    with FORK.Manager() as manager:
        names, places = manager.list(), manager.dict()
        together(FORK.Process, register, (names, places, "ann"), (names, places, "bob"))
        return all(names[place] == name for name, place in places.items())


@fixes(place_in_a_list)
def place_in_a_list_fixed() -> bool:
    """The name is appended and its place taken with a lock held."""
    with FORK.Manager() as manager:
        names, places, lock = manager.list(), manager.dict(), FORK.Lock()
        together(FORK.Process, register_locked, (lock, names, places, "ann"), (lock, names, places, "bob"))
        return all(names[place] == name for name, place in places.items())


def score(game: Any, points: int) -> None:
    game.score += points


def score_locked(lock: Any, game: Any, points: int) -> None:
    with lock:
        game.score += points


@buggy("Race")
def attribute_of_a_namespace() -> int:
    """Two processes add to an attribute of a namespace."""
    with FORK.Manager() as manager:
        game = manager.Namespace()
        game.score = 0
        together(FORK.Process, score, (game, 3), (game, 4))
        return int(game.score)


@fixes(attribute_of_a_namespace)
def attribute_of_a_namespace_fixed() -> int:
    """Two processes add to an attribute of a namespace with a lock held."""
    with FORK.Manager() as manager:
        game, lock = manager.Namespace(), manager.RLock()
        game.score = 0
        together(FORK.Process, score_locked, (lock, game, 3), (lock, game, 4))
        return int(game.score)


def join_group(groups: Any, name: str) -> None:
    members = groups["all"]
    members.append(name)
    groups["all"] = members


def extend_group(groups: Any, name: str) -> None:
    groups["all"].append(name)


@buggy("Race")
def list_in_a_dict_written_back() -> list[str]:
    """Each process fetches a copy of the list, appends to it and writes it back."""
    with FORK.Manager() as manager:
        groups: Any = manager.dict(all=[])
        together(FORK.Process, join_group, (groups, "ann"), (groups, "bob"))
        return sorted(groups["all"])


@fixes(list_in_a_dict_written_back)
def list_in_a_dict_written_back_fixed() -> list[str]:
    """The list is an object of the manager, which appends to it in one call."""
    with FORK.Manager() as manager:
        groups = manager.dict(all=manager.list())
        together(FORK.Process, extend_group, (groups, "ann"), (groups, "bob"))
        return sorted(groups["all"])


def take_last(tasks: Any, taken: Any) -> None:
    while len(tasks) > 0:
        taken.append(tasks.pop())


def take_last_until_empty(tasks: Any, taken: Any) -> None:
    while True:
        try:
            task = tasks.pop()
        except IndexError:
            return
        taken.append(task)


def take_in_pool(function: Any) -> list[int]:
    with FORK.Manager() as manager, FORK.Pool(2) as pool:
        tasks, taken = manager.list([1, 2, 3]), manager.list()
        workers = [pool.apply_async(function, (tasks, taken)) for _ in range(2)]
        for worker in workers:
            worker.get()
        return sorted(taken)


@buggy("Race")
def tasks_popped_from_an_empty_list() -> list[int]:
    """The list may be empty by the time a task is popped."""
    return take_in_pool(take_last)


@fixes(tasks_popped_from_an_empty_list)
def tasks_popped_from_an_empty_list_fixed() -> list[int]:
    """Whether a task is left is found out by popping it."""
    return take_in_pool(take_last_until_empty)


def swap(pair: Any) -> None:
    pair[0], pair[1] = pair[1], pair[0]


def swap_locked(lock: Any, pair: Any) -> None:
    with lock:
        swap(pair)


@buggy("Race")
def elements_swapped() -> list[str]:
    """Two processes swap the same two elements."""
    with FORK.Manager() as manager:
        pair = manager.list(["left", "right"])
        together(FORK.Process, swap, (pair,), (pair,))
        return list(pair)


@fixes(elements_swapped)
def elements_swapped_fixed() -> list[str]:
    """Two processes swap the same two elements with a lock held."""
    with FORK.Manager() as manager:
        pair, lock = manager.list(["left", "right"]), manager.Lock()
        together(FORK.Process, swap_locked, (lock, pair), (lock, pair))
        return list(pair)
