"""A full /dev/shm, in a mount namespace of its own: said as what it is."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from multiprocessing.shared_memory import SharedMemory
from pytest_parallel_lab import Lab

def fill(_):
    memory = SharedMemory(create=True, size=1 << 20)
    memory.buf[:] = bytes(1 << 20)

with Lab() as lab:
    if sys.argv[1] == "fill":
        lab.run(fill, workers=1, backend="threads")
    else:
        open("/dev/shm/all", "wb").write(bytes(64 << 10))
        lab.run(str, workers=1, backend="processes")
"""


@pytest.mark.parametrize(
    ("what", "texts"),
    [
        (
            "fill",
            [
                "WorkerDied: threads: runner was killed by signal 7 (SIGBUS) in the middle of the run",
                "A bus error is most often shared memory that cannot grow. 0 kB are free of 64 kB in /dev/shm.",
                "make it larger (docker run --shm-size=1g)",
            ],
        ),
        (
            "start",
            [
                "StartFailed: processes: 1 workers could not be started: ",
                "No space left on device",
                "0 kB are free of 64 kB in /dev/shm. Remove what is left over there, or make it larger",
            ],
        ),
    ],
)
def test_full_shared_memory_is_named(what: str, texts: list[str]) -> None:
    mount = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("needs leave to mount a small /dev/shm (unshare -m)")
    command = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", PROGRAM, what]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    for text in texts:
        assert text in done.stderr
