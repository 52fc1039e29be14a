"""The paired gate in pytest: the session that judges, and the two that measure for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_parallel_lab.model.errors import BadSetting

if TYPE_CHECKING:
    from pytest_parallel_lab.options import Choices

GATE_SIDE = "parallel_lab_gate_side"
"""The plugin of a session that measures for another one that judges."""


def register(config: pytest.Config, choices: Choices) -> None:
    """Make this session what the options say: one that judges, a side of one, or neither.

    Raises:
        pytest.UsageError: an option that means nothing, or a gate that would mean nothing here.
    """
    address, base = config.getoption("--parallel-gate-side"), config.getoption("--parallel-gate")
    if address is not None:
        from pytest_parallel_lab.gating.benchmarks import measure_in_turns
        from pytest_parallel_lab.gating.measuring import MeasuringSide

        side = MeasuringSide(config, address)
        config.pluginmanager.register(side, GATE_SIDE)
        measure_in_turns(side)
    elif base is not None:
        from pytest_parallel_lab.gating.plan import GatePlan
        from pytest_parallel_lab.gating.session import JudgingSession

        try:
            plan = GatePlan.of(base, choices)
        except BadSetting as error:
            raise pytest.UsageError(str(error)) from error
        config.pluginmanager.register(JudgingSession(config, plan), "parallel_lab_gate")
