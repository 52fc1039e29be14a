"""What makes the figures of a session mean nothing."""

from __future__ import annotations

import sys

import pytest


def why_spoiled(config: pytest.Config) -> str | None:
    """Why this session cannot judge times that others measure for it; None where it can."""
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        return "under pytest-xdist tests would disturb each other's times; leave -n out, or give -n 0"
    if getattr(config.option, "usepdb", False) or getattr(config.option, "trace", False):
        return "a debugger cannot be used in the processes that measure; leave --pdb and --trace out"
    if is_traced(config):
        return "coverage, a debugger or a profiler is at work, which slows both versions unequally; leave it out"
    return None


def is_traced(config: pytest.Config) -> bool:
    """Whether coverage, a debugger or a profiler is at work."""
    covered = config.pluginmanager.hasplugin("_cov") and not getattr(config.option, "no_cov", False)
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    tools = [monitoring.get_tool(number) for number in range(3)] if monitoring else []  # debugger, coverage, profiler
    return any([sys.gettrace(), sys.getprofile(), *tools, covered])
