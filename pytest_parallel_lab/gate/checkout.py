"""The two versions to compare, and how a baseline becomes one that can be run."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_parallel_lab.gate.environment import install, installed_project
from pytest_parallel_lab.model.errors import BadSetting, StartFailed

_KEPT = 4  # baselines in the cache
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w,.-]*\])?==[\w.!+*-]+")
_GIT_LIMIT_S = 120
_COMPLETE = "complete"
"""A file beside what was made: without it, somebody was interrupted in making it."""

Show = Callable[[str], None]


@dataclass(frozen=True)
class Checkout:
    """One of the two versions.

    Attributes:
        root: the directory with the tests, pytest's rootdir.
        commit: its commit or version; empty where it has none.
        packages: a directory whose packages go before all others; None where those that are installed are meant.
        is_version: the tests are those of the current version, the packages another one's.
    """

    root: Path
    commit: str = ""
    packages: Path | None = None
    is_version: bool = False

    def hidden_by(self, modules: Mapping[str, str]) -> str:
        """Which packages of an installed version the tests have from elsewhere; or nothing.

        Args:
            modules: the files that the tests have imported, by name.
        """
        if self.packages is None or not self.is_version:
            return ""
        own = {one.stem for one in self.packages.iterdir()} & set(modules)
        return ", ".join(sorted(name for name in own if not Path(modules[name]).is_relative_to(self.packages)))


def current_checkout(root: Path) -> Checkout:
    """The version that is being worked on, with what is installed."""
    commit = ""
    with contextlib.suppress(StartFailed):
        commit = _git(root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    return Checkout(root, commit)


def prepare_baseline(base: str, root: Path, cache: Path, show: Show) -> Checkout:
    """Make a baseline ready to run.

    Nothing differs but the project itself, which is installed anew where it is installed here.

    Args:
        base: the path of another checkout, ``NAME==VERSION``, or a git ref.
        root: pytest's rootdir, in the current checkout.
        cache: a directory for worktrees and environments, which are kept by commit.
        show: told what is being done.

    Raises:
        BadSetting: there is no such baseline; the text says what it was taken for.
        StartFailed: it could not be built; the text has the output of the tool that failed.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if _REQUIREMENT.fullmatch(base):
            return _version(base, root, cache, show)
        other = Path(base).expanduser()
        if other.is_dir():
            return _directory(other.resolve(), root, cache, show)
        return _commit(base, root, cache, show)


def _version(requirement: str, root: Path, cache: Path, show: Show) -> Checkout:
    """The tests as they are here, on another version of an installed package."""
    packages = _installed(cache / requirement.replace("==", "-"), requirement, show)
    return Checkout(root, requirement, packages, is_version=True)


def _directory(other: Path, root: Path, cache: Path, show: Show) -> Checkout:
    """Another checkout as it is now: installed each time, as it may have changed."""
    if other == root.resolve():
        raise BadSetting(f"--parallel-gate={other}: is the current checkout; give another one, or a git ref")
    place = cache / f"checkout-{hashlib.sha256(str(other).encode()).hexdigest()[:12]}"
    shutil.rmtree(place, ignore_errors=True)
    return Checkout(other, current_checkout(other).commit, _installed(place, _project(other), show))


def _commit(ref: str, root: Path, cache: Path, show: Show) -> Checkout:
    top = _top(root, ref)
    commit = _resolved(ref, top)
    place = cache / commit
    worktree = place / "worktree"
    if not (place / _COMPLETE).exists():
        show(f"baseline: checking out {ref} ({commit[:12]})")
        shutil.rmtree(place, ignore_errors=True)
        _git(top, "worktree", "prune")
        _git(top, "worktree", "add", "--detach", "--force", str(worktree), commit)
        (place / _COMPLETE).touch()
    tests = worktree / root.resolve().relative_to(top)
    if not tests.is_dir():
        raise BadSetting(f"--parallel-gate={ref}: {commit[:12]} has no directory {root.resolve().relative_to(top)}")
    packages = _installed(place, _project(tests), show)
    os.utime(place)
    _forget_old(cache, top)
    return Checkout(tests, commit[:12], packages)


def _installed(place: Path, project: str | None, show: Show) -> Path | None:
    """The packages of a place in the cache, installed at the first time; None where there is nothing to install."""
    if project is None:
        return None
    # What was built for one Python is none for another.
    packages = place / f"packages-{sys.implementation.cache_tag}"
    complete = packages.with_suffix(f".{_COMPLETE}")
    if not complete.exists():
        place.mkdir(parents=True, exist_ok=True)
        show(f"baseline: installing {project}")
        install(project, packages)
        complete.touch()
    return packages


def _project(directory: Path) -> str | None:
    """What is to be installed of a checkout: itself, if its project is installed here as well."""
    return str(directory) if installed_project(directory) else None


def _top(root: Path, ref: str) -> Path:
    try:
        return Path(_git(root, "rev-parse", "--show-toplevel")).resolve()
    except StartFailed as error:
        told = "is no directory and no NAME==VERSION, and as a git ref it needs a git repository"
        raise BadSetting(f"--parallel-gate={ref}: {told}: {error}") from error


def _resolved(ref: str, top: Path) -> str:
    try:
        return _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except StartFailed as error:
        shallow = _git(top, "rev-parse", "--is-shallow-repository") == "true"
        hint = "this clone is shallow: fetch it, in CI with fetch-depth: 0" if shallow else "see git branch --all"
        told = f"is no directory, no NAME==VERSION, and no git ref of {top}; {hint}"
        raise BadSetting(f"--parallel-gate={ref}: {told}") from error


def _forget_old(cache: Path, top: Path) -> None:
    places = sorted((one for one in cache.iterdir() if (one / "worktree").is_dir()), key=os.path.getmtime)
    for place in places[:-_KEPT]:
        _git(top, "worktree", "remove", "--force", str(place / "worktree"))
        shutil.rmtree(place, ignore_errors=True)


def _git(directory: Path, *words: str) -> str:
    """What git prints.

    Raises:
        StartFailed: it is missing or failed; the text is what it said.
    """
    try:
        done = subprocess.run(["git", *words], cwd=directory, capture_output=True, text=True, timeout=_GIT_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartFailed(f"git {words[0]} in {directory}: {error}") from error
    if done.returncode:
        raise StartFailed(f"git {words[0]} in {directory}: {done.stderr.strip() or 'failed'}")
    return done.stdout.strip()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Have one session at a time build in a cache."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
