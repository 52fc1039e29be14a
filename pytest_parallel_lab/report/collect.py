"""Collects what tests have for the reports, and has these written at the session's end."""

from __future__ import annotations

import datetime
import importlib.util
import os
import time
import traceback
from pathlib import Path

import pytest

from pytest_parallel_lab.gating.found import found
from pytest_parallel_lab.report.attachments import STEP_SUMMARY, wanted
from pytest_parallel_lab.report.records import Record, Session

NOT_COLLECTED = "not collected"
EXTRA = "pip install 'pytest-parallel-lab[report]'"


def register(config: pytest.Config) -> None:
    """Prepare for the reports that were asked for; pytest-xdist's workers and a gate's sides have nothing to report.

    Raises:
        pytest.UsageError: a report cannot be written: what it needs is missing, or its place cannot be written to.
    """
    if config.getoption("--parallel-gate-side") is not None:
        return  # the session that judges reports
    report, plots = config.getoption("--parallel-report"), config.getoption("--parallel-plots")
    if report is not None:
        _check_extra("--parallel-report")
        check_file("--parallel-report", Path(report))
    if plots is not None:
        _check_extra("--parallel-plots")
        _make_directory(Path(plots))
    if wanted(config) and not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Collector(config, report, plots), "parallel_lab_reports")


class Collector:
    """Collects records and has them written."""

    def __init__(self, config: pytest.Config, report: str | None, plots: str | None) -> None:
        self._config = config
        self._started_s = time.time()
        # A test may change the working directory.
        self._report = Path(report).absolute() if report else None
        self._plots = Path(plots).absolute() if plots else None
        self._summary = Path(os.environ[STEP_SUMMARY]) if os.environ.get(STEP_SUMMARY) else None
        self._records: dict[str, Record] = {}
        self._ending = ""
        self._facts: list[tuple[str, str]] = []
        self.written: list[str] = []
        self.failed: list[str] = []

    def pytest_sessionstart(self) -> None:
        """Look at the machine before we make it busy."""
        from pytest_parallel_lab.report.session_facts import session_facts

        self._facts = session_facts(self._config)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take in one phase of a test."""
        record = self._records.get(report.nodeid)
        if record is None or report.when == "setup":  # once more where another plugin runs it again
            record = self._records[report.nodeid] = Record(report.nodeid)
        record.add(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take in what could not be collected."""
        if report.failed:
            text, where = report.longreprtext, report.nodeid or "collection"
            last = text.strip().splitlines()[-1:] or [""]
            self._records[where] = Record(where, "error", NOT_COLLECTED, last[0][:400], text[-6000:])

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that not all tests were run."""
        self._ending = f"interrupted: {excinfo.typename}{f' ({excinfo.value})' if str(excinfo.value) else ''}"

    def pytest_internalerror(self, excrepr: object) -> None:
        """Note that pytest itself failed."""
        self._ending = f"pytest failed: {(str(excrepr).strip().splitlines() or [''])[-1]}"

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write all that was asked for; what cannot be written makes the session fail, but does not end it."""
        told = self._session(session)
        self._write("report", self._report, told)
        self._write("plots", self._plots, told)
        if told.gate is not None or any(record.parallel for record in told.records):
            self._write("summary", self._summary, told)
        if self.failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was written."""
        for line in self.failed:
            terminalreporter.write_line(line, red=True)
        if self._config.get_verbosity() >= 0:
            for line in self.written:
                terminalreporter.write_line(line)

    def _write(self, what: str, place: Path | None, told: Session) -> None:
        if place is None:
            return
        from pytest_parallel_lab.report import write

        try:
            where = getattr(write, what)(told, place)
            self.written.append(f"parallel {what}: {where}")
        except OSError as error:
            self.failed.append(f"parallel {what} could not be written to {place}: {error}")
        except Exception:  # a defect of ours, or data of a test that is not as it should be: the tests' results count
            told_why = traceback.format_exc().rstrip()
            self.failed.append(f"parallel {what} could not be written to {place}:\n{told_why}")

    def _session(self, session: pytest.Session) -> Session:
        records = list(self._records.values())
        for record in records:
            record.close()
        started = datetime.datetime.fromtimestamp(self._started_s).astimezone()
        ran = sum(1 for record in records if record.raised != NOT_COLLECTED)
        stopped = session.shouldstop or session.shouldfail
        ending = self._ending or (str(stopped) if stopped else "")
        told = Session(
            self._config.rootpath.name,
            records,
            self._facts,
            started.strftime("%Y-%m-%d %H:%M %Z"),
            time.time() - self._started_s,
            ending,
            max(0, session.testscollected - ran) if ending else 0,
        )
        return told.with_gate(found(self._config))


def _check_extra(option: str) -> None:
    missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise pytest.UsageError(f"{option} needs {' and '.join(missing)}: {EXTRA}")


def check_file(option: str, path: Path) -> None:
    """Refuse a file that cannot be written.

    Raises:
        pytest.UsageError: it is a directory, its directory does not exist, or there is no permission.
    """
    directory = path.absolute().parent
    if not path.name or path.is_dir():
        raise pytest.UsageError(f"{option}: {str(path)!r} is a directory; give the name of a file in it")
    if not directory.is_dir():
        raise pytest.UsageError(f"{option}: the directory {directory} does not exist; make it first")
    if not os.access(path if path.exists() else directory, os.W_OK):
        raise pytest.UsageError(f"{option}: {path} cannot be written; choose another place")


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise pytest.UsageError(f"--parallel-plots: the directory {path} cannot be made: {error.strerror}") from error
    if not os.access(path, os.W_OK):
        raise pytest.UsageError(f"--parallel-plots: the directory {path} cannot be written to; choose another")
