"""A site: where ranks and engines run, past this process tree, and how they are started there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.settings import command_line, nearest, parse_names

LOCAL, SLURM, GRIDENGINE, HOSTS = KINDS = ("local", "slurm", "gridengine", "hosts")
QUEUED = (SLURM, GRIDENGINE)
FLAVOURS = ("mpich", "openmpi")


@dataclass(frozen=True)
class Site:
    """Where ranks and engines run.

    Attributes:
        name: what the user calls it.
        kind: one of KINDS.
        interface: the interface, address or network of this machine that workers connect back to; "" finds the
            one that leads to the site.
        ports: first and last port to listen on; (0, 0) leaves it to the system.
        directory: shared by all hosts and private to the user: keys and job scripts; "" is a place in the home.
        environment: variables for the ranks.
        start: the command that starts ranks, in place of the one that the kind suggests.
        flavour: the MPI library, where its launcher does not tell: mpich or openmpi.
        mpi: srun's ``--mpi``.
        partition: of Slurm.
        parallel_environment: of Grid Engine.
        queue: of Grid Engine.
        slots: how many ranks a job has room for.
        nodes: over how many nodes Slurm is to spread them; 0 leaves it to Slurm.
        queue_limit_s: seconds that a job may wait in the queue.
        time_limit: of the job, in the scheduler's own words, such as 00:30:00.
        options: further options for sbatch or qsub.
        hosts: of a host list, in the order in which ranks are placed.
    """

    name: str
    kind: str = LOCAL
    interface: str = ""
    ports: tuple[int, int] = (0, 0)
    directory: str = ""
    environment: tuple[tuple[str, str], ...] = ()
    start: str = ""
    flavour: str = ""
    mpi: str = ""
    partition: str = ""
    parallel_environment: str = ""
    queue: str = ""
    slots: int = 4
    nodes: int = 0
    queue_limit_s: float = 600.0
    time_limit: str = ""
    options: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """The site, at the beginning of a message."""
        return f"site {self.name!r} ({self.kind})"

    @property
    def table(self) -> str:
        """Where its settings are."""
        return f"[tool.parallel_lab.sites.{self.name}]"


_EVERYWHERE = ("kind", "interface", "ports", "directory", "environment", "start", "flavour")
_IN_A_QUEUE = ("slots", "queue_limit_s", "time_limit", "options")
KEYS = {
    LOCAL: ("kind",),
    SLURM: (*_EVERYWHERE, *_IN_A_QUEUE, "mpi", "partition", "nodes"),
    GRIDENGINE: (*_EVERYWHERE, *_IN_A_QUEUE, "parallel_environment", "queue"),
    HOSTS: (*_EVERYWHERE, "hosts"),
}
"""The keys that each kind of site has."""


def parse_site(name: str, tables: Mapping[str, Any], source: str, where: str = "pyproject.toml") -> Site | None:
    """Find a site by its name.

    Args:
        name: as chosen.
        tables: the project's tables of sites, by name.
        source: where it was chosen, for the error.
        where: the file of the tables, for the error.

    Returns:
        The site; None for this machine.

    Raises:
        BadSetting: no such site, or one of its settings means nothing.
    """
    if name not in tables and name not in KINDS:
        known = [*tables, *KINDS]
        near = nearest(name, known)
        hint = f"; did you mean {near!r}?" if near else ""
        raise BadSetting(
            f"{source}: no site {name!r}{hint} Known: {', '.join(known)}. Describe it in a table "
            f"[tool.parallel_lab.sites.{name}] of {where}"
        )
    table = tables.get(name, {"kind": name})
    here = f"{where}: [tool.parallel_lab.sites.{name}]"
    if not isinstance(table, Mapping):
        raise BadSetting(f"{here}: is {table!r} and not a table")
    kind = table.get("kind", name if name in KINDS else None)
    if kind is None:
        raise BadSetting(f'{here}: does not say its kind; add kind = "slurm" (or {", ".join(KINDS)})')
    kind = parse_names([str(kind)], KINDS, f"{here}: kind", "kind of site")[0]
    given: dict[str, Any] = {}
    for key, value in table.items():
        parse_names([key], KEYS[kind], here, f"key of a {kind} site")
        given[key] = _READERS[key](value, f"{here}: {key}")
    if kind == LOCAL:
        return None
    site = Site(name, **{**given, "kind": kind})
    _check(site, here)
    return site


def _check(site: Site, here: str) -> None:
    if site.kind == HOSTS and not site.hosts:
        raise BadSetting(f'{here}: names no hosts; add hosts = ["node1", "node2"]')
    if site.kind == GRIDENGINE and not site.parallel_environment:
        raise BadSetting(
            f'{here}: names no parallel environment; add parallel_environment = "mpi" (qconf -spl lists all)'
        )


def _text(value: Any, source: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise BadSetting(f"{source}: {value!r} is not a text")
    return value


def _count(value: Any, source: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadSetting(f"{source}: {value!r} is not a whole number of at least 1")
    return value


def _seconds(value: Any, source: str) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise BadSetting(f"{source}: {value!r} is not a number of seconds above 0")
    return float(value)


def _texts(value: Any, source: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise BadSetting(f'{source}: {value!r} is not a list of texts, such as ["one", "two"]')
    return tuple(value)


def _host_names(value: Any, source: str) -> tuple[str, ...]:
    hosts = _texts(value, source)
    for host in hosts:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", host):  # also: none that ssh would take for an option
            raise BadSetting(f"{source}: {host!r} is not the name or address of a host")
    if len(set(hosts)) != len(hosts):
        raise BadSetting(f"{source}: a host is named twice; name each once, ranks go round")
    return hosts


def _variables(value: Any, source: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
        raise BadSetting(f'{source}: {value!r} is not a table of texts, such as {{UCX_TLS = "tcp,self"}}')
    return tuple(sorted(value.items()))


def _ports(value: Any, source: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)-(\d+)", value) if isinstance(value, str) else None
    first, last = map(int, match.groups()) if match else (0, -1)
    if not 0 < first <= last < 65536:
        raise BadSetting(f"{source}: {value!r} is not a range of ports, such as 40000-40100")
    return first, last


def _start(value: Any, source: str) -> str:
    text = _text(value, source)
    try:
        command_line(text, ranks=1)
    except (KeyError, IndexError, ValueError) as error:
        raise BadSetting(f"{source}: {text!r} cannot be read ({error}); write 'mpiexec -n {{ranks}}'") from error
    if "{ranks}" not in text:
        raise BadSetting(f"{source}: {text!r} does not say where the number of ranks goes: write {{ranks}} there")
    return text


def _flavour(value: Any, source: str) -> str:
    return parse_names([str(value)], FLAVOURS, source, "MPI library")[0]


_READERS: dict[str, Callable[[Any, str], Any]] = {
    "ports": _ports,
    "environment": _variables,
    "start": _start,
    "flavour": _flavour,
    "slots": _count,
    "nodes": _count,
    "queue_limit_s": _seconds,
    "options": _texts,
    "hosts": _host_names,
}
_READERS.update({f.name: _text for f in fields(Site) if f.name not in _READERS})


def find_address(wanted: str, interfaces: Mapping[str, list[str]], source: str) -> str:
    """The address that an interface, address or network means on this machine.

    Args:
        wanted: ``eth0``, ``10.1.2.3`` or ``10.1.0.0/16``.
        interfaces: the IPv4 addresses of this machine, by interface.
        source: whose setting it is, for the error.

    Raises:
        BadSetting: this machine has none.
    """
    if interfaces.get(wanted):
        return interfaces[wanted][0]
    import ipaddress  # ranks, which import this module, do not need it

    every = [address for addresses in interfaces.values() for address in addresses]
    try:
        network = ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        network = None
    for address in every if network is not None else ():
        if ipaddress.ip_address(address) in network:  # type: ignore[operator]
            return address
    there = "; ".join(f"{name}: {', '.join(addresses)}" for name, addresses in interfaces.items() if addresses)
    raise BadSetting(f"{source}: this machine has no interface, address or network {wanted!r}. It has {there}")
