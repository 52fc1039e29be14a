"""Small projects whose tests run on a site, as a user's would: pytest in a process of its own, with --parallel-site."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.sites.site import ROOT, Site

LIMIT_S = 40.0
HOME = "home"  # where the session keeps keys and job scripts, below the project

# The least that a user writes for each, and where four ranks are then.
TABLES: Mapping[str, Mapping[str, Any]] = {
    "slurm": {"slots": 4, "nodes": 2},
    "gridengine": {"parallel_environment": "spread", "slots": 4},
    "hosts": {"hosts": ["node1", "node2", "node3"], "interface": "eth0"},
}

CONFIGURATION = """
[tool.pytest.ini_options]
pythonpath = [{root}]
addopts = ["-ra", "-p", "no:cacheprovider", "--tb=short", "-W", "error"]
timeout = 60

[tool.parallel_lab.sites.{kind}]
{table}
"""


class Project:
    """A directory with tests and a pyproject.toml that says how the site is used."""

    def __init__(self, site: Site, path: Path, tests: str = "", python: str = sys.executable, **changes: Any) -> None:
        self.site = site
        self.path = path
        self.python = python
        self.home = path / HOME
        table = {**TABLES[site.kind], "directory": str(self.home), **changes}
        # JSON's texts, numbers and lists are TOML's as well.
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        text = CONFIGURATION.format(root=json.dumps(str(ROOT)), kind=site.kind, table=lines)
        (path / "pyproject.toml").write_text(text)
        (path / "test_project.py").write_text(tests)

    def start(self, *arguments: str) -> Session:
        """Start pytest on the site; on the project's tests unless other arguments are given."""
        mine = [
            self.python,
            "-m",
            "pytest",
            "-c",
            str(self.path / "pyproject.toml"),
            f"--parallel-site={self.site.kind}",
        ]
        return Session(self, [*mine, *(arguments or ["test_project.py"])])

    def run(self, *arguments: str, limit_s: float = LIMIT_S) -> Session:
        """Run pytest to its end."""
        with self.start(*arguments) as session:
            session.wait(limit_s)
        return session


class Session:
    """A pytest that runs on a site."""

    def __init__(self, project: Project, command: list[str]) -> None:
        self.project = project
        self._file = project.path / "printed"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        with self._file.open("w") as output:
            self._process = subprocess.Popen(
                project.site.command(*command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=project.path,
                env=environment,
                start_new_session=True,
            )

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if error is not None:
            print(self.printed)

    @property
    def printed(self) -> str:
        """All that it has printed so far."""
        return self._file.read_text(errors="replace")

    @property
    def counts(self) -> dict[str, int]:
        """How many tests passed, failed and so on."""
        (*_, last) = self.printed.strip().splitlines()
        return {
            word.rstrip("s"): int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)
        }

    @property
    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        return self._process.poll()

    def wait(self, limit_s: float = LIMIT_S) -> None:
        """Wait for its end."""
        self._process.wait(limit_s)

    def wait_until(self, ready: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        """Wait for something that happens in it."""
        deadline = time.monotonic() + limit_s
        while not ready():
            assert self.status is None, f"it ended: {self.printed}"
            assert time.monotonic() < deadline, self.printed
            time.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, as a terminal does for Ctrl-C: to it and all that it has started here."""
        os.killpg(self._process.pid, number)

    def kill(self) -> None:
        """Kill pytest, and nothing else."""
        self._process.kill()
        self._process.wait()


def jobs_so_far(site: Site) -> set[str]:
    """The numbers of all jobs that the scheduler has had since it began."""
    if site.kind == "slurm":
        return set(re.findall(r"JobId=(\d+)", site.run("scontrol", "--oneliner", "show", "jobs").stdout))
    if site.kind == "gridengine":
        listed = site.run("qstat", "-u", "*", "-s", "z").stdout + site.run("qstat", "-u", "*").stdout
        return set(re.findall(r"^ *(\d+) ", listed, re.MULTILINE))
    return set()
