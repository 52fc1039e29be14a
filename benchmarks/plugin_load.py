"""What loading the plugin costs a run of plain pytest: whole runs with and without it, in turn.

python benchmarks/plugin_load.py [runs]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAIN = ["-p", "no:parallel_lab"]


def run_s(directory: str, *options: str) -> float:
    """Seconds of one pytest run over one empty test."""
    started_s = time.perf_counter()
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}  # as users have it
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, directory]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=directory, env=environ)
    return time.perf_counter() - started_s


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "test_nothing.py").write_text("def test_nothing(): pass\n")
        run_s(directory)
        differences_s = []
        plain_s = []
        for i in range(runs):
            order = [[], PLAIN] if i % 2 else [PLAIN, []]
            times = [run_s(directory, *options) for options in order]
            with_s, without_s = times if i % 2 else reversed(times)
            differences_s.append(with_s - without_s)
            plain_s.append(without_s)
    print(
        f"plain pytest {statistics.median(plain_s) * 1e3:.0f} ms; with the plugin "
        f"{statistics.median(differences_s) * 1e3:+.1f} ms (median of {runs} pairs)"
    )


if __name__ == "__main__":
    main()
