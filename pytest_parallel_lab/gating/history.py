"""The stored gate in pytest: every benchmark against its history of saved runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab.gating.spoiled import is_traced
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED, UNDECIDED
from pytest_parallel_lab.model.settings import parse_names
from pytest_parallel_lab.options import choices_of
from pytest_parallel_lab.report.attachments import attach

if TYPE_CHECKING:
    from pytest_parallel_lab.gating.plan import GatePlan
    from pytest_parallel_lab.model.history import Judged
    from pytest_parallel_lab.model.saved_runs import SavedBenchmark, SavedRuns

OPTION = "--parallel-history"
_MEASURING = frozenset(["benchmark", "scaling"])
_MARKED = "undecided"


def add_option(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.getgroup("parallel").addoption(
        OPTION,
        action="store_true",
        help="fail tests that became slower than in the runs saved before, in the directory of --benchmark-storage",
    )


def register(config: pytest.Config) -> None:
    """Have saved runs tell their machine, and compare with them where that was asked for.

    Raises:
        pytest.UsageError: an option that means nothing, or not with this one.
    """
    if not config.pluginmanager.hasplugin("benchmark"):
        if config.getoption(OPTION):
            raise pytest.UsageError(f"{OPTION}: reads runs of pytest-benchmark, which is turned off (-p no:benchmark)")
        return
    config.pluginmanager.register(MachineOfSavedRuns(), "parallel_lab_saved_runs")
    if not config.getoption(OPTION) or hasattr(config, "workerinput") or config.option.collectonly:
        return
    if config.getoption("--parallel-gate") is not None:
        raise pytest.UsageError(f"{OPTION}: compares with saved runs, --parallel-gate side by side; give one of them")
    from pytest_parallel_lab.gating.plan import GatePlan
    from pytest_parallel_lab.model.history import ASSUMPTIONS, RUNS

    choices = choices_of(config)
    text, source = choices.given("history-assume")
    try:
        plan = GatePlan.of("history", choices)
        (assume,) = parse_names([text or RUNS], ASSUMPTIONS, source, "assumption")
    except BadSetting as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(StoredGate(config, plan, assume), "parallel_lab_history")


class MachineOfSavedRuns:
    """Puts into every saved run what it was measured on."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Add one key."""
        from pytest_parallel_lab.model.saved_runs import KEY, facts_for_file
        from pytest_parallel_lab.scaling.machine import kind_of_machine

        output_json[KEY] = facts_for_file(kind_of_machine())


