"""The program whose instructions are counted: it calls a kernel as often as it is told."""

from __future__ import annotations

from pytest_parallel_lab.model.errors import BadSetting

REFUSED = 3
"""Exit status of a watched run that went on outside of its thread."""
WATCHED = "watched"

# Threads and processes are watched in a run that is not counted. Audit events tell of most processes, and what
# has ended or is there afterwards of those that C code has started; new threads come by threading's own hook.
_PROGRAM = """
import sys
def _refuse(what):
    import os
    sys.stderr.write("it starts " + what + ", so it is no serial kernel")
    sys.stderr.flush()
    os._exit({refused})
def _watch():
    import resource, threading
    starting = ("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen")
    sys.addaudithook(lambda event, arguments: _refuse("a process (" + event + ")") if event in starting else None)
    threading.setprofile(lambda *event: _refuse("a thread"))
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    def look():
        import glob
        running = any(open(one).read() for one in glob.glob("/proc/self/task/*/children"))
        if running or resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt > ended:
            _refuse("a process")
    return look
def _kernel(_calls, _watched):
{setup}
    _look = _watch() if _watched else None
    for _ in range(_calls):
{statement}
    if _look is not None:
        _look()
_kernel(int(sys.argv[1]), sys.argv[2:] == ["{watched}"])
"""


def program_of(statement: str, setup: str) -> str:
    """Write the program.

    Args:
        statement: calls the kernel.
        setup: comes once before.

    Raises:
        BadSetting: one of them is no Python.
    """
    for name, source in (("statement", statement), ("setup", setup)):
        try:
            compile(f"def f():\n{_indented(source, 1)}", name, "exec")
        except SyntaxError as error:
            raise BadSetting(f"{name}: {source!r} is no Python: {error.msg}") from error
    parts = {"setup": _indented(setup, 1), "statement": _indented(statement, 2)}
    return _PROGRAM.format(refused=REFUSED, watched=WATCHED, **parts)


def _indented(source: str, levels: int) -> str:
    lines = source.strip("\n").splitlines() or ["pass"]
    return "\n".join("    " * levels + line for line in lines)
