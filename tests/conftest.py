"""What the tests share: pytest run on small projects, and a look at what outlives it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import psutil
import pytest

from pytest_parallel_lab import Lab
from tests.forked_pytest import Template

Run = Callable[..., pytest.RunResult]
LIMIT_S = 60


@pytest.fixture(autouse=True)
def _no_step_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small projects of our tests have no place in the summary of the job that runs them."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    """The process that pytest is forked from."""
    made = Template()
    yield made
    made.close()


@pytest.fixture(scope="session")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where matplotlib notes the fonts it has found: once, and not for every home directory anew."""
    return tmp_path_factory.mktemp("matplotlib")


@pytest.fixture
def run_pytest(pytester: pytest.Pytester, template: Template, fonts: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process of its own, warnings as errors, on the files that the test has made."""
    start = pytester.popen

    def fork(command: Sequence[str], *, stdout: TextIO, stderr: TextIO, **more: Any) -> Any:
        if template.fits(command):
            return template.fork(command, stdout.fileno(), stderr.fileno())
        return start(command, stdout=stdout, stderr=stderr, **more)

    monkeypatch.setattr(pytester, "popen", fork)
    monkeypatch.setenv("MPLCONFIGDIR", str(fonts))

    def run(*args: str) -> pytest.RunResult:
        return pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider", *args, timeout=LIMIT_S)

    return run


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab of its own, whose end is checked."""
    with checked_lab() as made:
        yield made


@contextlib.contextmanager
def checked_lab() -> Iterator[Lab]:
    """A lab whose end is checked: nothing outlives it."""
    before = shared_memory()
    with Lab() as made:
        yield made
        keeper = psutil.Process(made.keeper.pid)
        pids = [keeper.pid, *(p.pid for p in keeper.children(recursive=True))]
        directory = made.keeper.directory
    assert wait_until_gone(pids) == []
    assert not Path(directory).exists()
    assert left_in_shared_memory(before) == set()


def hide(pytester: pytest.Pytester, module: str) -> None:
    """Make a plugin, ``hides``, with which a module is not installed."""
    pytester.makepyfile(
        hides=f"""
        from importlib.machinery import PathFinder

        found = PathFinder.find_spec
        PathFinder.find_spec = lambda name, *args: None if name == {module!r} else found(name, *args)
        """
    )


def shared_memory() -> set[str]:
    """The names in /dev/shm."""
    return set(os.listdir("/dev/shm"))


def left_in_shared_memory(before: set[str], limit_s: float = 5.0) -> set[str]:
    """The names that are new in /dev/shm and that no living process has mapped, so not those of other runs."""
    deadline = time.monotonic() + limit_s
    while True:
        new = shared_memory() - before
        for maps in Path("/proc").glob("[0-9]*/maps") if new else ():
            with contextlib.suppress(OSError):
                text = maps.read_text()
                new -= {name for name in new if f"/dev/shm/{name}" in text}
        new &= shared_memory()
        if not new or time.monotonic() > deadline:
            return new
        time.sleep(0.1)


def wait_until_gone(pids: list[int], limit_s: float = 5.0) -> list[int]:
    """Wait until processes have ended; return those that have not at the limit. Zombies have."""
    deadline = time.monotonic() + limit_s
    while True:
        left = [pid for pid in pids if _lives(pid)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
