"""Says what the session's gate found: on the terminal, in files, and as annotations of a GitHub workflow."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import pytest

from pytest_parallel_lab.gating.found import found
from pytest_parallel_lab.report.collect import check_file

JSON = "--parallel-gate-json"
MARKDOWN = "--parallel-gate-markdown"
_WRITERS = {JSON: "gate_json", MARKDOWN: "gate_markdown"}


def register(config: pytest.Config) -> None:
    """Prepare for telling; in pytest-xdist's workers and in sessions that only measure there is nothing to do.

    Raises:
        pytest.UsageError: a file without a gate, one that cannot be written, or two results for the same file.
    """
    if config.getoption("--parallel-gate-side") is not None:
        return
    places: dict[str, Path] = {}
    for option in _WRITERS:
        if (given := config.getoption(option)) is not None:
            if config.getoption("--parallel-gate") is None:
                raise pytest.UsageError(
                    f"{option}: there is nothing to write without a gate; give --parallel-gate=BASE"
                )
            check_file(option, Path(given))
            places[option] = Path(given).absolute()  # a test may change the working directory
    _check_different(config, places)
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(GateResults(config, places), "parallel_lab_gate_results")


class GateResults:
    """Tells what was found, where people look."""

    def __init__(self, config: pytest.Config, places: dict[str, Path]) -> None:
        self._config = config
        self._places = places
        self._written: list[str] = []
        self._failed: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the files; what cannot be written makes the session fail, but does not end it."""
        for option, place in self._places.items():
            self._write(option, place)
        if self._failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, in one line with ``-q``, then what was written, and annotations last."""
        run = found(self._config)
        if run is not None:
            self._print(terminalreporter)
        for line in self._failed:
            terminalreporter.write_line(line, red=True)
        if self._config.get_verbosity() >= 0:
            for line in self._written:
                terminalreporter.write_line(line)
        if run is not None:
            from pytest_parallel_lab.report.annotations import annotations_of

            for line in annotations_of(run, self._config.rootpath, os.environ):
                terminalreporter.write_line(line)

    def _print(self, reporter: pytest.TerminalReporter) -> None:
        from pytest_parallel_lab.report.columns import Look
        from pytest_parallel_lab.report.curve_text import WARNING
        from pytest_parallel_lab.report.gate_text import gate_line, gate_lines

        run, verbosity = found(self._config), self._config.get_verbosity()
        if run is None or verbosity < -1:
            return
        if verbosity < 0:
            reporter.write_line(f"gate: {gate_line(run)}")
            return
        stream = sys.__stdout__
        look = Look.of(self._config.get_terminal_writer().fullwidth, stream.encoding if stream else None)
        reporter.section("gate", sep="=")
        warned = False
        for line in gate_lines(run, look):
            warned = line.startswith(WARNING) or (warned and line.startswith(" "))
            reporter.write_line(line, yellow=warned)

    def _write(self, option: str, place: Path) -> None:
        run = found(self._config)
        if run is None:
            self._failed.append(f"{option}: {place} was not written: no gate came to its end in this session")
            return
        from pytest_parallel_lab.report import write

        try:
            self._written.append(f"parallel gate: {getattr(write, _WRITERS[option])(run, place)}")
        except OSError as error:
            self._failed.append(f"{option}: {place} could not be written: {error}")
        except Exception:  # a defect of ours: the tests' results count
            self._failed.append(f"{option}: {place} could not be written:\n{traceback.format_exc().rstrip()}")


def _check_different(config: pytest.Config, places: dict[str, Path]) -> None:
    report = config.getoption("--parallel-report")
    taken = {os.path.realpath(report): "--parallel-report"} if report else {}
    for option, place in places.items():
        where = os.path.realpath(place)
        if where in taken:
            raise pytest.UsageError(f"{option}: {place} is already that of {taken[where]}; give another file")
        taken[where] = option
