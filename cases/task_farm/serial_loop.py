"""One task after the other: what the farms are measured against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import reference.task_farm
from pytest_parallel_lab import implementation
from reference.task_farm import Ended, Task


@implementation("serial")
def serial_loop(tasks: Sequence[Task], program: Path) -> list[Ended]:
    """Run the tasks in order."""
    return reference.task_farm.farm(tasks, program)
