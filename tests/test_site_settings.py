"""Sites as they are written down: tables, the option, and what is said of what means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.clocks import best_clock
from pytest_parallel_lab.model.site import Site, find_address, parse_site
from pytest_parallel_lab.model.site_tables import read_tables
from pytest_parallel_lab.model.timeline import Section, Span
from tests.conftest import Run

SLURM = {"kind": "slurm"}


def parse(**table: Any) -> Site | None:
    return parse_site("mine", {"mine": table}, "--parallel-site")


def test_a_whole_table() -> None:
    site = parse(
        kind="slurm",
        interface="eth0",
        ports="40000-40010",
        directory="/shared",
        environment={"B": "2", "A": "1"},
        mpi="pmix",
        partition="short",
        slots=8,
        nodes=2,
        queue_limit_s=30,
        time_limit="00:10:00",
        options=["--account=me"],
    )
    assert site is not None
    assert (site.kind, site.mpi, site.partition, site.slots, site.nodes) == ("slurm", "pmix", "short", 8, 2)
    assert site.environment == (("A", "1"), ("B", "2"))
    assert site.ports == (40000, 40010)
    assert site.queue_limit_s == 30.0
    assert site.options == ("--account=me",)
    assert hash(site) is not None  # it is part of what makes warm ranks fit


def test_kinds_are_sites_without_a_table() -> None:
    site = parse_site("slurm", {}, "--parallel-site")
    assert site == Site("slurm", "slurm")
    assert parse_site("local", {}, "--parallel-site") is None
    assert parse(kind="local") is None


def test_a_table_of_the_name_of_a_kind_need_not_repeat_it() -> None:
    site = parse_site("slurm", {"slurm": {"slots": 16}}, "--parallel-site")
    assert site is not None
    assert (site.kind, site.slots) == ("slurm", 16)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            {},
            '[tool.parallel_lab.sites.mine]: does not say its kind; add kind = "slurm" (or local, slurm, gridengine, ',
        ),
        ({"kind": "slrm"}, "mine]: kind: unknown kind of site 'slrm'; did you mean 'slurm'?"),
        ({**SLURM, "partion": "x"}, "mine]: unknown key of a slurm site 'partion'; did you mean 'partition'?"),
        ({**SLURM, "hosts": ["a"]}, "mine]: unknown key of a slurm site 'hosts'"),
        ({**SLURM, "slots": 0}, "mine]: slots: 0 is not a whole number of at least 1"),
        ({**SLURM, "slots": True}, "slots: True is not a whole number"),
        ({**SLURM, "queue_limit_s": "soon"}, "queue_limit_s: 'soon' is not a number of seconds above 0"),
        ({**SLURM, "ports": "1-99999"}, "ports: '1-99999' is not a range of ports, such as 40000-40100"),
        ({**SLURM, "environment": {"A": 1}}, "environment: {'A': 1} is not a table of texts"),
        ({**SLURM, "options": "--x"}, "options: '--x' is not a list of texts"),
        ({**SLURM, "start": "srun -n 4"}, "start: 'srun -n 4' does not say where the number of ranks goes"),
        ({**SLURM, "start": "srun -n {rank}"}, "start: 'srun -n {rank}' cannot be read ('rank')"),
        ({**SLURM, "flavour": "mpich2"}, "flavour: unknown MPI library 'mpich2'; did you mean 'mpich'?"),
        ({**SLURM, "interface": ""}, "interface: '' is not a text"),
        ({"kind": "hosts"}, 'mine]: names no hosts; add hosts = ["node1", "node2"]'),
        ({"kind": "hosts", "hosts": ["-oProxyCommand=x"]}, "'-oProxyCommand=x' is not the name or address of a host"),
        ({"kind": "hosts", "hosts": ["a", "a"]}, "hosts: a host is named twice; name each once"),
        ({"kind": "gridengine"}, 'names no parallel environment; add parallel_environment = "mpi" (qconf -spl'),
    ],
)
def test_what_means_nothing(table: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSetting) as caught:
        parse(**table)
    assert said in str(caught.value)


def test_a_site_that_is_not_there() -> None:
    with pytest.raises(
        BadSetting, match=r"--parallel-site: no site 'clster'; did you mean 'cluster'\? Known: cluster, lo"
    ):
        parse_site("clster", {"cluster": SLURM}, "--parallel-site")


def test_tables_are_read_from_the_project(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[tool.parallel_lab.sites.a]\nkind = "slurm"\n')
    assert read_tables(path) == {"a": {"kind": "slurm"}}
    path.write_text("[tool.parallel_lab]\nsites = 3\n")
    with pytest.raises(BadSetting, match=r"'sites' of .* is 3 and not a table"):
        read_tables(path)
    path.write_text("[tool\n")
    with pytest.raises(BadSetting, match=r"pyproject.toml: cannot be read: "):
        read_tables(path)


INTERFACES = {"lo": ["127.0.0.1"], "eth0": ["10.1.2.3", "10.9.9.9"], "down0": []}


@pytest.mark.parametrize(
    ("wanted", "address"),
    [("eth0", "10.1.2.3"), ("10.9.9.9", "10.9.9.9"), ("10.9.0.0/16", "10.9.9.9"), ("lo", "127.0.0.1")],
)
def test_an_interface_is_a_name_an_address_or_a_network(wanted: str, address: str) -> None:
    assert find_address(wanted, INTERFACES, "here") == address


@pytest.mark.parametrize("wanted", ["eth1", "down0", "192.168.0.0/24", "10.1.2.4"])
def test_an_interface_that_is_not_there(wanted: str) -> None:
    with pytest.raises(BadSetting, match=r"here: this machine has no .*eth0: 10.1.2.3, 10.9.9.9"):
        find_address(wanted, INTERFACES, "here")


def test_the_option_names_a_site_of_the_project(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\n[tool.parallel_lab.sites.cluster]\nkind = "slurm"\nslot = 3\n'
    )
    pytester.makepyfile("def test_it(): pass")
    run_pytest().assert_outcomes(passed=1)
    result = run_pytest("--parallel-site=cluster")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["*pyproject.toml: ?tool.parallel_lab.sites.cluster?: unknown key*'slot'; did you mean*"]
    )


def test_a_site_whose_commands_are_missing_skips(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mpi4py")
    monkeypatch.setenv("PATH", str(pytester.mkdir("empty")))
    pytester.makepyfile("def test_it(mpiexec): mpiexec(len, ranks=2)")
    result = run_pytest("--parallel-site=slurm", "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*mpi: site 'slurm' (slurm): no sbatch on PATH; are the commands of the site*"])


def test_the_shortest_ping_tells_the_time() -> None:
    clock = best_clock([(10.0, 110.4, 11.0), (12.0, 112.01, 12.02), (13.0, 114.5, 15.0)])
    assert clock.ahead_s == pytest.approx(100.0)
    assert clock.error_s == pytest.approx(0.01)
    with pytest.raises(ValueError, match="no ping was answered"):
        best_clock([])


def test_a_section_by_another_clock() -> None:
    section = Section(1, 5.0, 7.0, (Span(0, 5.5, 6.0, "compute"),))
    moved = section.later(-5.0)
    assert (moved.start_s, moved.end_s, moved.spans[0].start_s, moved.spans[0].end_s) == (0.0, 2.0, 0.5, 1.0)
    assert section.later(0.0) is section
