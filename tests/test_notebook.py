"""The demonstration notebook runs from top to bottom, as committed, and leaves nothing running."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import wait_until_gone

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "parallel_lab.ipynb"


def processes_with(variable: str, value: str) -> list[int]:
    """The processes, but this one, that have inherited a variable of the environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(variable) == value:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def execute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], Any]]:
    """Execute a notebook; at the end, its kernel, controller and engines have gone."""
    for package in ("ipyparallel", "matplotlib", "nbclient"):
        pytest.importorskip(package)
    from nbclient import NotebookClient

    home = str(tmp_path / "ipython")
    profile = tmp_path / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    # An engine is registered at its second beat: every 3 s by default. Ten seconds of silence still pass for life.
    (profile / "ipcontroller_config.py").write_text(
        "c.HeartMonitor.period = 100\nc.HeartMonitor.max_heartmonitor_misses = 100\n"
    )
    monkeypatch.setenv("IPYTHONDIR", home)  # all processes inherit it
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    yield lambda notebook: NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    ).execute()
    left = wait_until_gone(processes_with("IPYTHONDIR", home))
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


def test_the_notebook_is_committed_without_outputs() -> None:
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_notebook_runs(execute: Callable[[Any], Any]) -> None:
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    execute(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    assert "from engine 0: ZeroDivisionError" in printed
    assert printed.endswith("all engines have gone\n")
