"""MPI: launchers that are none, the mpiexec fixture, scripts. Run with any MPI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_parallel_lab import BackendMissing, Lab, Settings, StartFailed
from tests.conftest import Run, left_in_shared_memory, shared_memory

pytest.importorskip("mpi4py")
pytestmark = pytest.mark.mpi


@pytest.fixture(autouse=True)
def nothing_left_in_shared_memory() -> Iterator[None]:
    before = shared_memory()
    yield
    assert left_in_shared_memory(before) == set()


def launcher(tmp_path: Path, body: str) -> str:
    script = tmp_path / "launcher.sh"
    script.write_text(f"#!/bin/sh\nranks=$1; shift\n{body}\n")
    script.chmod(0o755)
    return f"{script} {{ranks}}"


def test_a_launcher_that_is_not_mpi(tmp_path: Path) -> None:
    settings = Settings(mpiexec=launcher(tmp_path, 'echo "what is $ranks?"; exit 5'))
    with Lab(settings) as lab, pytest.raises(StartFailed) as caught:
        lab.lease("mpi", 2)
    assert "launcher.sh 2' ended with exit status 5 before 2 ranks had come up. Is it an MPI launcher?" in str(
        caught.value
    )
    assert "It printed:\nwhat is 2?" in str(caught.value)


def test_singletons_are_not_taken_for_ranks(tmp_path: Path) -> None:
    settings = Settings(mpiexec=launcher(tmp_path, 'for i in $(seq $ranks); do "$@" & done; wait'))
    with Lab(settings) as lab, pytest.raises(StartFailed) as caught:
        lab.lease("mpi", 2)
    assert "asked for 2 ranks, but a process came up in a world of 1" in str(caught.value)
    assert "they do not belong together. Install one MPI only" in str(caught.value)


def test_a_launcher_that_never_starts_anything(tmp_path: Path) -> None:
    settings = Settings(mpiexec=launcher(tmp_path, "exec sleep 60"), start_limit_s=0.5)
    with Lab(settings) as lab, pytest.raises(StartFailed, match=r"did not bring up 2 ranks within 0.5 s"):
        lab.lease("mpi", 2)


def test_a_launcher_that_cannot_be_run(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with Lab(Settings(mpiexec=f"{tmp_path}/nothing {{ranks}}")) as lab, pytest.raises(BackendMissing, match="nothing"):
        lab.lease("mpi", 2)


def test_a_stranger_cannot_connect(tmp_path: Path) -> None:
    body = 'PARALLEL_LAB_KEY=00 "$@" & sleep 1'
    with Lab(Settings(mpiexec=launcher(tmp_path, body))) as lab, pytest.raises(StartFailed, match="before 1 ranks"):
        lab.lease("mpi", 1)


def test_fixture_and_reports(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import os

        def ring(comm):
            return comm.sendrecv(comm.rank, (comm.rank + 1) % comm.size, source=(comm.rank - 1) % comm.size)

        def raises(comm):
            print("I am", comm.rank)
            if comm.rank == 1: raise ValueError("boom")
            comm.Barrier()

        def test_ring(mpiexec): assert mpiexec(ring, ranks=4) == [3, 0, 1, 2]

        def test_raises(mpiexec): mpiexec(raises, ranks=2)

        def test_next(mpiexec): assert mpiexec(ring, ranks=2) == [1, 0]

        def test_leaves_a_message(mpiexec): mpiexec(lambda c: c.rank or c.send(1, 1), ranks=2)

        def test_after(mpiexec): assert mpiexec(ring, ranks=2) == [1, 0]

        def test_fails_and_is_not_accused_as_well(mpiexec):
            mpiexec(lambda c: c.rank or c.send(1, 1), ranks=2)
            raise KeyError("enough")

        def test_dies(mpiexec): mpiexec(lambda c: c.rank and os._exit(0), ranks=2)
    """)
    result = run_pytest("--junitxml=report.xml")
    result.assert_outcomes(passed=4, failed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*test_leaves_a_message left something behind: mpi, 2 workers: rank 1: a message on the test's*",
            "### rank 1 of 2 on * (pid *) raised ValueError",
            "### rank 0 of 2 on * had not finished",
            "E*ValueError: boom",
            "*Captured stdout of rank 0 call*",
            "I am 0",
            "*Captured stdout of rank 1 call*",
            "I am 1",
            "E*WorkerDied: mpi: rank 1 exited with code 0 in the middle of the run",
        ]
    )
    assert "### rank 1 of 2 on" in (pytester.path / "report.xml").read_text()


def test_scripts(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile(
        hello="""
            import sys
            from mpi4py import MPI

            comm = MPI.COMM_WORLD
            print(f"rank {comm.rank} of {comm.size}", *sys.argv[1:])
        """,
        fails="""
            import sys
            from mpi4py import MPI

            if MPI.COMM_WORLD.rank == 1:
                raise ValueError("boom")
            MPI.COMM_WORLD.Barrier()
        """,
        test_scripts="""
            import pytest

            def test_hello(mpiexec):
                result = mpiexec.script("hello.py", "to", "you", ranks=3)
                assert result.stdout == [f"rank {rank} of 3 to you\\n" for rank in range(3)]
                assert result.returncode == [0, 0, 0]

            def test_unchecked(mpiexec):
                assert mpiexec.script("fails.py", ranks=2, check=False).returncode[1] == 1

            def test_fails(mpiexec): mpiexec.script("fails.py", ranks=2)

            def test_nowhere(mpiexec): mpiexec.script("nowhere.py", ranks=2)
        """,
    )
    result = run_pytest("test_scripts.py")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*ScriptFailed: mpi: *fails.py failed on rank *1*",
            "E*### rank 1 of 2 ended with exit code 1",
            "E*ValueError: boom",
            "E*FileNotFoundError: mpiexec.script: no nowhere.py beside test_scripts.py or in *",
        ]
    )
