"""A private Grid Engine: a qmaster on the head, two execution hosts, in a network of their own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from tests.sites.network import Network
from tests.sites.node import SiteError
from tests.sites.server import Job

DEBIAN_ROOT = Path("/var/lib/gridengine")
TOOLS = Path("/usr/lib/gridengine")
RESOURCES = Path("/usr/share/gridengine/util/resources")
CELL = "private"
SLOTS = 10

BOOTSTRAP = """
admin_user root
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params {cell}/common;{directory}/qmaster
binary_path /usr/sbin
qmaster_spool_dir {directory}/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""

# What differs from the packaged configuration. A host that is silent is given up after 10 s.
GLOBAL = {
    "execd_spool_dir": "{directory}/execd",
    "mailer": "/bin/true",
    "shell_start_mode": "unix_behavior",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:01",
    "max_unheard": "00:00:10",
}
SCHEDULER = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}

HOST = """
hostname {name}
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""

ALLOCATION = {"mpislots": "$fill_up", "spread": "$round_robin", "smp": "$pe_slots"}
PARALLEL_ENVIRONMENT = """
pe_name {name}
slots 64
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule {rule}
control_slaves TRUE
job_is_first_task FALSE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""

# `closed.q` is disabled from the start: a job that asks for it waits for ever.
QUEUES = {"all.q": "default", "closed.q": "disabled"}
QUEUE = {
    "qname": "{name}",
    "hostlist": "{hosts}",
    "load_thresholds": "NONE",
    "pe_list": " ".join(ALLOCATION),
    "slots": str(SLOTS),
    "tmpdir": "{tmpdir}",
    "shell": "/bin/bash",
    "shell_start_mode": "unix_behavior",
    "notify": "00:00:02",
    "initial_state": "{state}",
}


