"""What a comparison with history says: of a test, and the table at the end of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from pytest_parallel_lab.model.gate import NOT_GATED, REGRESSED, UNDECIDED, VERDICTS, told_percent
from pytest_parallel_lab.model.history import Judged
from pytest_parallel_lab.model.saved_runs import counted
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report.columns import Column, Look, lay_out, paragraph
from pytest_parallel_lab.report.records import seconds

HEADER = ("benchmark", "verdict", "loss", "before", "now", "p")


def explain(judged: Sequence[Judged], level: float) -> str:
    """What came of one test, its figures, and the next thing to do.

    Args:
        judged: its benchmarks, one at least.
        level: how often at most this test may fail without a loss.
    """
    verdict = worst(judged)
    lines = [f"{verdict} against history: " + "; ".join(_headline(one) for one in judged if one.verdict == verdict)]
    for one in judged:
        lines += [f"  {note}" for note in (*_evidence(one), *told_notes(one))]
    return "\n".join([*lines, *_next(judged, verdict, level)])


def worst(judged: Sequence[Judged]) -> str:
    """The worst verdict of several benchmarks; what is not gated counts where nothing else was judged only."""
    found = {one.verdict for one in judged}
    return min(found - {NOT_GATED} or found, key=VERDICTS.index)


def properties(nodeid: str, judged: Sequence[Judged]) -> list[tuple[str, str]]:
    """The figures of a test for JUnit: ``history_loss`` is 1.08 for 8 % more, of a point ``history_2w_loss``."""
    found = [("history", worst(judged))]
    for one in judged:
        label = one.fullname.removeprefix(nodeid).strip("[]")
        name = f"history_{label}" if label else "history"
        figures = {"now": one.now_s[0]} if one.now_s else {}
        if one.loss is not None:
            figures |= {"before": median(one.stretch_s), "runs": len(one.stretch_s)}
            figures |= {"loss": one.loss.value, "p": one.p_value}
            if one.loss.has_interval:
                figures |= {"low": one.loss.low, "high": one.loss.high, "confidence": one.loss.confidence}
        if label:
            found.append((name, one.verdict))
        found += [(f"{name}_{what}", f"{value:.6g}") for what, value in figures.items()]
    return found


def rows(judged: Sequence[Judged]) -> list[tuple[str, ...]]:
    """Cells as in ``HEADER``."""
    return [
        (
            one.fullname.partition("::")[2] or one.fullname,
            one.verdict,
            told_loss(one.loss),
            seconds(median(one.stretch_s)) if one.stretch_s else "-",
            seconds(median(one.now_s)) if one.now_s else "-",
            f"{one.p_value:.2g}" if one.loss else "-",
        )
        for one in judged
    ]


def history_lines(judged: Sequence[Judged], about: str, look: Look) -> list[str]:
    """All of a comparison with history.

    Args:
        judged: of all tests.
        about: which runs it was compared with, and how.
        look: of the terminal.
    """
    cells = list(zip(*rows(judged)))
    key, *columns = (Column(head, cells[i], left=i < 2) for i, head in enumerate(HEADER))
    lines = [*paragraph(about, look.width), "", *lay_out(key, columns, look.width), ""]
    for one in judged:
        told = ([one.why] if one.why else []) + told_notes(one)
        for note in told:
            lines += paragraph(f"{one.fullname.partition('::')[2] or one.fullname}: {note}", look.width)
    lines += paragraph(counts(judged), look.width)
    return [line.replace("µ", look.micro) for line in lines]


def counts(judged: Sequence[Judged]) -> str:
    """How many benchmarks had each verdict."""
    found = [one.verdict for one in judged]
    return ", ".join(f"{found.count(verdict)} {verdict}" for verdict in VERDICTS if verdict in found)


def told_loss(loss: Estimate | None) -> str:
    """A loss with its interval: ``+5.2 % [+4.1, +6.4]``."""
    if loss is None:
        return "-"
    if not loss.has_interval:
        return f"{told_percent(loss.value)} (no interval)"
    low, high = (100 * (end - 1) for end in (loss.low, loss.high))
    return f"{told_percent(loss.value)} [{low:+.1f}, {high:+.1f}]"


def told_notes(one: Judged) -> list[str]:
    """What is to be known beside the verdict: where the level changed, and which runs were left out."""
    found = list(one.notes)
    if one.change is not None:
        factor = told_percent(one.change.factor)
        found.insert(0, f"{factor} since {one.change.group}, and compared with what came since then")
    return found


def _headline(one: Judged) -> str:
    if one.loss is None:
        return f"{one.fullname}: {one.why}"
    times = f"{seconds(median(one.now_s))}, before {seconds(median(one.stretch_s))}"
    why = f"; {one.why}" if one.why else ""
    return f"{one.fullname} {told_loss(one.loss)} ({times}){why}"


def _evidence(one: Judged) -> Iterator[str]:
    if one.loss is not None:
        before = counted(one.groups, "commit")
        if one.alike is False:
            before = f"{counted(len(one.stretch_s), 'run')} of {before}"
        yield f"{one.fullname}: {one.verdict}, {before} against {one.pieces} now, p = {one.p_value:.2g}"
    if one.instructions is not None:
        then, now = one.instructions
        yield f"{one.fullname}: {then:,.0f} instructions before and {now:,.0f} now, which no noise explains"


def _next(judged: Sequence[Judged], verdict: str, level: float) -> Iterator[str]:
    if verdict == REGRESSED:
        if any(one.verdict == REGRESSED and not one.by_instructions for one in judged):
            yield f"Without a loss this test would fail in at most 1 of {round(1 / level)} runs."
        yield (
            "Next: look at what changed since the last saved run; a loss that is accepted takes a higher"
            " --parallel-gate-threshold, or becomes history once some commits with it are saved."
        )
    elif verdict == UNDECIDED:
        alike = any(one.alike for one in judged)
        more = "" if alike else "run again with --benchmark-autosave to have more runs of this commit, or "
        yield f"Undecided is not passed. Next: {more}compare side by side, with --parallel-gate=REF."
    elif verdict == NOT_GATED:
        yield "It was not compared, and did not pass."
