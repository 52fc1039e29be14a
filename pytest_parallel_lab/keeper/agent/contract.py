"""What those inside a run and those who watch it from outside have agreed on."""

from __future__ import annotations

import os
import signal

# A real-time signal: programs under test use SIGUSR1 and SIGUSR2 themselves.
SIGNAL: int = getattr(signal, "SIGRTMAX", signal.SIGUSR1 + 2) - 2


def told_path(directory: str, pid: int) -> str:
    """Where a process writes, when asked, what its threads wait for and hold."""
    return os.path.join(directory, f"{pid}.told")


def stack_path(directory: str, pid: int) -> str:
    """Where faulthandler writes the stacks of a process, and of those it has forked."""
    return os.path.join(directory, f"{pid}.stack")


def timer_note(directory: str, pid: int) -> str:
    """A file whose presence says that a process has set an interval timer: the kernel does not tell."""
    return os.path.join(directory, f"{pid}.timer")


def busy_path(directory: str, pid: int) -> str:
    """A file of one byte, in the memory of an engine: whether it has a task."""
    return os.path.join(directory, f"{pid}.busy")


def is_busy(directory: str, pid: int) -> bool:
    """Whether an engine has a task; one that does not say may have."""
    try:
        with open(busy_path(directory, pid), "rb") as file:
            return file.read(1) != b"\0"
    except OSError:
        return True


def notes_directory(directory: str, pid: int) -> str:
    """Where all processes of a traced run note what orders them; the pid is its runner's."""
    return os.path.join(directory, f"notes-{pid}")