class GridEngine(Network):
    """See the module."""

    kind = "gridengine"
    addresses = {"exec1": "10.77.0.21", "exec2": "10.77.0.22"}  # noqa: RUF012

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SGE_ROOT": str(self.directory / "root"),
            "SGE_CELL": CELL,
            "SGE_QMASTER_PORT": "6444",
            "SGE_EXECD_PORT": "6445",
            "SGE_CLUSTER_NAME": "lab",
        }

    @property
    def daemons_environment(self) -> dict[str, str]:
        own = super().daemons_environment
        # Debian's commands are scripts that start thirty processes before the program itself.
        return {**own, "PATH": f"{TOOLS}:{own['PATH']}", "SGE_ND": "1"}  # daemons stay in the foreground

    def bring_up(self) -> None:
        self.start_head([])
        self._write_cell()
        self.daemon("qmaster", *self.enter, "sge_qmaster")
        self.wait_until(lambda: self.tried(*self.enter, "qconf", "-sh").returncode == 0, "qmaster does not answer")
        self._configure()
        self.start_nodes([], {name: ["sge_execd"] for name in self.addresses})
        self.write_scripts()

    def is_ready(self, name: str) -> bool:
        """Whether its daemon has come in, and the queue there has no state, such as `a` (alarm) or `u` (unknown)."""
        if not self.node(name).alive:
            raise SiteError(f"{name} ended: {self._logs()}")
        if not self.on_head("ss", "-Htn", "state", "established", "dst", self.addresses[name]).strip():
            return False
        for line in self.on_head("qstat", "-f", "-q", f"all.q@{name}").splitlines():
            fields = line.split()
            if fields and fields[0] == f"all.q@{name}":
                return len(fields) == 5
        return False

    def restore(self, name: str) -> None:
        if not self.node(name).alive:
            # A packet to the host that booted again would tell qmaster so; none may come for minutes, and until then
            # it takes the new daemon for a second one.
            self.on_head("ss", "-K", "dst", self.addresses[name])
        super().restore(name)

    def queue(self) -> list[Job]:
        jobs = []
        for entry in ElementTree.fromstring(self.on_head("qstat", "-u", "*", "-xml")).iter("job_list"):
            word = {child.tag: child.text or "" for child in entry}
            jobs.append(
                Job(word["JB_job_number"], word["JB_name"], word["state"], word["queue_name"].partition("@")[2])
            )
        return jobs

    def drain(self) -> None:
        if self.queue():
            self.tried(*self.enter, "qdel", "-f", "-u", "*")
            self.wait_until(self.is_drained, "jobs did not end", limit_s=8)

    def _write_cell(self) -> None:
        root = self.directory / "root"
        common = root / CELL / "common"
        common.mkdir(parents=True)
        for name in ("bin", "lib", "util", "utilbin"):
            (root / name).symlink_to(DEBIAN_ROOT / name)
        for name in ("qmaster", "qmaster/job_scripts", "execd", *(f"tmp_{name}" for name in self.addresses)):
            (self.directory / name).mkdir()
        (common / "bootstrap").write_text(BOOTSTRAP.format(cell=root / CELL, directory=self.directory).lstrip())
        (common / "act_qmaster").write_text("head\n")
        configuration = self.directory / "etc" / "configuration"
        packaged = Path("/usr/share/gridengine/default-configuration").read_text()
        changes = {key: value.format(directory=self.directory) for key, value in GLOBAL.items()}
        configuration.write_text(changed(packaged, changes))
        self.on_head(str(TOOLS / "spoolinit"), "classic", "libspoolc", f"{common};{self.directory}/qmaster", "init")
        defaults = str(TOOLS / "spooldefaults")
        self.on_head(defaults, "configuration", str(configuration))
        self.on_head(defaults, "complexes", str(RESOURCES / "centry"))
        self.on_head(defaults, "usersets", str(RESOURCES / "usersets"))
        self.on_head(defaults, "managers", "root")

    def _configure(self) -> None:
        etc = self.directory / "etc"
        self.on_head("qconf", "-as", "head")

        def add(option: str, text: str) -> None:
            (etc / "new").write_text(text.lstrip())
            self.on_head("qconf", option, str(etc / "new"))

        for name in self.addresses:
            self.on_head("qconf", "-ah", name)
            self.on_head("qconf", "-as", name)
            add("-Ae", HOST.format(name=name))
        for name, rule in ALLOCATION.items():
            add("-Ap", PARALLEL_ENVIRONMENT.format(name=name, rule=rule))
        for name, state in QUEUES.items():
            add("-Aq", self._queue(name, state))
        add("-Msconf", changed(self.on_head("qconf", "-ssconf"), SCHEDULER))

    def _queue(self, name: str, state: str) -> str:
        # The nodes share /tmp, so each has a directory of its own for what is local to it.
        own = ",".join(f"[{host}={self.directory}/tmp_{host}]" for host in self.addresses)
        words = {"name": name, "hosts": " ".join(self.addresses), "state": state, "tmpdir": f"/tmp,{own}"}
        return changed(DEFAULT_QUEUE, {key: value.format(**words) for key, value in QUEUE.items()})


def changed(text: str, changes: dict[str, str]) -> str:
    """Replace values in a configuration of lines with a key and a value each."""
    lines = []
    for line in text.splitlines():
        key = line.split()[0] if line.strip() else ""
        lines.append(f"{key} {changes[key]}" if key in changes else line)
    return "\n".join(lines) + "\n"


RESOURCE_LIMITS = ("rt", "cpu", "fsize", "data", "stack", "core", "rss", "vmem")
NOTHING = (
    "suspend_thresholds ckpt_list prolog epilog starter_method suspend_method resume_method terminate_method "
    "owner_list user_lists xuser_lists subordinate_list complex_values projects xprojects calendar"
)
DEFAULT_QUEUE = "\n".join(
    [
        *(f"{key} -" for key in QUEUE),
        *(f"{key} NONE" for key in NOTHING.split()),
        *(f"{kind}_{limit} INFINITY" for limit in RESOURCE_LIMITS for kind in "sh"),
        "seq_no 0",
        "nsuspend 1",
        "suspend_interval 00:05:00",
        "priority 0",
        "min_cpu_interval 00:05:00",
        "processors UNDEFINED",
        "qtype BATCH INTERACTIVE",
        "rerun FALSE",
    ]
)
