"""The launchers of MPI libraries: which one there is, and the environment that it and its ranks need."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

from pytest_parallel_lab.keeper.client import worker_environment
from pytest_parallel_lab.model.settings import Settings, command_line

# Open MPI refuses to run as root, or with more ranks than cores, unless told; binding ranks to
# cores would put two groups on the same ones. Shared memory alone brings its start from 1.1 s to
# 0.14 s. Ranks of either MPI that wait give way to what they wait for: where all cores are taken, a
# spinning rank else holds its core for a time slice of milliseconds.
_ENVIRONMENT = {
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
    "OMPI_MCA_pml": "ob1",
    "OMPI_MCA_btl": "self,sm,tcp",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
}
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def mpi_environment() -> dict[str, str]:
    """The environment of a launcher and its ranks; what the user has set goes before what we would."""
    environ = {**_ENVIRONMENT, **(_AS_ROOT if os.getuid() == 0 else {}), **worker_environment()}
    environ.pop("PYTHONUNBUFFERED", None)  # it cuts print() in two, and launchers garble the halves
    return environ


def find_launcher(settings: Settings) -> str | None:
    """The launcher's path: beside this Python first, as the package index's mpiexec is, then on PATH."""
    program = command_line(settings.mpiexec, 1)[0]
    return shutil.which(program, path=worker_environment()["PATH"])


def launcher_version(settings: Settings) -> str:
    """Flavour and version of the launcher, by what it says of itself."""
    launcher = find_launcher(settings)
    if launcher is None:
        return "not found"
    try:
        said = _said_of_itself(launcher)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{launcher} ({error})"
    lines = said.splitlines() or ["says nothing"]
    if "HYDRA" in said:
        version = next((line.split()[-1] for line in lines if "Version:" in line), "")
        return f"MPICH {version} ({launcher})"
    if "Open MPI" in said or "prterun" in said.lower():
        return f"Open MPI {lines[0].split()[-1]} ({launcher})"
    return f"{lines[0]} ({launcher})"


@functools.cache
def _said_of_itself(launcher: str) -> str:
    shown = subprocess.run([launcher, "--version"], capture_output=True, text=True, timeout=20)
    return shown.stdout + shown.stderr


def rank_by_environment() -> int | None:
    """The rank as the launcher gives it to a process before MPI_Init; None where it gives none."""
    for name in ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"):
        if name in os.environ:
            return int(os.environ[name])
    return None
