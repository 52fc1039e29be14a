"""Saved runs of pytest-benchmark read back, and what they were measured on."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pytest_parallel_lab.model.curve_files import KEY as CURVE_KEY
from pytest_parallel_lab.model.errors import BadSetting

KEY = "parallel_lab"
"""Where a saved run has what this project knows of its machine."""
VERSION = 1
STATISTIC = "q1"
_SETTINGS = ("implementation", "backend", "workers", "size", "start_method", "blas_threads_per_worker")
_CURVE_SETTINGS = ("mode", "size", "unit")
_UNKNOWN_COMMITS = ("", "unversioned", "unknown")


@dataclass(frozen=True)
class SavedBenchmark:
    """One benchmark of one run.

    Attributes:
        fullname: its test's id, of a point of a curve with the number of workers.
        time_s: the lower quartile of its rounds.
        settings: what it was measured with, such as the number of workers; other settings are another thing.
        gated: whether its time says anything about the code: not with more workers than cores.
        instructions: of one call, with the tool that has counted them; None where they were not.
    """

    fullname: str
    time_s: float
    settings: Mapping[str, Any]
    gated: bool = True
    instructions: tuple[str, float] | None = None


@dataclass(frozen=True)
class SavedRun:
    """One saved run: one launch of all its benchmarks.

    Attributes:
        name: of its file.
        saved_at: when; runs without a time come first.
        commit: of the code; "" where it is not known.
        dirty: whether files differed from that commit.
        machine: the facts that make its kind; empty where it was saved without them.
        benchmarks: by their full names.
        unusable: benchmarks whose time cannot be used, with what is wrong.
    """

    name: str
    saved_at: datetime
    commit: str
    dirty: bool
    machine: Mapping[str, Any]
    benchmarks: Mapping[str, SavedBenchmark]
    unusable: Mapping[str, str]


@dataclass(frozen=True)
class SavedRuns:
    """The saved runs of a directory.

    Attributes:
        directory: of the files.
        runs: in the order of time.
        broken: files that are no saved runs, with what is wrong.
    """

    directory: str
    runs: tuple[SavedRun, ...] = ()
    broken: tuple[str, ...] = ()

    def of_kind(self, machine: Mapping[str, Any]) -> tuple[SavedRun, ...]:
        """The runs that were measured on this kind of machine."""
        return tuple(run for run in self.runs if run.machine == machine)

    def told(self, machine: Mapping[str, Any]) -> str:
        """How many runs there are, and why some are left out: ``12 saved runs, 9 of this kind of machine; …``."""
        files = len(self.runs) + len(self.broken)
        kept = len(self.of_kind(machine))
        if not files:
            return f"no saved run in {self.directory}; save some with --benchmark-autosave"
        text = f"{counted(files, 'saved run')} in {self.directory}, {kept} of this kind of machine"
        reasons = Counter(_why_left_out(run.machine, machine) for run in self.runs if run.machine != machine)
        parts = [f"{count} left out: {why}" for why, count in reasons.most_common()]
        return "; ".join([text, *parts, *(f"1 left out: {why}" for why in self.broken)])


def read_runs(directory: str | os.PathLike[str]) -> SavedRuns:
    """Read all runs that pytest-benchmark has saved in a directory, or one below it as it does.

    Raises:
        BadSetting: there is no such directory.
    """
    place = Path(directory)
    if not place.is_dir():
        raise BadSetting(f"{directory} is no directory; runs are saved with --benchmark-autosave")
    runs, broken = [], []
    for path in sorted([*place.glob("*.json"), *place.glob("*/*.json")], key=lambda path: (path.name, path)):
        try:
            runs.append(read_run(path))
        except BadSetting as error:
            broken.append(str(error))
    runs.sort(key=lambda run: run.saved_at)
    return SavedRuns(str(directory), tuple(runs), tuple(broken))


def read_run(path: Path) -> SavedRun:
    """Read one saved run.

    Raises:
        BadSetting: it cannot be read, or is none; the text names the file.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadSetting(f"{path.name} is no JSON: {error}") from error
    if not isinstance(data, Mapping) or not isinstance(data.get("benchmarks"), list):
        raise BadSetting(f"{path.name} is no saved run of pytest-benchmark: it has no list of benchmarks")
    benchmarks, unusable = {}, {}
    for number, entry in enumerate(data["benchmarks"], 1):
        name = entry.get("fullname") if isinstance(entry, Mapping) else None
        if not isinstance(name, str):
            raise BadSetting(f"{path.name} is no saved run of pytest-benchmark: benchmark {number} has no fullname")
        try:
            benchmarks[name] = benchmark_of(entry)
        except BadSetting as error:
            unusable[name] = f"{path.name}: {error}"
    given = data.get("commit_info")
    commit = given if isinstance(given, Mapping) else {}
    return SavedRun(
        path.name,
        _moment(data.get("datetime")),
        known_commit(commit),
        bool(commit.get("dirty")),
        _machine(data.get(KEY)),
        benchmarks,
        unusable,
    )


