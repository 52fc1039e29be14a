"""Posts on sites: how ranks are started there, and how it is made sure that they are where they should be."""

from __future__ import annotations

import ipaddress
import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_parallel_lab.backends.mpi.launchers import find_launcher, launcher_version, mpi_environment
from pytest_parallel_lab.backends.mpi.post import Door, Starter
from pytest_parallel_lab.backends.sites import host_list
from pytest_parallel_lab.backends.sites.allocation import SCHEDULERS, allocation_of, inside
from pytest_parallel_lab.backends.sites.scheduler import RUNNING, Job
from pytest_parallel_lab.keeper import network
from pytest_parallel_lab.keeper.channel import Channel
from pytest_parallel_lab.keeper.client import KeeperClient, worker_environment
from pytest_parallel_lab.model.errors import BadSetting, StartFailed
from pytest_parallel_lab.model.outcome import Worker
from pytest_parallel_lab.model.settings import DEFAULT_MPIEXEC, Settings, command_line
from pytest_parallel_lab.model.site import GRIDENGINE, HOSTS, SLURM, Site

_DEFAULT_PMI = "pmi2"
_directories: dict[tuple[int, Site], Path] = {}


def missing(settings: Settings, site: Site) -> str | None:
    """Which program a site needs that is not here, with the remedy; None where all are."""
    programs = ["ssh"] if site.kind == HOSTS else list(SCHEDULERS[site.kind]().programs)
    for program in programs:
        if shutil.which(program, path=worker_environment()["PATH"]) is None:
            return f"{site.heading}: no {program} on PATH; are the commands of the site installed on this machine?"
    return None


class SitePost:
    """A place on a site."""

    def __init__(
        self,
        settings: Settings,
        site: Site,
        starter: Starter,
        *,
        address: str,
        directory: Path,
        output_directory: str,
        nodes: Mapping[str, str] | Sequence[str],
        says: Callable[[], str],
        look: Callable[[], Job] | None = None,
        hostfile: Callable[[], str] = lambda: "",
        foreman: Channel | None = None,
    ) -> None:
        """Describe it.

        Args:
            settings: how ranks are started.
            site: where.
            starter: runs launchers there.
            address: of this machine, that ranks connect back to.
            directory: private, and seen by all hosts.
            output_directory: where the starter keeps what launchers print.
            nodes: on which ranks may come up; none where that is not known.
            says: what there is to say when something went wrong.
            look: asks the scheduler, where there is one.
            hostfile: makes a file that names the nodes with their slots, where a launcher needs one.
            foreman: the connection to the starter, where that runs in the job, and has its environment.
        """
        self.heading = f"mpi on {site.heading}"
        self.site: Site | None = site
        self.starter = starter
        self.says = says
        self._site = site
        self._settings = settings
        self.address = address
        self.directory = directory
        self._output_directory = output_directory
        self._nodes = list(nodes)
        self._look = look
        self._hostfile = hostfile
        self._foreman = foreman

    def open(self, directory: Path, ranks: int) -> Door:
        """Listen on the address that the site reaches."""
        environ = {**network.travelling(mpi_environment()), **dict(self._site.environment)}
        return network.NetworkDoor(self.address, self._site.ports, self.directory, environ)

    def command(self, ranks: int) -> list[str]:
        """As the site says, else as its kind suggests."""
        site = self._site
        if site.kind != HOSTS and ranks > site.slots and not inside(site):
            raise BadSetting(
                f"{self.heading}: {ranks} ranks asked for, but its jobs have {site.slots} slots; "
                f"set slots = {ranks} in {site.table}"
            )
        if site.start:
            return command_line(site.start, ranks)
        launcher = find_launcher(self._settings) or "mpiexec"
        if self._settings.mpiexec != DEFAULT_MPIEXEC:
            return [launcher, *command_line(self._settings.mpiexec, ranks)[1:]]
        openmpi = (site.flavour or _flavour(self._settings)) == "openmpi"
        if site.kind == SLURM and (site.mpi or not openmpi):
            return [
                "srun", f"--mpi={site.mpi or _DEFAULT_PMI}", "--overlap", f"--ntasks={ranks}", "--kill-on-bad-exit=1",
                "--cpu-bind=none", "--export=ALL",
            ]  # fmt: skip
        if site.kind == HOSTS and not openmpi:
            return [launcher, "-launcher", "ssh", "-hosts", ",".join(site.hosts), "-n", str(ranks)]
        if not openmpi:
            return [launcher, "-n", str(ranks)]
        argv = [launcher, "--bind-to", "none", "--map-by", "node:OVERSUBSCRIBE", "-n", str(ranks)]
        if site.kind == HOSTS:
            return [*argv, "--host", ",".join(f"{host}:{ranks}" for host in site.hosts)]
        hostfile = self._hostfile() if site.kind == GRIDENGINE else ""
        return [*argv, "--hostfile", hostfile] if hostfile else argv

    def shown(self, ranks: int) -> str:
        """The launcher's command line."""
        return shlex.join(self.command(ranks))

    def call(self, door: Door) -> str:
        """The way back is an address and the path of a key: neither is a secret."""
        assert isinstance(door, network.NetworkDoor)
        return f"main({door.address!r}, {str(door.key_file)!r})"

    def environment(self, door: Door, directory: Path) -> dict[str, str]:
        """Ours with the site's; in a job only what means the same there."""
        environ = network.travelling(mpi_environment()) if self._foreman else mpi_environment()
        if self._site.kind == SLURM:
            # A launcher that starts its helpers by srun would have all of the job to itself: a second group would wait.
            environ |= {"SLURM_OVERLAP": "1"}
        return {**environ, **dict(self._site.environment)}

    def output(self, name: str) -> str:
        """Where the starter is."""
        return f"{self._output_directory}/mpiexec-{name}.out"

    def check(self, members: Sequence[Worker]) -> None:
        """Every rank is on a node of the site.

        Raises:
            StartFailed: one is not; the launcher does not know of the site.
        """
        known = {_short(node) for node in self._nodes}
        strangers = [w for w in members if _short(w.host) not in known]
        if known and strangers:
            where = ", ".join(f"rank {w.index} on {w.host}" for w in strangers)
            raise StartFailed(
                f"{self.heading}: ranks came up outside of its nodes ({', '.join(self._nodes)}): {where}. "
                f"{self.shown(len(members))!r} does not start them there; set start in {self._site.table}"
            )

    def lifeline(self) -> Sequence[Channel]:
        """The connection to the foreman, if the place is a job of ours."""
        return [self._foreman] if self._foreman is not None else []

    def trouble(self, *, lost: bool) -> str:
        """What the scheduler says, unless the job runs as ever and all ranks are accounted for."""
        if lost or (self._look is not None and self._look().state != RUNNING):
            return self.says()
        return ""

    def remedy(self) -> str:
        """Which setting is most likely wrong."""
        if self._site.kind == SLURM and not self._site.start:
            return (
                f"each of them is a world of its own, as they and srun do not speak the same protocol. Set "
                f'mpi = "pmi2" for MPICH in {self._site.table} (srun --mpi=list tells what this Slurm has; it is '
                f'{self._site.mpi or _DEFAULT_PMI!r} now), or start = "mpiexec -n {{ranks}}", the library\'s launcher'
            )
        return (
            f"each of them is a world of its own: the launcher is not that of the MPI library. Name the library's own "
            f'with start = "mpiexec -n {{ranks}}" in {self._site.table}'
        )


