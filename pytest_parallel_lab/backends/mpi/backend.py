"""The ``mpi`` backend; implementations run on every rank and get an mpi4py communicator."""

from __future__ import annotations

import importlib.metadata
import importlib.util

from pytest_parallel_lab.backends.base import WorkerGroup
from pytest_parallel_lab.backends.mpi.group import RankGroup
from pytest_parallel_lab.backends.mpi.launchers import find_launcher, launcher_version
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.errors import StartFailed
from pytest_parallel_lab.model.settings import Settings, command_line

_INSTALL = "pip install 'pytest-parallel-lab[mpi]'"


class MpiBackend:
    """``mpi``: ranks started by an MPI launcher."""

    name = "mpi"

    def missing(self, settings: Settings) -> str | None:
        """mpi4py and the launcher must be there. MPI itself is not touched in this process."""
        if importlib.util.find_spec("mpi4py") is None:
            return f"mpi4py is not installed; {_INSTALL}"
        if settings.site is not None:
            from pytest_parallel_lab.backends.sites.post import missing

            return missing(settings, settings.site)
        if find_launcher(settings) is None:
            program = command_line(settings.mpiexec, 1)[0]
            return f"no {program} beside this Python or on PATH; {_INSTALL}, or name a launcher with --parallel-mpiexec"
        return None

    def version(self, settings: Settings) -> str:
        """The installed mpi4py and the launcher."""
        place = f", {settings.site.heading}" if settings.site else ""
        return f"mpi4py {importlib.metadata.version('mpi4py')}, launcher {launcher_version(settings)}{place}"

    def max_workers(self) -> int | None:
        """No limit: beyond the cores, ranks share them."""
        return None

    def start(self, keeper: KeeperClient, workers: int, settings: Settings) -> WorkerGroup:
        """Launch a rank group; once more where the runtime itself failed to start under load."""
        try:
            return RankGroup(keeper, workers, settings)
        except StartFailed as error:
            if "PMIx" not in str(error):
                raise
            return RankGroup(keeper, workers, settings)
