"""What a gate found, as rows of a table: one for each reading, the worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from pytest_parallel_lab.model.gate import (
    NOT_GATED,
    PASSED,
    REGRESSED,
    UNDECIDED,
    VERDICTS,
    WRONG,
    GatedTest,
    GateRun,
    Reading,
    told_loss,
    told_percent,
)
from pytest_parallel_lab.report.records import seconds

HEADER = ("verdict", "test", "of", "loss", "base", "now", "threshold")
_MEANS = {"time": "longer", "efficiency": "less efficient", "memory": "larger"}
_SHORT = {"efficiency": "eff."}
_BYTES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True)
class Row:
    """One reading of one test; or a test that has none that count.

    Attributes:
        test: whose.
        verdict: of the reading; of the test where there is none.
        reading: None where nothing was measured, or where the answers differ.
    """

    test: GatedTest
    verdict: str
    reading: Reading | None = None

    @property
    def what(self) -> str:
        """What was read, in short: ``time``, ``eff. 2w``."""
        one = self.reading
        if one is None:
            return ""
        metric = _SHORT.get(one.metric, one.metric) + (f" #{one.part}" if one.part > 1 else "")
        return metric if one.workers is None else f"{metric} {one.workers}w"

    @property
    def loss(self) -> str:
        """The loss with its interval; "-" where there is neither."""
        one = self.reading
        if one is None or one.loss is None:
            return "-" if one else ""
        return told_loss(one) if one.loss.has_interval else f"{told_percent(one.loss.value)} (no interval)"

    @property
    def base(self) -> str:
        """The baseline's median."""
        return told_median(self.reading, self.reading.base) if self.reading else ""

    @property
    def current(self) -> str:
        """The current version's median."""
        return told_median(self.reading, self.reading.current) if self.reading else ""

    @property
    def threshold(self) -> str:
        """The loss that fails the test."""
        return told_share(self.reading.threshold) if self.reading else ""

    @property
    def told_verdict(self) -> str:
        """The verdict; "better" for what passed and became better."""
        better = self.reading is not None and self.reading.improved
        return "better" if better and self.verdict == PASSED else self.verdict

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text; columns as HEADER."""
        return (
            self.told_verdict,
            self.test.nodeid,
            self.what,
            self.loss,
            self.base,
            self.current,
            self.threshold,
        )


def rows_of(run: GateRun) -> list[Row]:
    """All rows of a run: by verdict from the worst on, of each the largest losses first."""
    rows = [row for test in run.tests for row in _rows_of(test)]
    return sorted(rows, key=lambda row: (VERDICTS.index(row.verdict), -_loss(row)))


def told_median(reading: Reading, values: Sequence[float]) -> str:
    """The median of one version's values in a unit that suits it; "-" without values."""
    if not values:
        return "-"
    value = median(values)
    if reading.metric == "time":
        return seconds(value)
    if reading.metric == "efficiency":
        return f"{value:.3f}"
    factor, unit = next((pair for pair in _BYTES if value >= pair[0]), (1, "B"))
    return f"{value / factor:.{3 if value < 999.5 * factor else 4}g} {unit}"


def told_share(share: float) -> str:
    """A part of 1 in percent: 0.05 is 5 %."""
    return f"{100 * share:.3g} %"


def told_change(reading: Reading) -> str:
    """Which way a reading would be worse: longer, larger or less efficient."""
    return _MEANS[reading.metric]


def told_title(run: GateRun) -> str:
    """What was compared with what."""
    return f"{short_commit(run.current_commit) or 'this version'} against {told_base(run)}"


def told_base(run: GateRun) -> str:
    """The baseline as the user named it, with its commit where that says more."""
    commit = short_commit(run.base_commit)
    return f"{run.base} ({commit})" if commit and not run.base.startswith(commit) else run.base


def short_commit(commit: str) -> str:
    """The first 10 digits of a commit, with what follows its dash; versions stay as they are."""
    digits, dash, rest = commit.partition("-")
    is_commit = len(digits) == 40 and all(one in "0123456789abcdef" for one in digits)
    return digits[:10] + dash + rest if is_commit else commit


def told_counts(run: GateRun) -> str:
    """How many tests came out how: ``1 regressed, 2 undecided, 7 passed of 10 tests``."""
    counts = [f"{run.count(verdict)} {verdict}" for verdict in VERDICTS if run.count(verdict)]
    better = sum(test.improved for test in run.tests)
    gained = f" ({better} better)" if better else ""
    return f"{', '.join(counts) or 'nothing gated'} of {_count(len(run.tests), 'test')}{gained}"


def told_measuring(run: GateRun) -> str:
    """How much was measured: ``20 launches of each version in 1 min 2 s``."""
    return f"{_count(run.launches, 'launch', 'launches')} of each version in {seconds(run.elapsed_s)}"


def told_alarms(run: GateRun) -> str:
    """What is promised of false alarms."""
    return f"at most {told_share(run.false_alarms)} of the runs without any loss fail"


def told_load(run: GateRun) -> str:
    """The load of the machine while it was measured; empty where it was not noted."""
    if not run.loads:
        return ""
    low, high = min(run.loads), max(run.loads)
    return f"load average {low:.1f}" if f"{low:.1f}" == f"{high:.1f}" else f"load average {low:.1f} to {high:.1f}"


def needs_a_look(run: GateRun) -> list[GatedTest]:
    """The tests that did not pass, though they could be gated: the worst first, each once."""
    bad = (WRONG, REGRESSED, UNDECIDED)
    return list({row.test.nodeid: row.test for row in rows_of(run) if row.test.verdict in bad}.values())


def _rows_of(test: GatedTest) -> list[Row]:
    if test.wrong:  # how long a wrong answer took says nothing
        return [Row(test, WRONG)]
    return [Row(test, one.verdict, one) for one in test.readings] or [Row(test, NOT_GATED)]


def _loss(row: Row) -> float:
    return row.reading.loss.value if row.reading and row.reading.loss else 0.0


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"
