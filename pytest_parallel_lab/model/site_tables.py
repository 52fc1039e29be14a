"""The tables of sites in a project's pyproject.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting


def read_tables(path: Path) -> Mapping[str, Any]:
    """Read ``[tool.parallel_lab.sites]``: settings by the name of their site.

    Raises:
        BadSetting: the file is not TOML, or something else is there.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: cannot be read: {error}") from error
    here: Any = content
    for key in ("tool", "parallel_lab", "sites"):
        here = here.get(key, {})
        if not isinstance(here, Mapping):
            raise BadSetting(f"{path}: {key!r} of [tool.parallel_lab.sites] is {here!r} and not a table")
    tables: Mapping[str, Any] = here
    return tables
