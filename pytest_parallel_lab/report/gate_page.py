"""A gate as the HTML report shows it: its table, its plot and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_parallel_lab.model.gate import NOT_GATED, PASSED, REGRESSED, UNDECIDED, WRONG, GateRun
from pytest_parallel_lab.report.gate_layout import Forest, lay_out, shape
from pytest_parallel_lab.report.gate_rows import (
    HEADER,
    Row,
    rows_of,
    told_alarms,
    told_counts,
    told_load,
    told_measuring,
    told_title,
)
from pytest_parallel_lab.report.session_facts import told

CLASSES = {WRONG: "failed", REGRESSED: "failed", UNDECIDED: "undecided", NOT_GATED: "skipped", PASSED: "passed"}
"""How verdicts look: as the outcomes that they lead to."""


@dataclass(frozen=True)
class GatePage:
    """What the page's part is made of.

    Attributes:
        run: the gate.
        told: what came of it, in a line.
        how: how it was carried out, in a line.
        measured: seed and machine.
        rows: of the table.
        header: of its columns.
        classes: of verdicts.
        forest: the plot.
        key: verdicts that are drawn, with their marks.
    """

    run: GateRun
    told: str
    how: str
    measured: str
    rows: Sequence[Row]
    header: Sequence[str]
    classes: dict[str, str]
    forest: Forest
    key: Sequence[tuple[str, str]]


def gate_page(run: GateRun) -> GatePage:
    """Prepare a gate for the page."""
    rows = rows_of(run)
    forest = lay_out(rows)
    drawn = [verdict for verdict in CLASSES if any(lane.verdict == verdict for lane in forest.lanes)]
    how = "; ".join(filter(None, (told_measuring(run), told_load(run), told_alarms(run))))
    measured = "; ".join([f"seed {run.seed}", *(f"{what}: {value}" for what, value in told(dict(run.machine)))])
    return GatePage(
        run,
        f"{told_title(run)}: {told_counts(run)}",
        f"{how}. Medians; in brackets the loss's interval. Of efficiency, the loss is by what factor it was higher.",
        measured,
        rows,
        HEADER,
        CLASSES,
        forest,
        [(verdict, shape(verdict, 0, 0)) for verdict in drawn],
    )
