"""Hello world: does each rank speak exactly once, and are its lines whole?"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cases.hello_world.ipyparallel_print import ipyparallel_print
from cases.hello_world.mpi_gather import greet, mpi_gather
from cases.hello_world.shared_terminal import in_one_write, in_two_writes
from pytest_parallel_lab import Mismatch, implementation, name_of
from reference.hello_world import greeting, greetings

if TYPE_CHECKING:
    from mpi4py import MPI


@implementation("mpi")
def hosts_of_ranks(comm: MPI.Intracomm) -> list[str] | None:
    return comm.gather(socket.gethostname(), root=0)


@implementation("ipyparallel")
def hosts_of_engines(view: Any) -> list[str]:
    return list(view.apply_sync(socket.gethostname))


def greetings_there(parallel_run: Any, workers: int, hosts: Any = hosts_of_ranks) -> list[str]:
    """What the reference says of the machines that the workers are on: this one, or those of --parallel-site."""
    there = parallel_run(hosts, workers=workers)
    return [greeting(rank, workers, host) for rank, host in enumerate(there)]


def test_the_reference_says_what_the_books_say() -> None:
    assert greetings(2, "node7") == ["Hello from rank 0 of 2 on node7", "Hello from rank 1 of 2 on node7"]


@pytest.mark.parametrize(("rank", "size"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_outside_its_world_is_refused(rank: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"no rank {rank} in a world of {size}: ranks are 0 to size - 1"):
        greeting(rank, size, "node7")


@pytest.mark.parallel_workers(1, 3)
@pytest.mark.parallel_subjects([mpi_gather, ipyparallel_print])
def test_each_rank_speaks_once(parallel_subject: Any, parallel_run: Any, parallel_workers: int) -> None:
    """A subject returns the lines in the order of the ranks, as ``reference.hello_world.greetings`` does."""
    hosts = hosts_of_engines if parallel_subject is ipyparallel_print else hosts_of_ranks
    said = parallel_run(parallel_subject, workers=parallel_workers)
    assert said == greetings_there(parallel_run, parallel_workers, hosts)


def test_the_script_under_a_real_mpiexec(mpiexec: Any, parallel_run: Any) -> None:
    result = mpiexec.script("hello.py", ranks=3)
    assert result.stdout == [line + "\n" for line in greetings_there(parallel_run, 3)]  # by rank
    assert result.returncode == [0, 0, 0]


def test_each_rank_is_a_process_of_its_own(mpiexec: Any, parallel_run: Any) -> None:
    def greet_and_sign(comm: MPI.Intracomm) -> tuple[str, tuple[str, int]]:
        return greet(comm), (socket.gethostname(), os.getpid())

    said, processes = zip(*mpiexec(greet_and_sign, ranks=3))
    assert list(said) == greetings_there(parallel_run, 3)  # one value per rank, in their order
    assert len({*processes, (socket.gethostname(), os.getpid())}) == 4


def check_lines(parallel_run: Any, implementation: Any, path: Path, ranks: int) -> None:
    def expected(_: str) -> list[str]:
        return greetings_there(parallel_run, ranks)

    parallel_run(implementation, str(path), workers=ranks, reference=expected)


@pytest.mark.parametrize("implementation", [in_two_writes], ids=name_of)
def test_lines_in_two_writes_are_garbled(implementation: Any, parallel_run: Any, tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match=r"in_two_writes .* returned .*Hello frHello fr"):
        check_lines(parallel_run, implementation, tmp_path / "terminal", 3)


@pytest.mark.parametrize("implementation", [in_two_writes], ids=name_of)
def test_a_single_rank_does_not_show_it(implementation: Any, parallel_run: Any, tmp_path: Path) -> None:
    check_lines(parallel_run, implementation, tmp_path / "terminal", 1)


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("implementation", [in_one_write], ids=name_of)
def test_lines_in_one_write_are_whole(implementation: Any, ranks: int, parallel_run: Any, tmp_path: Path) -> None:
    check_lines(parallel_run, implementation, tmp_path / "terminal", ranks)
