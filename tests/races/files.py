"""Files which two processes read, write and make."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.races.corpus import FORK, buggy, fixes, together


def in_folder(work: Callable[[Path], Any]) -> Any:
    """What the work returns that is done in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        return work(Path(folder))


def make_if_missing(folder: Path, owner: str) -> None:
    if not os.path.exists(folder / "lock"):
        (folder / "lock").write_text(owner)
        (folder / f"{owner}.made").touch()


def make_exclusively(folder: Path, owner: str) -> None:
    try:
        descriptor = os.open(folder / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return
    os.close(descriptor)
    (folder / f"{owner}.made").touch()


def makers(folder: Path, function: Any) -> int:
    together(FORK.Process, function, (folder, "ann"), (folder, "bob"))
    return len(list(folder.glob("*.made")))


@buggy("Race")
def file_made_twice() -> int:
    """Both processes find that the lock file is missing, and make it."""
    return int(in_folder(lambda folder: makers(folder, make_if_missing)))


@fixes(file_made_twice)
def file_made_twice_fixed() -> int:
    """The file is made only where it does not exist, in one step."""
    return int(in_folder(lambda folder: makers(folder, make_exclusively)))


def increment(path: Path) -> None:
    number = int(path.read_text() or 0)
    path.write_text(f"{number + 1}")


def increment_locked(path: Path) -> None:
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        increment(path)


def count_in_file(folder: Path, function: Any) -> str:
    path = folder / "count"
    path.write_text("0")
    together(FORK.Process, function, (path,), (path,))
    return path.read_text()


@buggy("Race")
def number_in_a_file() -> str:
    """Two processes increment a number in a file; one may even find the file empty."""
    return str(in_folder(lambda folder: count_in_file(folder, increment)))


@fixes(number_in_a_file)
def number_in_a_file_fixed() -> str:
    """The number is incremented with a file locked by flock."""
    return str(in_folder(lambda folder: count_in_file(folder, increment_locked)))


def add_to_json(path: Path, key: str) -> None:
    with open(path) as file:
        table = json.load(file)
    table[key] = len(key)
    with open(path, "w") as file:
        json.dump(table, file)


def add_to_json_locked(path: Path, key: str) -> None:
    with open(path, "r+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        table = json.load(file)
        table[key] = len(key)
        file.seek(0)
        file.truncate()
        json.dump(table, file)


def keys_in_json(folder: Path, function: Any) -> list[str]:
    path = folder / "table.json"
    path.write_text("{}")
    together(FORK.Process, function, (path, "one"), (path, "three"))
    return sorted(json.loads(path.read_text()))


@buggy("Race")
def table_in_a_file() -> list[str]:
    """Each process reads the whole table, adds its line and writes the whole table."""
    return list(in_folder(lambda folder: keys_in_json(folder, add_to_json)))


@fixes(table_in_a_file)
def table_in_a_file_fixed() -> list[str]:
    """The table is locked by lockf from the read to the write."""
    return list(in_folder(lambda folder: keys_in_json(folder, add_to_json_locked)))


def log_at_end(path: Path, lines: list[str]) -> None:
    with open(path, "r+b", buffering=0) as file:
        for line in lines:
            file.seek(0, os.SEEK_END)
            file.write(line.encode())


def log_appending(path: Path, lines: list[str]) -> None:
    with open(path, "ab", buffering=0) as file:
        for line in lines:
            file.write(line.encode())


def log_of_two(folder: Path, function: Any) -> list[str]:
    path = folder / "log"
    path.touch()
    together(FORK.Process, function, (path, ["start 1\n", "stop 1\n"]), (path, ["start 2\n", "stop 2\n"]))
    return sorted(path.read_text().splitlines())


@buggy("Race")
def log_written_at_its_end() -> list[str]:
    """Another line may be written between the seek to the end and the write."""
    return list(in_folder(lambda folder: log_of_two(folder, log_at_end)))


@fixes(log_written_at_its_end)
def log_written_at_its_end_fixed() -> list[str]:
    """A file opened for appending is written at its end, wherever that is."""
    return list(in_folder(lambda folder: log_of_two(folder, log_appending)))


def save(path: Path, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def save_atomically(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


def read_while_saved(folder: Path, function: Any) -> bool:
    path = folder / "settings"
    path.write_text("old")
    writer = FORK.Process(target=function, args=(path, "new"))
    writer.start()
    seen = path.read_text()
    writer.join()
    return seen in ("old", "new")


@buggy("Race")
def file_read_while_written() -> bool:
    """The reader may find the file truncated and not yet written."""
    return bool(in_folder(lambda folder: read_while_saved(folder, save)))


@fixes(file_read_while_written)
def file_read_while_written_fixed() -> bool:
    """The new file takes the place of the old one in one step."""
    return bool(in_folder(lambda folder: read_while_saved(folder, save_atomically)))


def save_under_one_name(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    with open(new, "w") as file:
        for letter in text:
            file.write(letter)
            file.flush()
    if new.exists():
        os.replace(new, path)


def save_under_own_name(path: Path, text: str) -> None:
    new = path.with_suffix(f".{text}")
    new.write_text(text)
    os.replace(new, path)


def saved_by_two(folder: Path, function: Any) -> bool:
    path = folder / "settings"
    together(FORK.Process, function, (path, "left"), (path, "right"))
    return path.read_text() in ("left", "right")


@buggy("Race")
def one_temporary_name_for_all() -> bool:
    """Two processes write their new file under the same temporary name."""
    return bool(in_folder(lambda folder: saved_by_two(folder, save_under_one_name)))


@fixes(one_temporary_name_for_all)
def one_temporary_name_for_all_fixed() -> bool:
    """Each process has a temporary name of its own."""
    return bool(in_folder(lambda folder: saved_by_two(folder, save_under_own_name)))


def remove_if_there(path: Path) -> str:
    if path.exists():
        path.unlink()
        return "removed"
    return "gone"


def remove_at_once(path: Path) -> str:
    try:
        path.unlink()
    except FileNotFoundError:
        return "gone"
    return "removed"


def removed_by_two(folder: Path, function: Any) -> list[str]:
    path = folder / "old"
    path.touch()
    with FORK.Pool(2) as pool:
        return sorted(pool.map(function, [path, path], chunksize=1))


@buggy("Race")
def file_removed_twice() -> list[str]:
    """The file may be gone between the check and the removal."""
    return list(in_folder(lambda folder: removed_by_two(folder, remove_if_there)))


@fixes(file_removed_twice)
def file_removed_twice_fixed() -> list[str]:
    """Whether the file is there is found out by removing it."""
    return list(in_folder(lambda folder: removed_by_two(folder, remove_at_once)))
