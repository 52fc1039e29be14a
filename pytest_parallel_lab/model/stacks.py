"""Reading the stacks that faulthandler writes."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

from pytest_parallel_lab.model.told import Site

_PACKAGE = str(Path(__file__).resolve().parents[1])
_STDLIB = sysconfig.get_paths()["stdlib"]
_FRAME = re.compile(r'  File "(?P<path>.*)", line (?P<line>\d+) in (?P<function>.*)')


def users_part(text: str) -> str:
    """Keep what tells the user something: no frames of ours, no idle helper threads.

    Args:
        text: as ``faulthandler`` writes it, most recent call first, threads apart by a blank line.
    """
    kept = []
    for thread in text.strip().split("\n\n"):
        lines = thread.splitlines()
        frames: list[str] = []
        for line in lines[1:]:
            found = _FRAME.match(line)
            if found and found["path"].startswith(_PACKAGE):
                if frames:
                    break  # what is below is how we came to call the user's code
                continue  # what is above is what we do on the user's behalf
            frames.append(line)
        if frames and (lines[0].startswith("Current") or any(_is_users(line) for line in frames)):
            kept.append("\n".join([lines[0], *frames]))
    return "\n\n".join(kept)


def first_site(text: str) -> Site | None:
    """The innermost place of a stack that ``users_part`` has left of what faulthandler wrote."""
    found = next((found for line in text.splitlines() if (found := _FRAME.match(line)) and _is_users(line)), None)
    return Site(found["path"], int(found["line"]), found["function"]) if found else None


def _is_users(line: str) -> bool:
    found = _FRAME.match(line)
    if not found:
        return False
    path = found["path"]
    return not path.startswith(("<", _STDLIB)) and "site-packages" not in path
