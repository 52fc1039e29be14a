"""Tables in Markdown, and texts that it shows as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_ESCAPED = re.compile(r"([\\`*_\[\]<>#|~&@])")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield _row(header)
    yield "|" + "---|" * len(header)
    for row in rows:
        yield _row(row)


def escape(text: str) -> str:
    """Text that Markdown shows as it is, in one line."""
    return _ESCAPED.sub(r"\\\1", " ".join(text.split()))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape(str(cell)) for cell in cells) + " |"
