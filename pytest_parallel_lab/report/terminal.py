"""Scaling curves at the end of a session, on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab.report.attachments import attachments_on

if TYPE_CHECKING:
    from pytest_parallel_lab.model.scaling_curve import ScalingCurve
    from pytest_parallel_lab.options import Choices
    from pytest_parallel_lab.report.columns import Look
    from pytest_parallel_lab.scaling.communication import Communication


def summarize(reporter: Any, config: pytest.Config, choices: Choices) -> None:
    """Print all curves that tests have measured, and the projections that were asked for; one line each with ``-q``.

    Args:
        reporter: pytest's terminal reporter.
        config: how much is to be said.
        choices: the session's.
    """
    found = list(curves_of(reporter.stats))
    if not found or config.get_verbosity() < -1:
        return
    from pytest_parallel_lab.report.columns import Look
    from pytest_parallel_lab.report.curve_text import WARNING, curve_line, curve_lines

    if config.get_verbosity() < 0:
        for _, curve in found:
            reporter.write_line(f"scaling: {curve_line(curve)}")
        return
    stream = sys.__stdout__
    look = Look.of(config.get_terminal_writer().fullwidth, stream.encoding if stream else None)
    reporter.section("scaling", sep="=")
    costs = _Costs(config, choices)
    for number, (test, curve) in enumerate(found):
        if number:
            reporter.write_line("")
        reporter.write_line(test, bold=True)
        warned = False
        for line in curve_lines(curve, look):
            warned = line.startswith(WARNING) or (warned and line.startswith(" "))
            reporter.write_line(line, yellow=warned)
        if choices.project:
            reporter.write_line("")
            for line in costs.projected(curve, look):
                reporter.write_line(line)


def curves_of(stats: dict[str, list[Any]]) -> Iterator[tuple[str, ScalingCurve]]:
    """All curves on the session's reports, with their tests' ids, in the order in which they were measured."""
    reports = [report for reports in stats.values() for report in reports if getattr(report, "parallel_lab", None)]
    for report in sorted(reports, key=lambda report: report.start):
        for kind, data in attachments_on(report):
            if kind == "curve":
                from pytest_parallel_lab.model.scaling_curve import ScalingCurve

                yield report.nodeid, ScalingCurve.from_json(data)


class _Costs:
    """What communication costs on the backends of curves that are to be projected; measured once each."""

    def __init__(self, config: pytest.Config, choices: Choices) -> None:
        self._config = config
        self._choices = choices
        self._measured: dict[str, Communication | str] = {}

    def projected(self, curve: ScalingCurve, look: Look) -> list[str]:
        """The projection of one curve, or why there is none."""
        from pytest_parallel_lab.fixtures.progress import Progress
        from pytest_parallel_lab.report.columns import paragraph
        from pytest_parallel_lab.report.projection_text import projection_lines
        from pytest_parallel_lab.scaling.beyond import why_no_projection

        with Progress(self._config, curve.name) as progress:
            costs = None if why_no_projection(curve) else self._of(curve.backend, progress.show)
            communication = None if isinstance(costs, str) else costs
            lines = projection_lines(curve, self._choices.project, communication, look, progress.show)
        if isinstance(costs, str):
            lines += paragraph(f"what messages cost was not measured: {costs}", look.width)
        return lines

    def _of(self, backend: str, show: Any) -> Communication | str:
        from pytest_parallel_lab.model.errors import ParallelError
        from pytest_parallel_lab.scaling.communication import measure_communication

        if backend not in self._measured:
            try:
                self._measured[backend] = measure_communication(self._choices.lab, backend, show=show)
            except ParallelError as error:
                self._measured[backend] = str(error)
        return self._measured[backend]
