"""The overview of a session: verdicts by problem, backend and worker count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pytest_parallel_lab.model.settings import BUILTIN_BACKENDS
from pytest_parallel_lab.report.records import OUTCOMES, Record, worst

SYMBOLS = {
    "failed": "✗",
    "error": "!",
    "xpassed": "⁈",
    "undecided": "?",
    "passed": "✓",
    "xfailed": "~",
    "skipped": "○",
}
_GROUP_OF_NOTHING = "other"


@dataclass
class Cell:
    """All tests of one problem on one backend with one worker count.

    Attributes:
        problem: what they compute.
        backend: "" where they have none.
        workers: None where they do not say.
        outcomes: how many had each.
        verdicts: of those that failed, such as Deadlock.
    """

    problem: str
    backend: str
    workers: int | None
    outcomes: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def worst(self) -> str:
        """The outcome that most needs a look."""
        return worst(self.outcomes)

    @property
    def symbol(self) -> str:
        """The worst outcome, for those who do not see colours."""
        return SYMBOLS[self.worst]

    @property
    def number(self) -> str:
        """How many tests had the worst outcome, and of how many where some had another: ``1/12``."""
        these, all_ = self.outcomes[self.worst], sum(self.outcomes.values())
        return f"{these}" if these == all_ else f"{these}/{all_}"

    @property
    def label(self) -> str:
        """The whole cell in words."""
        where = ", ".join(part for part in (self.problem, self.backend, self.count) if part)
        told = ", ".join(f"{self.outcomes[outcome]} {outcome}" for outcome in OUTCOMES if self.outcomes[outcome])
        why = f" ({', '.join(self.verdicts)})" if self.verdicts else ""
        return f"{where}: {told}{why}"

    @property
    def count(self) -> str:
        """The worker count in words."""
        if self.workers is None:
            return ""
        return f"{self.workers} worker{'s' if self.workers != 1 else ''}"


@dataclass
class Row:
    """One problem.

    Attributes:
        problem: its name.
        cells: by backend, in the order of worker counts.
        tests: how many there are.
    """

    problem: str
    cells: dict[str, list[Cell]]
    tests: int = 0


@dataclass
class Overview:
    """The grid: one row for each problem, one column for each backend ("" for tests without one, last)."""

    backends: Sequence[str]
    rows: Sequence[Row]


def overview(records: Iterable[Record]) -> Overview:
    """Put the verdicts of all tests into the grid; problems in the order in which they came."""
    cells: dict[str, dict[tuple[str, int | None], Cell]] = {}
    tests: Counter[str] = Counter()
    for record in records:
        problem = record.problem or _GROUP_OF_NOTHING
        tests[problem] += 1
        for backend, workers in record.places():
            known = cells.setdefault(problem, {})
            cell = known.setdefault((backend, workers), Cell(problem, backend, workers))
            cell.outcomes[record.outcome] += 1
            if record.bad:
                cell.verdicts[record.verdict] += 1
    found = {backend for known in cells.values() for backend, _ in known}
    backends = sorted(found, key=_place)
    rows = []
    for problem, known in cells.items():
        ordered = sorted(known.values(), key=lambda cell: cell.workers or 0)
        by_backend = {backend: [cell for cell in ordered if cell.backend == backend] for backend in backends}
        rows.append(Row(problem, by_backend, tests[problem]))
    return Overview(backends, rows)


def _place(backend: str) -> tuple[int, str]:
    """Ours in our order, then others by name, then those without."""
    if backend in BUILTIN_BACKENDS:
        return BUILTIN_BACKENDS.index(backend), backend
    return len(BUILTIN_BACKENDS) + (not backend), backend
