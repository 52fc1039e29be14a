"""The session that judges: it has two others measure, and tells what came of it test by test."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_parallel_lab.fixtures.progress import Progress
from pytest_parallel_lab.gate.checkout import current_checkout, prepare_baseline
from pytest_parallel_lab.gate.contest import Contest, How
from pytest_parallel_lab.gate.tally import BASELINE, CURRENT, Tally
from pytest_parallel_lab.gating.found import found, keep
from pytest_parallel_lab.gating.plan import FAIL, GatePlan
from pytest_parallel_lab.gating.spoiled import why_spoiled
from pytest_parallel_lab.model.errors import ParallelError
from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, UNDECIDED, GatedTest, GateRun
from pytest_parallel_lab.model.gate_decisions import Rule
from pytest_parallel_lab.report.gate_text import explain, properties
from pytest_parallel_lab.scaling.machine import machine_facts

_MEASURING = {"benchmark", "scaling"}


class JudgingSession:
    """The plugin that makes a session a gate."""

    def __init__(self, config: pytest.Config, plan: GatePlan) -> None:
        """Refuse what would spoil the figures.

        Raises:
            pytest.UsageError: a gate cannot be run so.
        """
        self._plan = plan
        why = why_spoiled(config)
        if why:
            raise pytest.UsageError(f"--parallel-gate: {why}")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out tests that measure nothing."""
        others = [one for one in items if not _measures(one)]
        if others:
            items[:] = [one for one in items if _measures(one)]
            config.hook.pytest_deselected(items=others)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Measure all tests; then each is run as ever, and says what was found of it."""
        options = session.config.option
        not_all = session.testsfailed and not options.continue_on_collection_errors
        if options.collectonly or not_all or not session.items:
            return
        try:
            with Progress(session.config, "gate") as progress:
                keep(session.config, self._measured(session, progress))
        except ParallelError as error:
            raise pytest.UsageError(str(error)) from error
        session.items[:] = [GatedItem.of(item, self._plan) for item in session.items]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A gate that could gate nothing has not let anything pass."""
        run = found(session.config)
        if run is not None and session.exitstatus == pytest.ExitCode.OK and run.count(NOT_GATED) == len(run.tests):
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def _measured(self, session: pytest.Session, progress: Progress) -> GateRun:
        config, plan = session.config, self._plan
        facts = machine_facts()
        base = prepare_baseline(plan.base, config.rootpath, _cache(config), progress.show)
        sides = {BASELINE: base, CURRENT: current_checkout(config.rootpath)}
        rule = Rule(plan.false_alarms)
        tally = Tally([plan.asked(item) for item in session.items], rule)
        began_s = time.monotonic()
        contest = Contest(sides, _how(config, plan), tally, progress.show)
        contest.run()
        return GateRun(
            base=plan.base,
            base_commit=base.commit,
            current_commit=sides[CURRENT].commit,
            tests=tally.tests(),
            false_alarms=plan.false_alarms,
            launches=len(contest.loads),
            elapsed_s=time.monotonic() - began_s,
            method=rule.method,
            machine=facts,
            loads=tuple(contest.loads),
            warnings=(*facts["warnings"], *_on_battery()),
            seed=plan.seed,
        )

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Complete reports of gated tests."""
        report = yield
        if isinstance(item, GatedItem):
            item.tell(report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Have undecided tests counted by themselves: they have not passed, and nobody left them out."""
        if getattr(report, UNDECIDED, False) and report.when == "call":
            return UNDECIDED, "U", UNDECIDED.upper()
        return None


class GatedItem(pytest.Item):
    """A test in the session that judges: it says what was found of it."""

    original: pytest.Item
    plan: GatePlan

    @classmethod
    def of(cls, original: pytest.Item, plan: GatePlan) -> GatedItem:
        """In place of the test itself."""
        parent: Any = original.parent
        item: GatedItem = cls.from_parent(parent, name=original.name)
        item.original, item.plan = original, plan
        item.own_markers = list(original.own_markers)
        item.keywords.update(original.keywords)
        return item

    def runtest(self) -> None:
        """Say what was found."""
        run = found(self.config)
        assert run is not None
        test = self._found(run)
        self.user_properties += properties(test)
        if test.verdict == PASSED:
            return
        told = explain(test, run)
        if test.verdict == NOT_GATED or (test.verdict == UNDECIDED and self.plan.undecided != FAIL):
            pytest.skip(told)
        pytest.fail(told, pytrace=False)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Where the test itself is."""
        return self.original.reportinfo()

    def _found(self, run: GateRun) -> GatedTest:
        return next(test for test in run.tests if test.nodeid == self.nodeid)

    def tell(self, report: pytest.TestReport) -> None:
        """Complete a report: where the test is, and whether it is undecided."""
        run = found(self.config)
        if report.when != "call" or run is None or not isinstance(report.longrepr, tuple):
            return
        path, line = self.reportinfo()[:2]
        report.longrepr = (str(path), (line or 0) + 1, report.longrepr[2])
        vars(report)[UNDECIDED] = self._found(run).verdict == UNDECIDED


def _measures(item: pytest.Item) -> bool:
    return not _MEASURING.isdisjoint(getattr(item, "fixturenames", ()))


def _how(config: pytest.Config, plan: GatePlan) -> How:
    root, place = config.rootpath, config.invocation_params.dir
    inside = place.is_relative_to(root)
    directory = place.relative_to(root) if inside else Path()
    files: list[str] = config.option.file_or_dir or []
    words = [str(word) for word in config.invocation_params.args if word not in files]
    return How(
        words=tuple(_moved(word, root, place if inside else root) for word in words),
        directory=directory,
        as_module=Path(sys.argv[0]).name == "__main__.py",
        seconds=plan.seconds,
        seed=plan.seed,
    )


def _moved(word: str, root: Path, place: Path) -> str:
    """An argument as it is to be given in another checkout: paths in this one become relative."""
    path, colons, rest = word.partition("::")
    if os.path.isabs(path) and Path(path).is_relative_to(root):
        return os.path.relpath(path, place) + colons + rest
    return word


def _cache(config: pytest.Config) -> Path:
    """Where baselines are kept: in pytest's own cache, so that --cache-clear clears them too."""
    directory: Any = config.getini("cache_dir") if hasattr(config, "cache") else ".pytest_cache"
    return (config.rootpath / str(directory)).resolve() / "d" / "parallel-gate"


def _on_battery() -> Sequence[str]:
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    if battery is not None and battery.power_plugged is False:
        return ["the machine runs on battery: its cores' frequency changes as it likes; plug it in"]
    return []
