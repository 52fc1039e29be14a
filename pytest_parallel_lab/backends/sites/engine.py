"""An ipyparallel engine on a site: what the launcher starts there, with a guard as ranks have."""

from __future__ import annotations

import os
import sys

from pytest_parallel_lab.backends.mpi.deputy import Away, guard_away
from pytest_parallel_lab.backends.mpi.launchers import rank_by_environment
from pytest_parallel_lab.keeper.output import capture_engine

DIRECTORY_VARIABLE = "PARALLEL_LAB_ENGINE_DIRECTORY"


def main(address: str, key_file: str) -> None:
    """Be a guard and its engine; the arguments are the connection file and the seconds to wait for it."""
    guard_away(address, key_file, _be_engine)


def _be_engine(away: Away) -> None:
    away.home.forget()
    file, limit_s, *more = sys.argv[1:]
    os.environ[DIRECTORY_VARIABLE] = os.environ["IPYTHONDIR"] = away.directory
    sys.argv = [
        *("ipengine", f"--file={file}", f"--IPEngine.wait_for_url_file={limit_s}"),
        *("--IPEngine.enable_nanny=False", "--IPEngine.log_level=30", *more),
    ]
    if (place := rank_by_environment()) is not None:  # so that engine 0 is where rank 0 would be
        sys.argv.append(f"--IPEngine.id={place}")
    from ipyparallel.engine.app import main as be_engine

    be_engine()


def settle(paths: list[str]) -> str:
    """In an engine: import from the same places as pytest, and keep what is printed; the host's name."""
    import socket

    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
    capture_engine(os.environ.pop(DIRECTORY_VARIABLE))
    return socket.gethostname()
