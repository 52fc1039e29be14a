"""Writes what was asked for: the HTML report, plots, the step summary, and what a gate found."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from pytest_parallel_lab.model.gate import GateRun, to_json
from pytest_parallel_lab.report.records import Session

_MOST_SUMMARY = 500_000
"""GitHub refuses a step's summary of more than 1 MiB."""


def report(session: Session, path: Path) -> str:
    """Write the HTML report.

    Raises:
        OSError: the file cannot be written.
    """
    from pytest_parallel_lab.report.html import render

    whole(render(session), path)
    return path.as_uri()


def whole(text: str, path: Path) -> None:
    """Write a file; one that was there before stays until the new one is complete.

    Raises:
        OSError: the file cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def gate_json(run: GateRun, path: Path) -> str:
    """Write what a gate found as JSON, in the format of ``docs/gate.schema.json``.

    Raises:
        OSError: the file cannot be written.
    """
    whole(json.dumps(to_json(run), indent=1, allow_nan=False) + "\n", path)
    return str(path)


def gate_markdown(run: GateRun, path: Path) -> str:
    """Write what a gate found as a comment for a pull request.

    Raises:
        OSError: the file cannot be written.
    """
    from pytest_parallel_lab.report.gate_markdown import comment

    whole(comment(run), path)
    return str(path)


def plots(session: Session, directory: Path) -> str:
    """Draw all scaling curves.

    Raises:
        OSError: a file cannot be written.
    """
    from pytest_parallel_lab.report.curves import panels

    written: list[Path] = []
    for number, panel in enumerate(panels(session.attached("curve")), 1):
        from pytest_parallel_lab.report.plots import save_figures

        stem = re.sub(r"[^\w.]+", "-", panel.title).strip("-")[:100]
        taken = {path.stem for path in written}
        written += save_figures(panel, directory, f"{stem}-{number}" if stem in taken else stem)
    return f"{len(written)} files in {directory}" if written else "no scaling curves to draw"


def summary(session: Session, path: Path) -> str:
    """Append the summary in Markdown.

    Raises:
        OSError: the file cannot be written.
    """
    from pytest_parallel_lab.report.markdown import render

    text = render(session)
    if len(text.encode()) > _MOST_SUMMARY:
        text = text.encode()[:_MOST_SUMMARY].decode(errors="ignore") + "\n\n… the rest is left out\n"
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return str(path)
