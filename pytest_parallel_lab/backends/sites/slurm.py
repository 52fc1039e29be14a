"""Slurm: jobs by sbatch, ranks by srun inside of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_parallel_lab.backends.sites.scheduler import ENDED, ENDING, PENDING, RUNNING, Job, ask, said
from pytest_parallel_lab.model.site import Site

_PENDING = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT", "SUSPENDED")
_ENDING = ("COMPLETING", "STAGE_OUT")


class Slurm:
    """Asked by its own commands."""

    programs = ("sbatch", "srun", "scancel", "scontrol")

    def submit(self, site: Site, name: str, script: str, output: str) -> list[str]:
        """Its environment travels through Slurm, which shows it to nobody; the key is not in it anyway."""
        options = {"nodes": site.nodes, "partition": site.partition, "time": site.time_limit}
        return [
            "sbatch", "--parsable", "--no-requeue", f"--job-name={name}", f"--ntasks={site.slots}",
            f"--output={output}", *(f"--{option}={value}" for option, value in options.items() if value),
            *site.options, script,
        ]  # fmt: skip

    def look(self, number: str) -> Job:
        """By ``scontrol``, which also knows of jobs that ended a while ago."""
        done = ask(["scontrol", "--oneliner", "show", "job", number])
        facts = dict(re.findall(r"(\w+)=(\S*)", done.stdout))
        state = facts.get("JobState")
        if state is None:
            return Job(ENDED, f"Slurm does not know job {number} any more: {said(done)}")
        shown = {name: facts[name] for name in ("JobState", "Reason", "ExitCode", "NodeList", "TimeLimit", "RunTime")}
        words = " ".join(f"{name}={value}" for name, value in shown.items() if value and value != "(null)")
        if state == "PENDING" and (start := facts.get("StartTime", "Unknown")) != "Unknown":
            words += f" StartTime={start}"
        known = PENDING if state in _PENDING else ENDING if state in _ENDING else ENDED
        known = RUNNING if state in ("RUNNING", "SIGNALING") else known
        return Job(known, f"Slurm says: job {number} {words}")

    def cancel(self, job: str, *, force: bool = False) -> list[str]:
        """By number or by name; Slurm gives up on nodes that do not answer by itself."""
        return ["scancel", "--full", job] if job.isdigit() else ["scancel", "--full", f"--name={job}"]

    def nodes(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """Slurm unfolds its own short form."""
        return tuple(ask(["scontrol", "show", "hostnames", told["nodelist"]]).stdout.split())

    def host(self) -> str:
        """The controller's host."""
        match = re.search(
            r"SlurmctldHost\[0\]\s*=\s*([^\s(]+)(?:\(([^)]+)\))?", ask(["scontrol", "show", "config"]).stdout
        )
        return (match.group(2) or match.group(1)) if match else ""
