"""The processors that this process may use."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Count the cores that this process may use: its affinity where the platform has one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
