"""A gate in lines of text: why a test failed or is undecided, and the table at the end of a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from pytest_parallel_lab.model.gate import (
    NOT_GATED,
    REGRESSED,
    UNDECIDED,
    WRONG,
    GatedTest,
    GateRun,
    Reading,
    told_loss,
    told_percent,
)
from pytest_parallel_lab.report.columns import GAP, Column, Look, lay_out, paragraph
from pytest_parallel_lab.report.curve_text import WARNING
from pytest_parallel_lab.report.gate_rows import (
    Row,
    rows_of,
    short_commit,
    told_alarms,
    told_base,
    told_change,
    told_counts,
    told_load,
    told_measuring,
    told_median,
    told_share,
    told_title,
)

_GOOD_NAME = 20
_LEAST_NAME = 16


def explain(test: GatedTest, run: GateRun) -> str:
    """What came of one test, its figures, and the next thing to do.

    Args:
        test: of the run.
        run: how it was measured.

    Returns:
        A few lines; the first one tells it all in short.
    """
    lines = [headline(test, run)]
    if test.why and test.verdict not in (WRONG, NOT_GATED):
        lines.append(f"noted: {test.why}")
    if not test.wrong:
        lines += [f"  {_told_reading(one)}" for one in test.readings]
    if test.readings and not test.wrong:
        lines.append(f"{told_measuring(run)}, in random order, side by side; medians; {told_alarms(run)}")
    return "\n".join([*lines, *_next(test, run)])


def properties(test: GatedTest) -> list[tuple[str, str]]:
    """The figures of a test for JUnit, as names and texts: ``gate_time_loss`` is 1.08 for 8 % more.

    Of a curve's points the worker count is in the name, ``gate_efficiency_2w_loss``, and of a test's further sections
    which it is, ``gate_part2_time_loss``. Figures that are not known are left out.
    """
    found = [("gate", test.verdict)]
    for one in () if test.wrong else test.readings:  # how long a wrong answer took says nothing
        name = f"gate_{one.metric}" if one.part == 1 else f"gate_part{one.part}_{one.metric}"
        name += f"_{one.workers}w" if one.workers is not None else ""
        figures: dict[str, float] = {}
        if one.loss is not None:
            figures["loss"] = one.loss.value
            if one.loss.has_interval:
                figures |= {"low": one.loss.low, "high": one.loss.high, "confidence": one.loss.confidence}
            figures["p"] = one.p_value
        figures["threshold"] = one.threshold
        if one.base and one.current:
            figures |= {"base": median(one.base), "current": median(one.current), "launches": len(one.base)}
        found.append((name, one.verdict))
        found += [(f"{name}_{what}", f"{value:.6g}") for what, value in figures.items()]
    return found


def gate_lines(run: GateRun, look: Look) -> list[str]:
    """All of a gate: how it was carried out, a table with one row for each reading, warnings and counts.

    Args:
        run: as found.
        look: of the terminal.
    """
    texts = [f"{told_title(run)}: {', '.join(filter(None, (told_measuring(run), told_load(run))))}; {told_alarms(run)}"]
    lines = [line for text in texts for line in paragraph(text, look.width)]
    rows = rows_of(run)
    if rows:
        lines += ["", *_table(rows, look), ""]
        noted = {row.test.nodeid: row.test for row in rows if row.test.why}
        for test in noted.values():
            lines += paragraph(f"{test.nodeid}: {test.why}", look.width)
    undecided = [row.reading for row in rows if row.reading and row.verdict == UNDECIDED]
    if undecided:
        lines += paragraph(f"undecided is not passed: {' '.join(_what_would_help(undecided, run))}", look.width)
    for warning in run.warnings:
        lines += paragraph(f"{WARNING}{warning}", look.width)
    lines += paragraph(told_counts(run), look.width)
    return [_in_ascii(line) if look.ascii else line for line in lines]


def gate_line(run: GateRun) -> str:
    """The gate in one line: counts, and the worst loss where there is one that did not pass."""
    worst = next((row for row in rows_of(run) if row.reading and row.verdict in (REGRESSED, UNDECIDED)), None)
    told = f"; worst: {worst.test.nodeid} {worst.what} {worst.loss}" if worst else ""
    return f"{told_title(run)}: {told_counts(run)}{told}"


def headline(test: GatedTest, run: GateRun) -> str:
    """What came of one test in one line: the first one of ``explain``."""
    against = f"against {told_base(run)}"
    if test.verdict == WRONG:
        return f"wrong {against}: {test.why or 'the two versions give different answers'}"
    if test.verdict == NOT_GATED:
        return f"not gated {against}: {test.why or 'nothing was measured'}"
    if test.verdict == REGRESSED:
        lost = [f"{one.label} {told_loss(one)} ({told_change(one)})" for one in _with(test, REGRESSED)]
        return f"regressed {against}: {', '.join(lost)}"
    if test.verdict == UNDECIDED:
        open_ = [f"{one.label} {told_loss(one)}" for one in _with(test, UNDECIDED)]
        return f"undecided {against}, which is not passed: {', '.join(open_)}"
    better = ", ".join(f"{one.label} {told_loss(one)}" for one in test.readings if one.improved)
    return f"passed {against}, better: {better}" if better else f"passed {against}"


def _with(test: GatedTest, verdict: str) -> list[Reading]:
    return [one for one in test.readings if one.verdict == verdict]


def _told_reading(one: Reading) -> str:
    parts = [f"base {told_median(one, one.base)}, now {told_median(one, one.current)}", _launches(one)]
    if one.loss is not None:
        parts.append(f"p = {one.p_value:.2g}")
    parts.append(f"threshold {told_share(one.threshold)}")
    return f"{one.label}: {one.verdict}, {told_loss(one)}; {'; '.join(parts)}"


def _launches(one: Reading) -> str:
    return f"{len(one.base)} launch{'' if len(one.base) == 1 else 'es'} each"


def _next(test: GatedTest, run: GateRun) -> Iterator[str]:
    """What to do about it."""
    if test.verdict == WRONG:
        yield "Next: find out which of the two answers is right; how long they took is not compared until they agree."
    elif test.verdict == REGRESSED:
        for one in _with(test, REGRESSED):
            if one.loss and one.loss.value < 1 + one.threshold:
                below = f"{told_percent(one.loss.value)} is below the threshold of {told_share(one.threshold)}"
                yield f"{one.label}: {below}; why it fails all the same: {run.method}"
        commit = short_commit(run.base_commit)
        since = f"what changed since {commit}" if commit else "what changed since the base"
        yield f"Next: look at {since}; a loss that is accepted takes a higher --parallel-gate-threshold, or the test's"
        yield '  own: @pytest.mark.parallel_gate(threshold="10%").'
    elif test.verdict == UNDECIDED:
        yield f"Next: {' '.join(_what_would_help(_with(test, UNDECIDED), run))}"


def _what_would_help(readings: Sequence[Reading], run: GateRun) -> Iterator[str]:
    yield "measure longer (--parallel-gate-seconds), or on a machine with less else to do;"
    wide = [one.loss.high - one.loss.low for one in readings if one.loss and one.loss.has_interval]
    if wide:
        least = min(one.threshold for one in readings)
        which = "the interval" if len(wide) == 1 else "the widest interval"
        yield f"{which} is {told_share(max(wide))} wide, and the threshold {told_share(least)}."
    else:
        yield f"{run.launches} launches were too few for an interval."


def _table(rows: Sequence[Row], look: Look) -> list[str]:
    what = [row.what for row in rows]
    columns = [Column("verdict", [row.told_verdict for row in rows], left=True)]
    if set(what) - {"time", ""}:
        columns.append(Column("of", what, left=True))
    columns.append(Column("loss" if len(columns) > 1 else "loss of time", _aligned([row.loss for row in rows])))
    columns.append(_medians(rows))
    names = _names([row.test.nodeid for row in rows], _room(columns, look.width), look)
    return lay_out(Column("test", names, left=True), columns, look.width)


def _medians(rows: Sequence[Row]) -> Column:
    """Both medians in one column: below each other they could not be compared."""
    parts = [("base", "now"), *((row.base, row.current) for row in rows)]
    base, current = (max(len(part[i]) for part in parts) for i in (0, 1))
    head, *cells = (f"{one:>{base}}{GAP}{other:>{current}}" for one, other in parts)
    return Column(head, cells)


def _room(columns: Sequence[Column], width: int) -> int:
    """How long names may be: with all columns beside them, or as many as leave enough."""
    beside = [sum(column.width + len(GAP) for column in columns[:count]) for count in range(len(columns), 0, -1)]
    room = next((width - taken for taken in beside if width - taken >= _GOOD_NAME), _GOOD_NAME)
    return min(room, max(_LEAST_NAME, width - len(GAP) - max(one.width for one in columns)))


def _aligned(losses: Sequence[str]) -> list[str]:
    """Losses with their percent signs one above the other."""
    most = max((len(loss.partition("%")[2]) for loss in losses if "%" in loss and "(" not in loss), default=0)
    return [f"{loss}{' ' * (most - len(loss.partition('%')[2]))}" if "%" in loss else loss for loss in losses]


def _names(nodeids: Sequence[str], room: int, look: Look) -> list[str]:
    """Names that fit a width: without the file where all are of one, then with their middles left out.

    Where two would then be the same, all stay as they are, and the table becomes wider.
    """
    files = {nodeid.partition("::")[0] for nodeid in nodeids}
    short = [nodeid.partition("::")[2] or nodeid for nodeid in nodeids] if len(files) == 1 else list(nodeids)
    if len(files) > 1 and max(map(len, short)) > room:
        short = [nodeid.rpartition("/")[2] for nodeid in nodeids]
    cut = [_cut(name, room, "..." if look.ascii else "…") for name in short]
    return cut if len(set(cut)) == len(set(nodeids)) else list(nodeids)


def _cut(name: str, room: int, dots: str) -> str:
    if len(name) <= room:
        return name
    end = (room - len(dots)) // 2  # parameters are what tells tests apart, and stand at the end
    return f"{name[: room - len(dots) - end]}{dots}{name[len(name) - end :]}"


def _in_ascii(line: str) -> str:
    return line.replace("µ", "u")
