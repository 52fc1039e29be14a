"""A private Slurm: munge, a controller, two nodes on loopback."""

from __future__ import annotations

import os
import shlex
import socket

from tests.sites.node import Node
from tests.sites.server import CLOCKS_APART_S, Job, Server, free_ports

NODES = ("n1", "n2")
CPUS = 8

# No cgroups, no accounting: neither needs to be there. The scheduler looks at once. A lost node is given up after 10 s.
CONFIGURATION = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={directory}/munge.socket
CredType=cred/munge
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool-%n
SlurmctldPidFile={directory}/slurmctld.pid
SlurmdPidFile={directory}/slurmd-%n.pid
TmpFS=/tmp
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
ReturnToService=2
JobRequeue=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0
KillWait=2
MinJobAge=600
InactiveLimit=0
SlurmdTimeout=10
SlurmctldTimeout=30
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports} CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
PartitionName=closed Nodes=ALL MaxTime=INFINITE State=DOWN
"""


class Slurm(Server):
    """See the module."""

    kind = "slurm"

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.directory / "etc" / "slurm.conf")}

    def bring_up(self) -> None:
        host = socket.gethostname().partition(".")[0]
        controller_port, *node_ports = free_ports(1 + len(NODES))
        self._configure(host, controller_port, node_ports)
        self._start_munge()
        self.daemon("slurmctld", "slurmctld", "-D", "-c")
        hosts = self.directory / "etc" / "hosts"
        names = "".join(f"127.0.0.1 {name}\n" for name in dict.fromkeys(["localhost", host, *NODES]))
        hosts.write_text(names)
        for number, name in enumerate(NODES, start=1):
            self.nodes[name] = Node(
                name,
                self.directory,
                preparation=[f"hostname {name}", f"mount --bind {shlex.quote(str(hosts))} /etc/hosts"],
                daemon=["slurmd", "-D", "-N", name],
                environment=self.daemons_environment,
                clock_ahead_s=number * CLOCKS_APART_S,
            )
            self.nodes[name].start()
            self.nodes[name].go()
        self.wait_until(lambda: all(self._idle(name) for name in NODES), "nodes are not idle")
        self.write_scripts()

    def restore(self, name: str) -> None:
        node = self.node(name)
        if not node.alive:
            node.start()
            node.go()
        # Slurm has to have noticed the loss, or it would take the old node's jobs for running.
        self.tried("scontrol", "update", f"nodename={name}", "state=down", "reason=restored")
        self.tried("scontrol", "update", f"nodename={name}", "state=resume")
        self.wait_until(lambda: self._idle(name), f"{name} is not idle again")

    def queue(self) -> list[Job]:
        lines = self.command("squeue", "-h", "-o", "%i|%j|%T|%N").splitlines()
        return [Job(*line.split("|")) for line in lines]

    def drain(self) -> None:
        for name, node in self.nodes.items():
            if not node.alive:  # or its jobs would be completing for as long as Slurm has patience with it
                self.tried("scontrol", "update", f"nodename={name}", "state=down", "reason=dead")
        self.tried("scancel", "--full", "--user=root")
        self.wait_until(self.is_drained, "jobs did not end", limit_s=8)

    def _configure(self, host: str, controller_port: int, node_ports: list[int]) -> None:
        text = CONFIGURATION.format(
            host=host,
            directory=self.directory,
            controller_port=controller_port,
            node_ports="[" + ",".join(map(str, node_ports)) + "]",
            cpus=CPUS,
        )
        (self.directory / "etc" / "slurm.conf").write_text(text)
        # No cgroup is used, but slurmd wants to know which kind: with this one it does not look.
        (self.directory / "etc" / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        for name in ("state", *(f"spool-{name}" for name in NODES)):
            (self.directory / name).mkdir()

    def _start_munge(self) -> None:
        key = self.directory / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        socket_ = self.directory / "munge.socket"
        files = {"key": key.name, "pid": "munge.pid", "log": "log/munge.log", "seed": "munge.seed"}
        options = [f"--{name}-file={self.directory}/{path}" for name, path in files.items()]
        self.daemon("munged", "munged", "--foreground", "--force", f"--socket={socket_}", *options)
        self.wait_until(socket_.exists, "munged has no socket")

    def _idle(self, name: str) -> bool:
        return self.tried("sinfo", "-h", "-p", "debug", "-n", name, "-o", "%T").stdout.strip() == "idle"
