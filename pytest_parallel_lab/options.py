"""Command line options and ini keys, and what they come to: the session's choices."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_parallel_lab.fixtures.progress import Notice
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.schedule import parse_schedule
from pytest_parallel_lab.model.settings import (
    BUILTIN_BACKENDS,
    DEFAULT_ENGINES,
    DEFAULT_MPIEXEC,
    STRATEGIES,
    Settings,
    parse_mpi_strict,
    parse_mpiexec,
    parse_names,
    parse_number,
    parse_start_method,
    parse_workers,
)
from pytest_parallel_lab.model.site import parse_site
from pytest_parallel_lab.model.site_tables import read_tables

if TYPE_CHECKING:
    from pytest_parallel_lab.lab import Lab
    from pytest_parallel_lab.model.site import Site


class _Option(NamedTuple):
    """An option that is also an ini key: ``--parallel-NAME`` and ``parallel_NAME``."""

    name: str
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        return f"--parallel-{self.name}"

    @property
    def key(self) -> str:
        return f"parallel_{self.name.replace('-', '_')}"


_OPTIONS = (
    _Option("backends", "NAMES", "run on these backends only, such as threads,mpi (default: all)"),
    _Option("workers", "COUNTS", "worker counts to run with, such as 1,2,4 (default: 1, 2 and the usable cores)"),
    _Option("start-method", "METHOD", "multiprocessing start method: fork, spawn or forkserver (default: Python's)"),
    _Option("mpiexec", "COMMAND", f"command that starts MPI ranks (default: {DEFAULT_MPIEXEC!r})"),
    _Option("site", "NAME", "run ranks and engines there: slurm, gridengine, hosts, or a site of your own"),
    _Option("engines", "LAUNCHER", f"ipyparallel's launcher of engines (default: {DEFAULT_ENGINES})"),
    _Option("mpi-strict", "KINDS", "have MPI sends wait for receivers, collectives for all ranks: sends,collectives"),
    _Option("explore-runs", "N", "explore: at most so many runs of a function (default: 300)"),
    _Option("explore-seconds", "S", "explore: search for at most so long (default: 10)"),
    _Option("explore-seed", "N", "explore: what sampled schedules come from (default: 0)"),
    _Option("explore-strategy", "NAMES", "explore: how schedules are chosen (default: bounded,random,pct,free)"),
    _Option("project", "COUNTS", "print what a measured curve would be on so many workers, such as 64,1024"),
    _Option("gate-threshold", "SHARE", "gate: the loss that fails a test (default: 5%%)"),
    _Option("gate-metrics", "NAMES", "gate: what is gated (default: time,efficiency,memory)"),
    _Option("gate-seconds", "S", "gate: measure for at most so long, times the number of tests (default: 60)"),
    _Option("gate-false-alarms", "SHARE", "gate: how often a run without any loss may fail (default: 1%%)"),
    _Option("gate-undecided", "WHAT", "gate: whether a test that is undecided is to fail: report or fail"),
    _Option("gate-seed", "N", "gate: what the orders of measuring come from (default: 0)"),
    _Option("history-assume", "WHAT", "history: what is assumed of saved runs: nothing, runs or tails (default: runs)"),
    _Option("require", "NAMES", "fail, not skip, where one of these backends is missing"),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare options and ini keys."""
    group = parser.getgroup("parallel", "parallel runs (pytest-parallel-lab)")
    for option in _OPTIONS:
        group.addoption(option.flag, metavar=option.metavar, default=None, help=option.help)
        parser.addini(option.key, help=f"default of {option.flag}", default=None)
    group.addoption(
        "--parallel-replay",
        metavar="SCHEDULE",
        default=None,
        help="explore: carry out this one schedule, as a failure has told it",
    )
    group.addoption(
        "--parallel-subject",
        metavar="MODULE:FUNCTION",
        default=None,
        help="put this function to the tests of a problem, in place of the lab's implementations",
    )
    group.addoption(
        "--parallel-subject-backend",
        metavar="NAME",
        default=None,
        help="the backend that the function of --parallel-subject is written for, such as mpi",
    )
    group.addoption(
        "--parallel-report",
        metavar="FILE",
        default=None,
        help="write a report in HTML: verdicts, scaling, timelines, explorations and deadlocks in one file",
    )
    group.addoption(
        "--parallel-plots",
        metavar="DIR",
        default=None,
        help="draw scaling curves into this directory, as PNG and SVG",
    )
    group.addoption(
        "--parallel-gate",
        metavar="BASE",
        default=None,
        help="fail tests that became slower than in a baseline (a git ref, NAME==VERSION, or another checkout's path)",
    )
    group.addoption("--parallel-gate-side", default=None, help=argparse.SUPPRESS)  # of the processes that measure
    group.addoption(
        "--parallel-gate-json",
        metavar="FILE",
        default=None,
        help="write what --parallel-gate found as JSON, in the format of docs/gate.schema.json",
    )
    group.addoption(
        "--parallel-gate-markdown",
        metavar="FILE",
        default=None,
        help="write what --parallel-gate found in Markdown, as a comment for a pull request",
    )
    group.addoption(
        "--parallel-doctor",
        action="store_true",
        help="start every backend once, tell what this machine has and what is missing, and exit",
    )


