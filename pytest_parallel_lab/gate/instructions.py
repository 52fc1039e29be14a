"""Instructions that a serial kernel executes: the same number each time, however busy the machine is.

Only what one process does by itself can be counted so. How long workers wait for each other is not seen, nor
is anything that takes time without instructions, such as memory that is far away.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_parallel_lab.gate.counted_program import REFUSED, WATCHED, program_of
from pytest_parallel_lab.keeper.blas import ENVIRONMENT
from pytest_parallel_lab.model.errors import BadSetting, ParallelError

VALGRIND, PERF = "valgrind", "perf"
TOOLS = (VALGRIND, PERF)
CALLS = 3
"""So many calls go before those that are counted: caches of the interpreter are filled by then."""
_LIMIT_S = 600.0
_LOOK_LIMIT_S = 20.0
_SHOWN = 2000  # characters of what a command that failed has printed
_EVENT = "instructions:u"  # the kernel's own are not the code's

Command = Callable[[int], Sequence[str]]
"""The command line that calls a kernel so many times."""


class NotCounted(ParallelError):
    """Instructions could not be counted; the text says why, and what to do."""


@dataclass(frozen=True)
class Instructions:
    """What was counted.

    Attributes:
        tool: that has counted.
        counts: of one call, each from two processes of their own.
    """

    tool: str
    counts: tuple[float, ...]

    @property
    def count(self) -> float:
        """The least of them: what disturbs adds instructions."""
        return min(self.counts)

    @property
    def spread(self) -> float:
        """By how much they differ, over the count: 0 where each time is like the other."""
        return (max(self.counts) - self.count) / self.count


def available_tools() -> dict[str, str]:
    """Tell which tools can count here: by name why not, "" for one that can."""
    return {VALGRIND: _why_no_valgrind(), PERF: _why_no_perf()}


def check_tool(tool: str) -> None:
    """Make sure that a tool can count here.

    Raises:
        BadSetting: there is no such tool.
        NotCounted: it is missing or refused; the text names what is there in its place.
    """
    if tool not in TOOLS:
        raise BadSetting(f"{tool!r} counts no instructions; choose one of {', '.join(TOOLS)}")
    found = available_tools()
    if found[tool]:
        other = next((f"; {name} can count here" for name in TOOLS if not found[name]), "")
        raise NotCounted(f"instructions cannot be counted with {tool}: {found[tool]}{other}")


def count_statement(
    python: str,
    statement: str,
    setup: str = "",
    *,
    directory: str | os.PathLike[str] = ".",
    tool: str = VALGRIND,
    repeats: int = 2,
    limit_s: float = _LIMIT_S,
) -> Instructions:
    """Count what one execution of a statement takes, as ``timeit`` takes them.

    Args:
        python: the interpreter, of whichever version of the code is to be counted.
        statement: calls the kernel; one line or several.
        setup: comes once before, such as imports; it is not counted.
        directory: where it runs, first on the module path.
        tool: one of ``TOOLS``.
        repeats: how often it is counted.
        limit_s: for one process.

    Raises:
        BadSetting: there is no such tool, or the statement is no Python.
        NotCounted: the tool is missing, the statement raises, starts threads or processes, or takes too long.
    """
    program = program_of(statement, setup)

    def command(calls: int) -> Sequence[str]:
        return [python, "-c", program, str(calls)]

    check_tool(tool)
    # A run that is not counted leaves the compiled modules behind, and says at once what is wrong.
    _run([*command(1), WATCHED], directory, limit_s, "")
    return count_command(command, directory=directory, tool=tool, repeats=repeats, limit_s=limit_s)


def count_command(
    command: Command,
    *,
    directory: str | os.PathLike[str] = ".",
    tool: str = VALGRIND,
    repeats: int = 2,
    limit_s: float = _LIMIT_S,
) -> Instructions:
    """Count what one call in a program takes: the difference between running it with more calls and with fewer.

    All that comes once, as the interpreter's start and imports, is in both and drops out.

    Args:
        command: the command line for a number of calls.
        directory: where it runs.
        tool: one of ``TOOLS``.
        repeats: how often it is counted.
        limit_s: for one process.

    Raises:
        BadSetting: there is no such tool, or nothing to repeat.
        NotCounted: the tool is missing, or the program fails or takes too long.
    """
    if repeats < 1:
        raise BadSetting(f"repeats={repeats!r}: count at least once")
    check_tool(tool)
    counts = []
    for _ in range(repeats):
        few, many = (_counted(command(calls), directory, tool, limit_s) for calls in (CALLS, 2 * CALLS))
        if many <= few:
            told = f"{2 * CALLS} calls took {many} instructions and {CALLS} took {few}"
            raise NotCounted(f"{told}: the program does not call its kernel as often as it is told, or it does nothing")
        counts.append((many - few) / CALLS)
    return Instructions(tool, tuple(counts))


def _counted(command: Sequence[str], directory: str | os.PathLike[str], tool: str, limit_s: float) -> int:
    with tempfile.TemporaryDirectory(prefix="instructions-") as place:
        out = Path(place, "counts")
        if tool == VALGRIND:
            words = [VALGRIND, "--tool=callgrind", f"--callgrind-out-file={out}", "--quiet", *command]
        else:
            words = [PERF, "stat", "-x", ";", "-e", _EVENT, "-o", str(out), "--", *command]
        _run(words, directory, limit_s, f" under {tool}")
        text = out.read_text(errors="replace") if out.exists() else ""
    count = _callgrind_total(text) if tool == VALGRIND else _perf_count(text)
    if count is None:
        told = text[-_SHOWN:].strip() or "nothing"
        raise NotCounted(f"{tool} ended well, and has told no number of instructions but: {told}")
    return count


def _callgrind_total(text: str) -> int | None:
    """The sum of all that callgrind has written: one part for each thread or dump."""
    totals = [line.split()[1] for line in text.splitlines() if line.startswith(("totals:", "summary:"))]
    return int(totals[-1]) if totals and totals[-1].isdigit() else None


def _perf_count(text: str) -> int | None:
    """The number in ``perf stat -x ';'``: in the first field of its line."""
    fields = [line.split(";") for line in text.splitlines() if _EVENT.partition(":")[0] in line]
    return int(fields[0][0]) if fields and fields[0][0].isdigit() else None


def _run(words: Sequence[str], directory: str | os.PathLike[str], limit_s: float, how: str) -> None:
    """Run a command to its end, alone with its children in a process group."""
    try:
        process = subprocess.Popen(
            words,
            cwd=directory,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise NotCounted(f"{words[0]} cannot be started in {directory}: {error.strerror}") from error
    try:
        said, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise NotCounted(f"the kernel was not done after {limit_s:g} s{how}; count a smaller one") from None
    finally:
        _end(process)
    if process.returncode == REFUSED:
        raise NotCounted(f"{said.strip()[-_SHOWN:]}; count what one worker does, in a function of its own")
    if process.returncode != 0:
        shown = said.strip()[-_SHOWN:]
        raise NotCounted(f"the kernel ended with exit status {process.returncode}{how}:\n{shown}")


def _end(process: subprocess.Popen[str]) -> None:
    """End it with all that it has started, whatever has become of it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """The variables that make one process execute what another does."""
    return {**given, **ENVIRONMENT, "PYTHONHASHSEED": "0"}


