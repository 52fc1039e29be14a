"""The sites themselves: what they give, and that nothing is left of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until_gone
from tests.sites.node import SiteError
from tests.sites.site import NEEDS, ROOT, Site, missing

LIMIT_S = 20.0


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_slurm_has_two_nodes(slurm_site: Site) -> None:
    done = slurm_site.run("srun", "-N2", "-n4", "hostname")
    assert Counter(done.stdout.split()) == {"n1": 2, "n2": 2} or Counter(done.stdout.split()) == {"n1": 3, "n2": 1}
    assert slurm_site.run("srun", "sh", "-c", "exit 7").returncode == 7


def test_slurm_tells_what_waits(slurm_site: Site) -> None:
    number = slurm_site.run("sbatch", "--parsable", "-p", "closed", "-J", "never", "--wrap", "true", "-o", "/dev/null")
    (job,) = slurm_site.queue()
    assert (job.number, job.name, job.state, job.nodes) == (number.stdout.strip(), "never", "PENDING", "")
    assert slurm_site.run("scancel", job.number).returncode == 0


def test_slurm_loses_a_node(slurm_site: Site, tmp_path: Path) -> None:
    started = tmp_path / "started"
    command = slurm_site.command("srun", "-w", "n2", "sh", "-c", f"touch {started}; sleep 60")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as job:
        wait_for(started.exists)
        slurm_site.down("n2")
        slurm_site.restore("n2")
        _, said = job.communicate(timeout=LIMIT_S)
    assert "srun: error: Node failure on n2" in said  # and its exit status is 0
    assert slurm_site.run("srun", "-w", "n2", "hostname").stdout == "n2\n"


def test_grid_engine_has_two_hosts(gridengine_site: Site, tmp_path: Path) -> None:
    script = f"cat $PE_HOSTFILE >{tmp_path}/hosts; hostname"
    job = ["qsub", "-sync", "y", "-j", "y", "-o", f"{tmp_path}/printed", "-pe", "mpislots", "12", "-S", "/bin/sh"]
    done = gridengine_site.run(*job, input=script)
    assert done.returncode == 0, done.stdout + done.stderr
    slots = dict(line.split()[:2] for line in (tmp_path / "hosts").read_text().splitlines())
    assert sorted(slots.items(), key=lambda pair: pair[1]) in (
        [("exec1", "10"), ("exec2", "2")],
        [("exec2", "10"), ("exec1", "2")],
    )
    assert (tmp_path / "printed").read_text().strip() in ("exec1", "exec2")


def test_grid_engine_tells_what_waits(gridengine_site: Site) -> None:
    gridengine_site.run("qsub", "-b", "y", "-N", "never", "-q", "closed.q", "true")
    (job,) = gridengine_site.queue()
    assert (job.name, job.state, job.nodes) == ("never", "qw", "")
    assert gridengine_site.run("qdel", job.number).returncode == 0


def test_hosts_reach_each_other_by_name(hosts_site: Site) -> None:
    assert hosts_site.run("hostname").stdout == "head\n"
    assert hosts_site.run("ssh", "node1", "ssh", "node3", "hostname").stdout == "node3\n"
    config = str(hosts_site.directory / "ssh_config")
    assert hosts_site.run("ssh", "-F", config, "node2", "ssh head hostname; hostname").stdout == "node2\n"


def test_hosts_have_nothing_in_common_but_files(hosts_site: Site, tmp_path: Path) -> None:
    hosts_site.run("ssh", "node1", "touch", "/dev/shm/mine", str(tmp_path / "ours"))
    assert hosts_site.run("ssh", "node1", "ls", "/dev/shm").stdout == "mine\n"
    clocks = [
        float(hosts_site.run("ssh", node, "cat", "/proc/uptime").stdout.split()[0]) for node in ("node1", "node2")
    ]
    assert clocks[1] - clocks[0] > 990
    assert hosts_site.run("ssh", "node2", "ls", "/dev/shm", str(tmp_path)).stdout.split()[-1] == "ours"
    assert "mine" not in os.listdir("/dev/shm")
    assert hosts_site.run("ssh", "node2", "ls /proc | grep -c '^[0-9]'").stdout.strip() < "9"
    hosts_site.run("ssh", "node1", "rm", "/dev/shm/mine")


def test_a_host_without_power(hosts_site: Site) -> None:
    hosts_site.down("node2")
    done = hosts_site.run("ssh", "-o", "ConnectTimeout=1", "node2", "true")
    assert done.returncode == 255
    assert "port 22" in done.stderr
    hosts_site.restore("node2")
    assert hosts_site.run("ssh", "node2", "hostname").stdout == "node2\n"


def test_a_host_without_a_cable(hosts_site: Site) -> None:
    hosts_site.cut("node2")
    assert hosts_site.run("ssh", "-o", "ConnectTimeout=1", "node2", "true").returncode == 255
    hosts_site.mend("node2")
    assert hosts_site.run("ssh", "node2", "hostname").stdout == "node2\n"


def test_a_host_without_a_directory(hosts_site: Site, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    hosts_site.hide("node3", tmp_path)
    assert hosts_site.run("ssh", "node3", "ls", str(tmp_path)).stdout == ""
    assert hosts_site.run("ssh", "node1", "ls", str(tmp_path)).stdout == "here\n"
    hosts_site.show("node3", tmp_path)
    assert hosts_site.run("ssh", "node3", "ls", str(tmp_path)).stdout == "here\n"


def test_what_a_test_leaves_is_found(hosts_site: Site) -> None:
    hosts_site.run("ssh", "node1", "setsid sleep 60 >/dev/null 2>&1 </dev/null &")
    wait_for(hosts_site.queue)
    (left,) = hosts_site.queue()
    assert (left.name, left.nodes) == ("sleep 60", "node1")
    hosts_site.drain()
    assert hosts_site.queue() == []


def test_mistakes_are_told(hosts_site: Site) -> None:
    with pytest.raises(SiteError, match="no node 'node9' on hosts; there are node1, node2, node3"):
        hosts_site.down("node9")
    with pytest.raises(SiteError, match=r"node1: mount -t tmpfs tmpfs /no/such: .*mount point does not exist"):
        hosts_site.hide("node1", "/no/such")


def test_missing_software_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.sites.site.NEEDS", {"slurm": (["no-such-daemon", "sh"], ["some-package"])})
    assert missing("slurm") == "slurm: no no-such-daemon; apt-get install some-package"


def test_a_long_path_is_refused(tmp_path: Path) -> None:
    (long := tmp_path / ("x" * 60)).mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.sites.up", "slurm"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(long)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "a site's sockets need a shorter path than this; set TMPDIR to one" in done.stderr
    assert list(long.iterdir()) == []


# What is on a site when it ends: a job whose processes left their session, and which nobody waits for.
LONG = "setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 60; done' & touch {started}; sleep 60"
SUBMIT = {
    "slurm": "sbatch -w n1 -o /dev/null {script}",
    "gridengine": "qsub -o /dev/null -j y {script}",
    "hosts": "ssh -f node1 sh {script} >/dev/null 2>&1",
}
ENDINGS = ["end of input", "SIGTERM", "starter killed", "killed"]


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(kind, ending) for kind in NEEDS for ending in ENDINGS if kind != "gridengine" or ending.endswith("killed")],
)
def test_nothing_is_left(kind: str, ending: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(f"{kind}_site")  # skips or fails where it cannot be had
    interfaces = os.listdir("/sys/class/net")
    mounts = Path("/proc/self/mounts").read_text()
    short = Path(tempfile.mkdtemp())  # paths of sockets must be
    request.addfinalizer(lambda: shutil.rmtree(short))
    script, started = tmp_path / "job.sh", tmp_path / "started"
    script.write_text("#!/bin/sh\n" + LONG.format(started=started))
    up = f"exec {sys.executable} -m tests.sites.up {kind} <{tmp_path}/commands >{tmp_path}/said 2>&1"
    (tmp_path / "said").touch()
    os.mkfifo(tmp_path / "commands")
    environment = {**os.environ, "TMPDIR": str(short)}
    starter = subprocess.Popen(["sh", "-c", f"({up}) & wait"], cwd=ROOT, env=environment)
    with (tmp_path / "commands").open("w") as commands, contextlib.ExitStack() as stack:
        stack.callback(starter.wait)
        stack.callback(starter.kill)
        wait_for(lambda: "to run a command there" in (tmp_path / "said").read_text())
        (directory,) = short.glob(f"parallel-site-{kind}-*")
        submit = SUBMIT[kind].format(script=script)
        subprocess.run([directory / "run", "sh", "-c", submit], check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)
        wait_for(started.exists)
        (site,) = psutil.Process(starter.pid).children()
        pids = [process.pid for process in [site, *site.children(recursive=True)]]
        places = {place for pid in pids for place in namespaces(pid)} - set(namespaces(os.getpid()))
        assert len(pids) > 8
        assert len(places) > 5
        if ending == "end of input":
            commands.close()
        elif ending == "starter killed":
            starter.kill()
        else:
            site.send_signal(signal.SIGTERM if ending == "SIGTERM" else signal.SIGKILL)
        assert wait_until_gone(pids, LIMIT_S) == []
    left = [pid for pid in psutil.pids() if places & set(namespaces(pid))]
    assert wait_until_gone(left) == []
    assert sorted(os.listdir("/sys/class/net")) == sorted(interfaces)
    assert Path("/proc/self/mounts").read_text() == mounts
    if ending == "killed":  # nobody was left to remove files: the next site does
        subprocess.run(
            [sys.executable, "-m", "tests.sites.up", "hosts" if kind == "hosts" else "slurm"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=LIMIT_S,
        )
    assert list(short.glob("parallel-site-*")) == []


def namespaces(pid: int) -> list[str]:
    """The namespaces that a process is in."""
    with contextlib.suppress(OSError):
        return [os.readlink(path) for path in Path(f"/proc/{pid}/ns").iterdir()]
    return []
