"""A small project whose tests run on a site, as those of a user would."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.sites.site import Site

LIMIT_S = 60.0
TABLES = """
[tool.pytest.ini_options]
filterwarnings = ["error"]

[tool.parallel_lab.sites.slurm]
kind = "slurm"
nodes = 2

[tool.parallel_lab.sites.gridengine]
kind = "gridengine"
parallel_environment = "{spread}"

[tool.parallel_lab.sites.hosts]
kind = "hosts"
hosts = ["node1", "node2", "node3"]
interface = "eth0"
environment = {{UCX_TLS = "tcp,self"}}
"""
# Grid Engine has an environment that puts one rank on each host in turn.
SPREAD = "spread"


class Project:
    """Tests, and the tables of the sites that they may run on."""

    def __init__(self, directory: Path, site: Site, tests: str, more: str = "") -> None:
        self.directory = directory
        self.site = site
        (directory / "home").mkdir()
        self.environment = {**os.environ, "HOME": str(directory / "home"), "PYTHONPATH": str(Path.cwd())}
        (directory / "pyproject.toml").write_text(TABLES.format(spread=SPREAD) + more)
        (directory / "test_it.py").write_text(tests)

    def command(self, *args: str, name: str = "") -> list[str]:
        pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--parallel-site={name or self.site.kind}"]
        return self.site.command(*pytest, *args)

    def run(self, *args: str, name: str = "", limit_s: float = LIMIT_S) -> str:
        """Run pytest; all that it printed."""
        done = subprocess.run(
            self.command(*args, name=name),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            cwd=self.directory,
            env=self.environment,
        )
        assert self.kept() == [], "keys and job scripts stay behind"
        return done.stdout

    @contextlib.contextmanager
    def running(self, *args: str, name: str = "") -> Iterator[subprocess.Popen[str]]:
        """Run pytest meanwhile."""
        process = subprocess.Popen(
            self.command(*args, name=name),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=self.environment,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def kept(self) -> list[str]:
        """What is in the directory that all hosts see."""
        return [str(path) for path in (self.directory / "home").rglob("*") if path.is_file()]

    def wait_for(self, what: Callable[[], object], limit_s: float = LIMIT_S) -> None:
        deadline = time.monotonic() + limit_s
        while not what():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.05)
