"""What a killed MPI job leaves behind: the shared memory of its library."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_DIRECTORY = Path("/dev/shm")
_NAMES = ("mpich_shm_", "sm_segment", "vader_segment")  # MPICH; Open MPI, now and before 5
_CREATED_EARLIER_S = 1.0  # clocks of files are coarse
_LOOK_AGAIN_S = 0.05


def remove_unmapped(since_s: float) -> None:
    """Remove the files that MPI libraries made since a time and that no process has mapped any more.

    Other jobs may start meanwhile, and have made a file that they are about to map: only what
    nobody has mapped at a second look is removed.

    Args:
        since_s: in seconds since the epoch.
    """
    found = _unmapped(since_s)
    if found:
        time.sleep(_LOOK_AGAIN_S)
        for path in found & _unmapped(since_s):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()


def _unmapped(since_s: float) -> set[Path]:
    new = set()
    with contextlib.suppress(FileNotFoundError):
        for path in _DIRECTORY.iterdir():
            with contextlib.suppress(FileNotFoundError):
                state = path.stat()
                ours = state.st_uid == os.getuid() and state.st_ctime >= since_s - _CREATED_EARLIER_S
                if ours and path.name.startswith(_NAMES):
                    new.add(path)
    for maps in Path("/proc").glob("[0-9]*/maps") if new else ():
        with contextlib.suppress(OSError):
            text = maps.read_text()
            new -= {path for path in new if str(path) in text}
    return new
