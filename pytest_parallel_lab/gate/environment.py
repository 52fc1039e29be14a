"""An environment for a baseline: all packages of this one, and the project in another version before them."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import site
import subprocess
import sys
import venv
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


def make_environment(place: Path, project: str | None, *, with_dependencies: bool = False) -> None:
    """Make a virtual environment on top of this one.

    Args:
        place: where; what is there is replaced.
        project: what pip is to install into it: a directory or a requirement; None for nothing.
        with_dependencies: have pip install what that needs and this environment lacks.

    Raises:
        StartFailed: pip failed, or is missing; the text has the end of what it said.
    """
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, symlinks=True)
    _put_below(place)
    if project is None:
        return
    command = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "--quiet"]
    command += ["--disable-pip-version-check", *([] if with_dependencies else ["--no-deps"]), project]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StartFailed(f"the baseline {project} was not installed: {error}") from error
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-_SHOWN:]
        raise StartFailed(f"the baseline {project} was not installed; pip said:\n{said}")


def _put_below(place: Path) -> None:
    """Have an environment find this one's packages after its own, editable installs among them."""
    (own,) = (place / "lib").glob("python*/site-packages")
    below = [one for one in (*site.getsitepackages(), site.getusersitepackages()) if one in sys.path]
    # Sorted after the .pth files of what is installed there, so that these go first.
    (own / "zz_below.pth").write_text("".join(f"import site; site.addsitedir({one!r})\n" for one in below))