class Choices:
    """What the user chose for the whole session, and the lab it is carried out with."""

    def __init__(self, config: pytest.Config) -> None:
        """Read and check options and ini keys.

        Raises:
            pytest.UsageError: a value that means nothing.
        """
        self._config = config
        self._lab: Lab | None = None
        self._extra = [b for given in config.hook.pytest_parallel_backends(config=config) for b in given]
        self.known_backends = tuple(dict.fromkeys((*BUILTIN_BACKENDS, *(b.name for b in self._extra))))
        try:
            self._read()
        except BadSetting as error:
            raise pytest.UsageError(str(error)) from error
        if self.settings.site is not None:
            config.pluginmanager.register(_EarlyKeeper(self), "parallel_lab_early_keeper")

    def _read(self) -> None:
        backends, source = self.given("backends")
        self.backends = parse_names(backends, self.known_backends, source, "backend") or self.known_backends
        required, source = self.given("require")
        self.required = parse_names(required, self.known_backends, source, "backend")
        workers, source = self.given("workers")
        self.workers = parse_workers(workers, source) if workers else default_workers()
        project, source = self.given("project")
        self.project = parse_workers(project, source) if project else ()
        method, source = self.given("start-method")
        template, template_source = self.given("mpiexec")
        engines, _ = self.given("engines")
        strict, strict_source = self.given("mpi-strict")
        site, site_source = self.given("site")
        self.settings = Settings(
            site=self._site(site, site_source) if site else None,
            start_method=parse_start_method(method, source) if method else None,
            mpiexec=parse_mpiexec(template or DEFAULT_MPIEXEC, template_source),
            engines=engines or DEFAULT_ENGINES,
            mpi_strict=parse_mpi_strict(strict, strict_source),
        )

        self.explore = self._exploring()
        replay = self._config.getoption("--parallel-replay")
        self.replay = None if replay is None else parse_schedule(replay, "--parallel-replay")

    def _site(self, name: str, source: str) -> Site | None:
        """The site of that name, by the tables in pytest's own TOML file, else in the project's pyproject.toml."""
        path, own = self._config.rootpath / "pyproject.toml", self._config.inipath
        if own is not None and own.suffix == ".toml" and read_tables(own):
            path = own
        tables = read_tables(path) if path.exists() else {}
        return parse_site(name, tables, source, path.name)

    def _exploring(self) -> dict[str, Any]:
        """What was chosen for explorations."""
        chosen: dict[str, Any] = {}
        kinds: dict[str, type[int] | type[float]] = {"runs": int, "seconds": float, "seed": int}
        for name, kind in kinds.items():
            text, source = self.given(f"explore-{name}")
            if text:
                chosen[name] = parse_number(text, kind, source, least={"seed": 0, "seconds": 0.01}.get(name, 1))
        strategy, source = self.given("explore-strategy")
        if strategy:
            chosen["strategy"] = parse_names(strategy, STRATEGIES, source, "strategy")
        return chosen

    def given(self, name: str) -> tuple[str, str]:
        """An option's value and where it was given: the command line goes before the ini file."""
        option = next(o for o in _OPTIONS if o.name == name)
        value = self._config.getoption(option.flag)
        if value is not None:
            if not value.strip():
                raise BadSetting(f"{option.flag}: is empty; give {option.metavar} or leave it out")
            return value, option.flag
        return self._config.getini(option.key) or "", f"ini key {option.key}"

    @property
    def lab(self) -> Lab:
        """The lab, made at first use: what it imports is not needed to load the plugin."""
        if self._lab is None:
            from pytest_parallel_lab.backends.builtin import builtin_backends
            from pytest_parallel_lab.lab import Lab

            self._lab = Lab(self.settings, [*builtin_backends(), *self._extra])
            self._lab.say = Notice(self._config)
        return self._lab

    @property
    def default_workers(self) -> int:
        """The count where a test names none: the largest chosen one that the cores can carry."""
        carried = [count for count in self.workers if count <= usable_cores()]
        return max(carried or self.workers)

    def combinations(self, backends: Sequence[str], workers: Sequence[int]) -> list[tuple[str, int]]:
        """Backends with worker counts, without those that a backend cannot have."""
        return [(b, w) for b in backends for w in workers if not (b == "serial" and w > 1)]

    def close(self) -> None:
        """Stop all that the session started."""
        if self._lab is not None:
            self._lab.close()
            self._lab = None


class _EarlyKeeper:
    """Has the keeper start while tests are collected: on a site, everything else has to wait for it."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices

    def pytest_collection(self, session: pytest.Session) -> None:
        """Start it, unless tests are only to be listed."""
        if not session.config.getoption("collectonly"):
            self._choices.lab.keeper  # noqa: B018 starts at the first look


def default_workers() -> tuple[int, ...]:
    """One, two, and the cores that this process may use."""
    return tuple(sorted({1, 2, usable_cores()}))


_CHOICES = pytest.StashKey[Choices]()


def choices_of(config: pytest.Config) -> Choices:
    """The session's choices; read at the first call, so that bad ones are said before any test."""
    if _CHOICES not in config.stash:
        config.stash[_CHOICES] = Choices(config)
    return config.stash[_CHOICES]


def close(config: pytest.Config) -> None:
    """Stop all that the session started, if its choices came to be read at all."""
    if _CHOICES in config.stash:
        config.stash[_CHOICES].close()
