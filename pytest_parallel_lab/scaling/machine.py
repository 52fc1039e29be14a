"""What has to be known of the machine that something was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from pytest_parallel_lab.model.cores import usable_cores

_LOOK_S = 0.2
_BUSY = 0.15  # of the usable cores: what others may use without a word
_PACKAGES = ("pytest-parallel-lab", "numpy", "mpi4py", "ipyparallel", "pytest-benchmark")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def machine_facts() -> dict[str, Any]:
    """Facts for a curve, and in ``warnings`` what may spoil it; takes 0.2 s to see how busy others are."""
    others = psutil.cpu_percent(_LOOK_S) / 100
    facts: dict[str, Any] = {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "governor": _GOVERNOR.read_text().strip() if _GOVERNOR.exists() else None,
        "load": os.getloadavg()[0],
        "busy_with_others": others,
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "warnings": [],
    }
    if others > _BUSY:
        facts["warnings"].append(f"the machine is busy with other things: {others:.0%} of its cores before we began")
    if facts["governor"] not in (None, "performance"):
        facts["warnings"].append(f"the cores' frequency is governed by {facts['governor']!r}, and may change meanwhile")
    if sys.gettrace() is not None:
        facts["warnings"].append("a tracer, of coverage or of a debugger, is at work in this process")
    return facts


def kind_of_machine() -> dict[str, Any]:
    """The facts in which two machines have to agree for their times to be compared."""
    free_threaded, debug = sysconfig.get_config_var("Py_GIL_DISABLED"), hasattr(sys, "gettotalrefcount")
    flags = [("free-threaded", free_threaded), ("debug", debug)]
    build = [platform.python_build()[1], platform.python_compiler(), *(name for name, on in flags if on)]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": ", ".join(build),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _commit() -> str | None:
    """The commit that is checked out here, marked where files differ from it; None without git."""
    try:
        told = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() or None
