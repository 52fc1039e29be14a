"""Broadcasts by buffer, by pickle and in C: every rank has the message, whatever its length."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import reference.broadcast
from cases.broadcast import compiled
from cases.broadcast.buffer_bcast import buffer_bcast
from cases.broadcast.out_of_band_bcast import out_of_band_bcast
from cases.broadcast.pickled_bcast import pickled_bcast
from cases.broadcast.program import WAYS
from pytest_parallel_lab import implementation, name_of

if TYPE_CHECKING:
    from mpi4py import MPI

IMPLEMENTATIONS = [buffer_bcast, pickled_bcast, out_of_band_bcast]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the compiled C program."""
    if reason := compiled.missing():
        pytest.skip(f"bcast.c: {reason}")
    path = tmp_path_factory.mktemp("broadcast") / "bcast"
    compiled.compile_program(path)
    return str(path)


@pytest.mark.parallel_workers(1, 2, 3, 4)
@pytest.mark.parametrize("doubles", [0, 1, 7, 100_000])
@pytest.mark.parametrize("broadcast", IMPLEMENTATIONS, ids=name_of)
def test_every_rank_has_the_message(broadcast: Any, doubles: int, mpiexec: Any, parallel_workers: int) -> None:
    received = mpiexec(broadcast, doubles, ranks=parallel_workers)
    expected = reference.broadcast.broadcast(doubles, parallel_workers)
    assert len(received) == len(expected)
    for one, other in zip(received, expected):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("broadcast", IMPLEMENTATIONS, ids=name_of)
def test_a_negative_length_is_refused(broadcast: Any, mpiexec: Any) -> None:
    with pytest.raises(ValueError, match="doubles=-1: a message has 0 doubles or more"):
        mpiexec(broadcast, -1, ranks=2)


@implementation("mpi")
def bcast_every_second(comm: MPI.Intracomm, how: str) -> list[float]:
    """Broadcast every second element of an array, which are not side by side in memory."""
    whole = np.arange(6.0) if comm.rank == 0 else np.zeros(6)
    view = whole[::2]
    if how == "Bcast":
        comm.Bcast(view)
    else:
        view = comm.bcast(view)
    return view.tolist()  # type: ignore[no-any-return]


def test_buffers_must_be_contiguous_and_pickles_need_not(mpiexec: Any) -> None:
    assert mpiexec(bcast_every_second, "bcast", ranks=2) == [[0.0, 2.0, 4.0]] * 2
    with pytest.raises((BufferError, ValueError), match="contiguous"):
        mpiexec(bcast_every_second, "Bcast", ranks=2)


@pytest.mark.parametrize("how", WAYS)
def test_the_program_in_python(how: str, mpiexec: Any) -> None:
    result = mpiexec.script("program.py", how, "3", "0", "1000", ranks=2, env={"PYTHONPATH": str(ROOT)})
    times_s = compiled.parse_times(result.stdout[0])
    assert [(doubles, len(rounds)) for doubles, rounds in times_s.items()] == [(0, 3), (1000, 3)]
    assert result.stdout[1] == ""


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [1, 3])
def test_the_program_in_c(ranks: int, program: str, supervised: Callable[..., Any]) -> None:
    printed = supervised(compiled.run_under_mpiexec, [program, "3", "0", "1000"], ranks)
    times_s = compiled.parse_times(printed)
    assert [(doubles, len(rounds)) for doubles, rounds in times_s.items()] == [(0, 3), (1000, 3)]


@pytest.mark.mpi
@pytest.mark.parametrize("arguments", [["0", "5"], ["3", "-5"], ["3"], ["3", "many"]], ids=" ".join)
def test_bad_arguments_of_the_program_in_c(arguments: list[str], program: str, supervised: Callable[..., Any]) -> None:
    with pytest.raises(RuntimeError, match=r"a whole number of at least|usage: bcast ROUNDS DOUBLES"):
        supervised(compiled.run_under_mpiexec, [program, *arguments], 2)


def test_without_a_compiler_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    launcher = tmp_path / "mpiexec"
    launcher.write_text("#!/bin/sh\n")
    launcher.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert compiled.missing() == f"no mpicc beside {launcher}; install its MPI's development files"