def site_post(keeper: KeeperClient, settings: Settings) -> SitePost:
    """The place for ranks on the chosen site. May wait in a queue.

    Raises:
        StartFailed: the site has no room, or cannot be reached.
    """
    site = settings.site
    assert site is not None
    if site.kind == HOSTS:
        names = host_list.look_at(site)
        address = network.own_address(site.interface, site.hosts[0], f"{site.table}: interface")
        return _here(keeper, settings, site, address, list(names.values()))
    if inside(site):
        scheduler = SCHEDULERS[site.kind]()
        hostfile = os.environ.get("PE_HOSTFILE", "")
        told = {
            "nodelist": os.environ.get("SLURM_JOB_NODELIST", ""),
            "hostfile": Path(hostfile).read_text() if hostfile else "",
        }
        address = network.own_address(site.interface, scheduler.host(), f"{site.table}: interface")
        number = os.environ.get("SLURM_JOB_ID") or os.environ.get("JOB_ID", "")
        return _here(keeper, settings, site, address, scheduler.nodes(told), lambda: scheduler.look(number))
    allocation = allocation_of(keeper, site, settings.start_limit_s)
    return SitePost(
        settings,
        site,
        allocation.far,
        address=allocation.address,
        directory=allocation.directory,
        output_directory=allocation.far.directory,
        nodes=allocation.nodes,
        says=allocation.says,
        look=allocation.look,
        hostfile=lambda: allocation.far.write("hosts", _slots(allocation.hostfile)),
        foreman=allocation.far.channel,
    )


def _here(
    keeper: KeeperClient,
    settings: Settings,
    site: Site,
    address: str,
    nodes: Sequence[str],
    look: Callable[[], Job] | None = None,
) -> SitePost:
    """A place whose launchers our own keeper runs."""
    directory = _directory(keeper, site)

    def hostfile() -> str:
        path = directory / "hosts"
        path.write_text(_slots(Path(os.environ["PE_HOSTFILE"]).read_text()))
        return str(path)

    return SitePost(
        settings,
        site,
        keeper,
        address=address,
        directory=directory,
        output_directory=keeper.directory,
        nodes=nodes,
        says=lambda: look().says if look else f"The hosts are {', '.join(site.hosts)}.",
        look=look,
        hostfile=hostfile,
    )


def _directory(keeper: KeeperClient, site: Site) -> Path:
    """The session's directory that all hosts see; it goes with the session."""
    found = _directories.get((keeper.pid, site))
    if found is None:
        found = network.private_directory(site.directory, f"session-{secrets.token_hex(4)}")
        keeper.bequeath([], str(found))
        keeper.at_close.callback(shutil.rmtree, found, ignore_errors=True)
        _directories[keeper.pid, site] = found
    return found


def _slots(hostfile: str) -> str:
    """Grid Engine's list of hosts, as Open MPI reads it."""
    fields = [line.split() for line in hostfile.splitlines()]
    return "".join(f"{words[0]} slots={words[1]}\n" for words in fields if len(words) > 1)


def _flavour(settings: Settings) -> str:
    return "openmpi" if "Open MPI" in launcher_version(settings) else "mpich"


def _short(host: str) -> str:
    """A host's name without its domain."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.partition(".")[0].lower()
    return host