class StoredGate:
    """Judges each test's benchmarks as soon as it has run.

    The tests share the false alarms that are allowed in a run. A test is judged when it ends, and those after it
    are not known yet, so Holm's procedure cannot be used over all of them; each test has an equal share, and
    hands it on to the next one if it regresses.

    Source: Wiens, A fixed sequence Bonferroni procedure for testing multiple endpoints, Pharmaceutical
        Statistics 2 (2003) 211-215: the fallback procedure. Within a test, Holm (1979).
    """

    def __init__(self, config: pytest.Config, plan: GatePlan, assume: str) -> None:
        self._config = config
        self._plan = plan
        self._assume = assume
        self._tests = 1
        self._handed_on = 0.0
        self._judged: list[Judged] = []

    def pytest_sessionstart(self) -> None:
        """Read the history.

        Raises:
            pytest.UsageError: nothing is measured in this session, or there is no place with saved runs.
        """
        from pytest_parallel_lab.model.saved_runs import known_commit, read_runs
        from pytest_parallel_lab.scaling.machine import kind_of_machine

        session: Any = getattr(self._config, "_benchmarksession")  # noqa: B009  (it has no public name)
        if session.disabled or session.skip:
            raise pytest.UsageError(
                f"{OPTION}: nothing is measured in this session: benchmarks are off under pytest-xdist, with"
                " --benchmark-disable and with --benchmark-skip; leave these out"
            )
        if is_traced(self._config):
            told = "coverage, a debugger or a profiler is at work, and was not in the runs before; leave it out"
            raise pytest.UsageError(f"{OPTION}: {told}")
        directory = getattr(session.storage, "path", None)
        if directory is None:
            told = f"the runs in {session.storage} are no files; give a directory of files with --benchmark-storage"
            raise pytest.UsageError(f"{OPTION}: {told}")
        hook = self._config.hook
        commit = hook.pytest_benchmark_generate_commit_info(config=self._config)
        hook.pytest_benchmark_update_commit_info(config=self._config, commit_info=commit)
        self._commit, self._dirty = known_commit(commit), bool(commit.get("dirty"))
        self._machine = kind_of_machine()
        try:
            self._saved: SavedRuns = read_runs(os.path.relpath(directory, self._config.invocation_params.dir))
        except BadSetting as error:
            raise pytest.UsageError(f"{OPTION}: {error}") from error
        self._of_kind = self._saved.of_kind(self._machine)

    def pytest_report_header(self) -> str:
        """Say what will be compared with."""
        return f"parallel-history: {self._saved.told(self._machine)}"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests that share the false alarms: those with a history."""
        known = {name for run in self._of_kind for name in run.benchmarks}
        known |= {name.rpartition("[")[0] for name in known}
        measuring = [item for item in session.items if _MEASURING & set(getattr(item, "fixturenames", ()))]
        self._tests = max(1, sum(item.nodeid in known for item in measuring))
        self._collected = {item.nodeid for item in session.items}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Judge what the test has measured, once it has passed otherwise."""
        benchmarks: list[Any] = getattr(item.config, "_benchmarksession").benchmarks  # noqa: B009
        before = len(benchmarks)
        result = yield
        measured = [one for one in benchmarks[before:] if one and not one.has_error]
        if measured:
            self._judge(item, measured)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Mark the report of an undecided test."""
        report = yield
        if report.when == "call" and item.stash.get(_UNDECIDED, False):
            vars(report)[_MARKED] = True
            if isinstance(report.longrepr, tuple):
                path, line, _ = item.location
                report.longrepr = (path, (line or 0) + 1, report.longrepr[2])
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport | pytest.CollectReport) -> tuple[str, str, str] | None:
        """Have undecided tests counted by themselves."""
        if getattr(report, _MARKED, False) and report.skipped:
            return UNDECIDED, "U", UNDECIDED.upper()
        return None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        from pytest_parallel_lab.report.columns import Look
        from pytest_parallel_lab.report.history_text import counts, history_lines

        verbosity = self._config.get_verbosity()
        if not self._judged or verbosity < -1:
            return
        if verbosity < 0:
            terminalreporter.write_line(f"history: {counts(self._judged)}")
            return
        stream = sys.__stdout__
        look = Look.of(self._config.get_terminal_writer().fullwidth, stream.encoding if stream else None)
        terminalreporter.section("history", sep="=")
        for line in history_lines(self._judged, self._about(), look):
            terminalreporter.write_line(line)

    def _about(self) -> str:
        alarms = f"at most {100 * self._plan.false_alarms:g} % of runs without a loss fail (assumed: {self._assume})"
        return f"{self._saved.told(self._machine)}. Lower quartiles, with 90 % intervals; {alarms}"

    def _judge(self, item: pytest.Item, measured: Sequence[Any]) -> None:
        from pytest_parallel_lab.gating.plan import FAIL
        from pytest_parallel_lab.model.history import compare, history_of
        from pytest_parallel_lab.model.history_decisions import decide
        from pytest_parallel_lab.report.history_text import HEADER, explain, properties, rows, worst

        level = self._plan.false_alarms / self._tests + self._handed_on
        compared, unusable = [], []
        for entry in (one.as_dict(include_data=False) for one in measured):
            try:
                now = _benchmark_of(entry)
            except BadSetting as error:
                unusable.append(_unusable(str(entry["fullname"]), str(error)))
                continue
            compared.append(compare(now, history_of(now, self._of_kind, self._commit, dirty=self._dirty), self._assume))
        judged = [*decide(compared, self._plan.asked(item).threshold, level, self._assume), *unusable]
        judged = [self._with_hint(one) for one in judged]
        regressed = all(one.verdict == REGRESSED for one in judged)
        self._handed_on = level if regressed else 0.0
        self._judged += judged
        item.user_properties += properties(item.nodeid, judged)
        attach(item, "table", {"title": "history", "header": list(HEADER), "rows": [list(row) for row in rows(judged)]})
        verdict = worst(judged)
        if verdict == PASSED:
            return
        told = explain(judged, level)
        if verdict == NOT_GATED or (verdict == UNDECIDED and self._plan.undecided != FAIL):
            item.stash[_UNDECIDED] = verdict == UNDECIDED
            pytest.skip(told)
        pytest.fail(told, pytrace=False)

    def _with_hint(self, one: Judged) -> Judged:
        """Where a benchmark has no history: the name that it may have had before."""
        from pytest_parallel_lab.model.settings import nearest

        if one.loss is not None or one.verdict != UNDECIDED or not self._of_kind or not one.now_s:
            return one
        gone = [name for name in self._of_kind[-1].benchmarks if not self._collected & _possible_tests(name)]
        near = nearest(one.fullname, gone)
        return (
            replace(one, why=f"{one.why}; {near} is there, and not in this session: was it renamed?") if near else one
        )


_UNDECIDED = pytest.StashKey[bool]()


def _benchmark_of(entry: Any) -> SavedBenchmark:
    from pytest_parallel_lab.model.saved_runs import benchmark_of

    return benchmark_of(entry)


def _unusable(fullname: str, why: str) -> Judged:
    from pytest_parallel_lab.model.history import Judged

    return Judged(fullname, (), why=why)


def _possible_tests(fullname: str) -> set[str]:
    """The tests that a benchmark can be of: itself, and what it is a point of."""
    return {fullname, fullname.rpartition("[")[0]}
