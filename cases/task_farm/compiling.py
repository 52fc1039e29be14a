"""The farm's program, compiled from C by the system's compiler."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("mmul.c")
COMPILERS = ("cc", "gcc", "clang")


def find_compiler() -> str | None:
    """The first C compiler on the PATH; None where there is none."""
    return next(filter(None, map(shutil.which, COMPILERS)), None)


def compile_mmul(compiler: str, folder: Path) -> Path:
    """Compile the program into a folder and return its path.

    Raises:
        subprocess.CalledProcessError: the compiler does not take the source; it says why on its own stderr.
    """
    program = folder / "mmul"
    subprocess.run([compiler, "-std=c99", "-O2", "-Wall", "-Wextra", "-o", program, SOURCE], check=True)
    return program
