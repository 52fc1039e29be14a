"""Grid Engine: jobs by qsub in a parallel environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pytest_parallel_lab.backends.sites.scheduler import ENDED, ENDING, PENDING, RUNNING, Job, ask, said
from pytest_parallel_lab.model.site import Site


class GridEngine:
    """Asked by its own commands."""

    programs = ("qsub", "qstat", "qdel")

    def submit(self, site: Site, name: str, script: str, output: str) -> list[str]:
        """Nothing of our environment goes along: ``qstat -j`` shows to all what a job was given."""
        limits = ["-l", f"h_rt={site.time_limit}"] if site.time_limit else []
        return [
            "qsub", "-terse", "-N", name, "-pe", site.parallel_environment, str(site.slots), "-S", "/bin/sh", "-r", "n",
            "-j", "y", "-o", output, *(["-q", site.queue] if site.queue else []), *limits, *site.options, script,
        ]  # fmt: skip

    def look(self, number: str) -> Job:
        """By ``qstat``; of a job that is gone ``qacct`` may tell more, a while later."""
        for line in ask(["qstat", "-u", "*"]).stdout.splitlines():
            fields = line.split()
            if fields[:1] == [number]:
                state = fields[4]
                words = f"Grid Engine says: job {number} is in state {state}"
                if "d" in state:
                    return Job(ENDING, words)
                if "E" in state:
                    return Job(ENDED, f"{words}. {self._reasons(number)}")
                if "q" in state or "h" in state:
                    return Job(PENDING, f"{words}. {self._reasons(number)}")
                return Job(RUNNING, f"{words} since {' '.join(fields[5:7])}")
        words = f"Grid Engine says: job {number} is not in the queue any more."
        return Job(ENDED, f"{words} {self._account(number)}".rstrip())

    def cancel(self, job: str, *, force: bool = False) -> list[str]:
        """By number or by name; a job on a host that does not answer stays until it is forced out."""
        return ["qdel", "-f", job] if force else ["qdel", job]

    def nodes(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """The first word of every line of the file that the job was given."""
        return tuple(line.split()[0] for line in told["hostfile"].splitlines() if line.split())

    def host(self) -> str:
        """The qmaster's host."""
        root, cell = os.environ.get("SGE_ROOT", "/var/lib/gridengine"), os.environ.get("SGE_CELL", "default")
        try:
            return Path(root, cell, "common", "act_qmaster").read_text().strip()
        except OSError:
            return ""

    def _reasons(self, number: str) -> str:
        """Why it waits, as far as the scheduler says."""
        shown = ask(["qstat", "-j", number]).stdout
        found = re.findall(r"^(?:scheduling info|error reason[^:]*):\s*(.*(?:\n\s{10,}.*)*)", shown, re.MULTILINE)
        return " ".join(" ".join(found).split())

    def _account(self, number: str) -> str:
        done = ask(["qacct", "-j", number])
        facts = dict(re.findall(r"^(failed|exit_status|hostname|ru_wallclock)\s+(.*\S)\s*$", done.stdout, re.MULTILINE))
        return "qacct: " + ", ".join(f"{k} {v}" for k, v in facts.items()) if facts else said(done)[:200]
