"""What a baseline runs in: all packages that are here, and before them the project in another version."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pytest_parallel_lab.model.errors import StartFailed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_INSTALL_LIMIT_S = 600
_SHOWN = 3000  # characters of what pip said


def installed_project(directory: Path) -> str | None:
    """The name of a directory's project, if some version of it is installed here."""
    name = _name(directory)
    if name is None:
        return None
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return name


def _name(directory: Path) -> str | None:
    """The name that a project's files give it; None where there are none."""
    path = directory / "pyproject.toml"
    if path.exists():
        try:
            name = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {}).get("name")
        except tomllib.TOMLDecodeError as error:
            raise StartFailed(f"{path} is no TOML: {error}") from error
        if name:
            return str(name)
    for file in ("setup.cfg", "setup.py"):
        path = directory / file
        found = re.search(r"\bname\s*=\s*[\"']?([\w.-]+)", path.read_text(encoding="utf-8")) if path.exists() else None
        if found:
            return found[1]
    return None


def install(project: str, place: Path) -> None:
    """Install a version of a project into a directory of its own, to be put before all other packages.

    No virtual environment: what finds its files by the interpreter's prefix, as MPI from the package index does,
    has to find them. What the project needs is not installed, so that both versions use the same.

    Args:
        project: a directory, or a requirement.
        place: where; what is there is replaced.

    Raises:
        StartFailed: pip failed, or is missing; the text has the end of what it said.
    """
    shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        done = subprocess.run(
            [*command, "--target", str(place), project], capture_output=True, text=True, timeout=_INSTALL_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartFailed(f"the baseline {project} was not installed: {error}") from error
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-_SHOWN:]
        raise StartFailed(f"the baseline {project} was not installed; pip said:\n{said}")