def _why_no_valgrind() -> str:
    if shutil.which(VALGRIND) is None:
        return "there is no valgrind on PATH; install it, as with apt-get install valgrind"
    try:
        done = subprocess.run(
            [VALGRIND, "--tool=callgrind", "--callgrind-out-file=/dev/null", "--quiet", "true"],
            capture_output=True,
            text=True,
            timeout=_LOOK_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not run here: {error}"
    return "" if done.returncode == 0 else f"it does not run here: {done.stderr.strip()[-_SHOWN:]}"


def _why_no_perf() -> str:
    if sys.platform != "linux":
        return "perf is a tool of Linux"
    if shutil.which(PERF) is None:
        return "there is no perf on PATH; install it, as with apt-get install linux-perf"
    try:
        done = subprocess.run(
            [PERF, "stat", "-x", ";", "-e", _EVENT, "--", "true"],
            capture_output=True,
            text=True,
            timeout=_LOOK_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not run here: {error}"
    if _perf_count(done.stderr) is not None:
        return ""
    if "<not supported>" in done.stderr:
        return "this machine has no counter of instructions for it, as many virtual ones"
    if "perf_event_paranoid" in done.stderr:
        return "the kernel refuses it: set kernel.perf_event_paranoid to 2 or less"
    return f"it does not count here: {(done.stderr or done.stdout).strip()[-_SHOWN:]}"
