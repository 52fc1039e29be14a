"""Figures with matplotlib: scaling curves and maps, for a page that is light or dark, and for files."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_parallel_lab.report.curves import FITTED, MEASURES, Panel, Series
from pytest_parallel_lab.report.records import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIGHT = ("#0b62a4", "#c2410c", "#047857", "#a21caf", "#92600a", "#0e7490", "#4d4d4d", "#be123c")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
_INK, _FAINT = "#010203", "#010204"  # stand for the page's colours: replaced by CSS variables
_THEMED = tuple(f"#01030{number}" for number in range(len(LIGHT)))
_PLACES = re.compile(r' (?:d|x|y|transform)="[^"]*"')
_FONT = re.compile(r"font-family: [^;\"]*")
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "parallel-lab"}
_STYLE = {
    **_SVG,
    "text.parse_math": False,  # names of tests may have dollars in them
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "path.simplify": True,
}
_numbers = count(1)


def scaling_figures(panel: Panel) -> list[tuple[str, str]]:
    """Draw the curves of one panel over each other: for every measure its name and the SVG, in the page's colours."""
    figures = []
    for measure in MEASURES:
        with _style():
            figure = _new((4.6, 3.5), layout=None)
            figure.subplots_adjust(0.13, 0.14, 0.98, 0.97)
            axes = figure.subplots()
            _draw(axes, panel, measure, _THEMED)
            axes.set_ylabel("")  # the page says it
            figures.append((measure, themed_svg(figure)))
    return figures


def save_figures(panel: Panel, directory: Path, stem: str) -> list[Path]:
    """Draw all measures side by side into ``stem.png`` and ``stem.svg``.

    Raises:
        OSError: a file cannot be written.
    """
    with _style(**{"figure.facecolor": "white", "savefig.facecolor": "white"}):
        figure = _new((14, 4.4))
        for axes, measure in zip(figure.subplots(1, len(MEASURES)), MEASURES):
            _draw(axes, panel, measure, LIGHT, ink="#222222", faint="#bbbbbb")
            axes.set_title(measure, fontsize=11)
        figure.suptitle(panel.title)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        paths = [directory / f"{stem}.png", directory / f"{stem}.svg"]
        for path in paths:
            figure.savefig(path, dpi=150)
    return paths


def map_figure(array: Any, unit: str) -> Figure:
    """Draw an array as an image beside the histogram of its values."""
    import numpy as np

    values = np.asarray(array, dtype=float)
    finite = values[np.isfinite(values)]
    with _style():
        figure = _new((8.4, 3.6))
        image, histogram = figure.subplots(1, 2, width_ratios=(3, 2))
        # A few values far above all others would leave no colours for these.
        low, most, high = np.quantile(finite, [0, 0.995, 1]).tolist() if finite.size else (0.0, 0.0, 0.0)
        cut = high - low > 1.5 * (most - low) > 0
        place = (0, values.shape[1], values.shape[0], 0)
        drawn = image.imshow(_coarse(values), cmap="viridis", extent=place, vmax=most if cut else None)
        bar = figure.colorbar(drawn, ax=image, label=unit, extend="max" if cut else "neither")
        bar.outline.set_visible(False)
        image.set(xlabel="column", ylabel="row")
        if finite.size:
            histogram.hist(finite, bins=50, color=_THEMED[0], log=True)
            _label_125(histogram, "{:g}".format, (1.0,))
        histogram.set(xlabel=unit or "value", ylabel="elements")
        for axes in (image, histogram, bar.ax):
            _ink(axes, _INK)
        bar.ax.yaxis.label.set_color(_INK)
    return figure


def svg_text(figure: Figure) -> str:
    """A figure of anyone as SVG."""
    buffer = io.StringIO()
    with _context(_SVG):
        figure.savefig(buffer, format="svg")
    return buffer.getvalue()


def themed_svg(figure: Figure) -> str:
    """A figure of ours as SVG to be put into a page, whose colours, ids and fonts it takes."""
    text = svg_text(figure)
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", text, flags=re.DOTALL)
    text = _PLACES.sub(lambda found: re.sub(r"(\d\.\d\d)\d+", r"\1", found[0]), text)
    text = text.replace(_INK, "currentColor").replace(_FAINT, "var(--line)")
    for number, colour in enumerate(_THEMED):
        text = text.replace(colour, f"var(--s{number})")
    text = _FONT.sub("font-family: inherit", text)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1)
    return _own_ids(re.sub(r"\s*\n\s*", " ", re.sub(r">\s+<", "><", text)))


def _own_ids(text: str) -> str:
    """Drop the ids that nothing refers to, and make the others different from those of all other figures."""
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    prefix = f"f{next(_numbers)}-"
    text = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}{m[1]}"' if m[1] in used else "", text)
    return re.sub(r'(url\(#|href="#)([^)"]+)', rf"\g<1>{prefix}\2", text)