def benchmark_of(entry: Mapping[str, Any]) -> SavedBenchmark:
    """Take what is needed from one entry of a file of pytest-benchmark.

    Raises:
        BadSetting: its lower quartile is missing or no time.
    """
    stats = entry.get("stats")
    value = stats.get(STATISTIC) if isinstance(stats, Mapping) else None
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise BadSetting(f"the lower quartile of its times is {value!r}, which is no time")
    given = entry.get("extra_info")
    info: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    settings = {name: info[name] for name in _SETTINGS if name in info}
    curve = info.get(CURVE_KEY)
    if isinstance(curve, Mapping):
        settings |= {name: curve.get(name) for name in _CURVE_SETTINGS}
        machine = curve.get("machine")
        if isinstance(machine, Mapping):
            settings["blas_threads_per_worker"] = machine.get("blas_threads_per_worker")
    options = entry.get("options")
    if isinstance(options, Mapping):
        settings["timer"] = options.get("timer")
    plain = json.loads(json.dumps(settings, default=repr))  # as it will be in a file, so that both are alike
    gated = not info.get("oversubscribed")
    return SavedBenchmark(str(entry.get("fullname")), float(value), plain, gated, _instructions(info))


def _instructions(info: Mapping[str, Any]) -> tuple[str, float] | None:
    found = info.get("instructions")
    count = found.get("count") if isinstance(found, Mapping) else None
    if not isinstance(count, (int, float)) or not math.isfinite(count) or count <= 0:
        return None
    return str(found["tool"]) if isinstance(found, Mapping) and "tool" in found else "", float(count)


def known_commit(commit: Mapping[str, Any]) -> str:
    """The commit that pytest-benchmark has found; "" where it has found none."""
    name = str(commit.get("id") or "")
    return "" if name in _UNKNOWN_COMMITS else name


def facts_for_file(machine: Mapping[str, Any]) -> dict[str, Any]:
    """What a saved run gets, so that it can be told later on what it was measured."""
    return {"version": VERSION, "machine": dict(machine)}


def counted(count: int, noun: str) -> str:
    """A number of things: ``1 run``, ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """Names with commas between them."""
    return ", ".join(names)


def different_settings(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ: ``workers 2 instead of 4``; "" where none does."""
    names: Sequence[str] = sorted({*saved, *now})
    return listed(
        f"{name} {saved.get(name, 'unknown')} instead of {now.get(name, 'unknown')}"
        for name in names
        if saved.get(name) != now.get(name)
    )


def _why_left_out(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if not saved:
        return "saved without the facts about the machine, by an earlier version or without this plugin"
    return f"other machine ({different_settings(saved, now)})"


def _machine(data: Any) -> Mapping[str, Any]:
    """The facts of a file; empty where there are none that are known here."""
    if not isinstance(data, Mapping) or data.get("version") != VERSION:
        return {}
    machine = data.get("machine")
    return dict(machine) if isinstance(machine, Mapping) else {}


def _moment(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