def _style(**more: Any) -> Any:
    return _context({**_STYLE, **more})


def _context(style: Any) -> Any:  # the keys are of a type with all their names
    import matplotlib

    return matplotlib.rc_context(style)


def _new(size: tuple[float, float], layout: Literal["constrained"] | None = "constrained") -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout=layout)


def _draw(axes: Axes, panel: Panel, measure: str, colours: Sequence[str], ink: str = _INK, faint: str = _FAINT) -> None:
    counts = panel.workers
    logarithmic = max(counts) > 8 * min(counts) or measure == "time"
    ideal = panel.ideal(measure)
    if ideal:
        axes.plot(counts, [ideal[p] for p in counts], color=ink, alpha=0.55, linestyle="dotted", label="ideal")
    if any(not point.within for series in panel.series for point in series.points[measure]):
        first = min(p.workers for series in panel.series for p in series.points[measure] if not p.within)
        axes.axvspan(first - 0.5 if not logarithmic else first / 1.2, max(counts) * 1.05, color=faint, alpha=0.25, lw=0)
    for number, series in enumerate(panel.series):
        _draw_series(axes, series, measure, colours[number % len(colours)], number, _beside(panel, number, logarithmic))
    axes.set_xlabel("workers")
    axes.set_ylabel(measure)
    if logarithmic:
        axes.set_xscale("log", base=2)
    if measure == "time":
        axes.set_yscale("log", base=10)
        _label_125(axes, seconds)
    elif measure == "speed-up" and logarithmic:
        axes.set_yscale("log", base=2)
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(bottom=0)
    shown = counts if len(counts) <= 10 else [p for p in counts if math.log2(p).is_integer()]
    axes.set_xticks(shown, [str(p) for p in shown], minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(color=faint, linewidth=0.6)
    axes.set_axisbelow(True)
    _ink(axes, ink)


def _beside(panel: Panel, number: int, logarithmic: bool) -> Callable[[int], float]:
    """Where the points of a series are drawn: a little beside those of others, so that all intervals are seen."""
    away = number - (len(panel.series) - 1) / 2
    away *= min(1.0, 6 / len(panel.series))
    counts = panel.workers
    if logarithmic:
        return lambda p: p * (max(counts) / min(counts)) ** (0.012 * away)
    return lambda p: p + 0.012 * away * (max(counts) - min(counts))


def _draw_series(
    axes: Axes, series: Series, measure: str, colour: str, number: int, place: Callable[[int], float]
) -> None:
    points = series.points[measure]
    dashes = DASHES[(number // len(LIGHT) + number) % len(DASHES)]
    axes.plot([place(p.workers) for p in points], [p.value for p in points], color=colour, linestyle=dashes, lw=1.6)
    for within in (True, False):
        shown = [p for p in points if p.within is within]
        if not shown:
            continue
        errors = [[p.value - p.low for p in shown], [p.high - p.value for p in shown]]
        axes.errorbar(
            [place(p.workers) for p in shown],
            [p.value for p in shown],
            yerr=errors,
            fmt=MARKERS[number % len(MARKERS)],
            color=colour,
            markerfacecolor=colour if within else "none",
            capsize=3,
            markersize=5.5,
            label=series.name if within else None,
        )
    fitted = series.fitted.get(measure, [])
    if fitted:
        workers = [p.workers for p in fitted]
        axes.plot(workers, [p.value for p in fitted], color=colour, lw=1, alpha=0.9, linestyle=(0, (1, 1)))
        axes.fill_between(workers, [p.low for p in fitted], [p.high for p in fitted], color=colour, alpha=0.12, lw=0)
        axes.plot([], [], color=colour, lw=1, linestyle=(0, (1, 1)), label=f"{series.name}: {FITTED[series.law]}")


def _label_125(axes: Axes, told: Callable[[float], str], which: Sequence[float] = (1.0, 2.0, 5.0)) -> None:
    """Label 1, 2 and 5 of every decade; others would be too many."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(10, subs=which))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: told(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _ink(axes: Axes, ink: str) -> None:
    axes.tick_params(colors=ink, which="both")
    axes.xaxis.label.set_color(ink)
    axes.yaxis.label.set_color(ink)
    for spine in axes.spines.values():
        spine.set_color(ink)
        spine.set_alpha(0.5)


def _coarse(values: Any, most: int = 480) -> Any:
    """The mean of blocks of elements: an image needs no more than the eye can see."""
    import numpy as np

    for axis in (0, 1):
        block = -(-values.shape[axis] // most)
        if block > 1:
            edges = np.arange(0, values.shape[axis], block)
            sizes = np.diff(np.append(edges, values.shape[axis]))
            shape = (-1, 1) if axis == 0 else (1, -1)
            values = np.add.reduceat(values, edges, axis=axis) / sizes.reshape(shape)
    return values
