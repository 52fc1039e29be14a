"""A curve as text: its figures, in any width, with and without Unicode, and what is said of what is missing."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_parallel_lab.model.scaling_curve import ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.model.statistics import Estimate
from pytest_parallel_lab.report.columns import Column, Look, bars, lay_out, paragraph, told_estimate, told_value
from pytest_parallel_lab.report.curve_text import curve_line, curve_lines, unit_of, warnings_of

WIDTHS = (40, 57, 80, 120, 300)


def rounds(time_s: float, number: int = 7, seed: int = 1) -> tuple[float, ...]:
    rng = random.Random(seed)
    return tuple(time_s * rng.lognormvariate(0, 0.01) for _ in range(number))


def point(workers: int, time_s: float, cores: int = 4, number: int = 7) -> ScalingPoint:
    one = WorkerTimes(compute_s=0.9 * time_s, communication_s=0.02 * time_s, waiting_s=0.08 * time_s, startup_s=0.003)
    lazy = replace(one, compute_s=0.6 * time_s, waiting_s=0.38 * time_s)
    breakdown = ((one, *[lazy] * (workers - 1)),) * 3
    return ScalingPoint(workers, rounds(time_s, number, workers), breakdown, workers > cores)


def curve(counts: Sequence[int] = (1, 2, 3, 4, 8), number: int = 7, **given: Any) -> ScalingCurve:
    """A program of which a tenth is serial: 0.8 s on one worker."""
    points = tuple(point(p, 0.08 + 0.72 / p, number=number) for p in counts)
    found: dict[str, Any] = {
        "name": "pool_map",
        "backend": "processes",
        "mode": "strong",
        "points": points,
        "serial_times_s": rounds(0.76, number, 9),
        "machine": {"usable_cores": 4, "serial": "matmul"},
        "interleaved": True,
    }
    return ScalingCurve(**{**found, **given})


def text(one: ScalingCurve, width: int = 120, encoding: str = "utf-8") -> str:
    return "\n".join(curve_lines(one, Look.of(width, encoding)))


def flat(one: ScalingCurve, width: int = 120) -> str:
    """Without line breaks, for sentences."""
    return " ".join(text(one, width).split())


def rows(one: ScalingCurve, heading: str, width: int = 300) -> list[list[str]]:
    """The table's rows below a heading, in words."""
    lines = text(one, width).splitlines()
    start = next(i for i, line in enumerate(lines) if heading in line) + 1
    count = len(one.points)
    begin = next(i for i in range(start, len(lines)) if lines[i].split()[:1] == [str(one.workers[0])])
    return [line.split() for line in lines[begin : begin + count]]


def test_the_figures_are_the_curve_s() -> None:
    one = curve()
    table = rows(one, "time, ")
    assert [row[0] for row in table] == ["1", "2", "3", "4", "8*"]
    for row, workers in zip(table, one.workers):
        time_s, gain = one.time_s(workers), one.speed_up(workers)
        assert float(row[1]) == pytest.approx(1e3 * time_s.value, rel=0.005)
        assert float(row[2].strip("[,")) == pytest.approx(1e3 * time_s.low, rel=0.005)
        assert float(row[3].strip("],")) == pytest.approx(1e3 * time_s.high, rel=0.005)
        assert float(row[4]) == pytest.approx(gain.value, rel=0.005)
        assert float(row[5].strip("[,")) == pytest.approx(gain.low, rel=0.005)
        assert float(row[7]) == pytest.approx(one.efficiency(workers).value, abs=0.006)
        if workers > 1:
            assert float(row[8]) == pytest.approx(one.serial_fraction(workers).value, abs=6e-4)
        else:
            assert row[8] == "-"
        assert float(row[9]) == pytest.approx(one.imbalance(workers).value, abs=0.006)
        assert sum(map(float, row[10:13])) == pytest.approx(100, abs=1)
    assert table[1][10:14] == ["75", "2", "23", "3.00"]  # (0.9 + 0.6)/2 and so on; 3 ms to start


def test_the_heading_says_what_was_measured() -> None:
    one = curve()
    assert "pool_map on processes: strong scaling (the same work for all), 7 rounds" in text(one)
    assert f"best serial time (matmul): {told_estimate([Estimate(*serial(one))], 1e3)[0]} ms" in text(one)


def serial(one: ScalingCurve) -> tuple[float, float, float]:
    from pytest_parallel_lab.model.statistics import median_interval

    found = median_interval(one.serial_times_s)
    return found.value, found.low, found.high


def test_laws_are_told_with_their_intervals() -> None:
    told = flat(curve())
    fraction = curve().fit("amdahl")["serial_fraction"]
    assert 0.08 < fraction.low < fraction.value < fraction.high < 0.12
    assert f"Amdahl: serial fraction {fraction.value:.3g} [{fraction.low:.3g}, {fraction.high:.3g}];" in told
    assert "; fitted to 1, 2, 3, 4 workers" in told  # not to the one that is oversubscribed
    contention = curve().fit("usl")["contention"]
    assert f"Universal Scalability Law: contention {contention.value:.3g} [" in told
    assert "* oversubscribed: more workers than the 4 usable cores; not fitted" in told


def test_too_few_points_are_said_and_not_fitted() -> None:
    told = flat(curve((1, 2, 8)))
    assert "Amdahl: not fitted: amdahl needs 3 worker counts and there are 2, without the 1 that are oversub" in told
    assert "Universal Scalability Law: not fitted: usl needs 4" in told
    assert told.count("curve pool_map") == 0


def test_a_curve_of_one_point_says_nothing_about_scaling() -> None:
    assert "one worker count only: this says nothing about scaling" in flat(curve((2,)))


def test_without_a_reference_the_speed_up_is_called_relative() -> None:
    one = curve(serial_times_s=())
    told = text(one)
    assert re.search(r"relative +effi- +serial", told)
    assert "no serial reference: speed-up is relative, to one worker; give reference=" in flat(one)
    assert [row[7] for row in rows(one, "time, ")] == ["-"] * 5
    without_one = curve((2, 4), serial_times_s=())
    assert "speed-up is not known, nor that over one worker" in flat(without_one)
    assert [row[4] for row in rows(without_one, "time, ")] == ["-", "-"]


def test_too_few_rounds_have_no_brackets() -> None:
    told = flat(curve(number=3))
    assert "medians; too few for 95 % intervals: 3 rounds, 6 are enough for 95 %" in told
    table = told.split("best serial time")[1].split("medians")[0]
    assert "[" not in table
    assert "inf" not in told
    assert "nan" not in told


def test_weak_scaling_is_told_as_such() -> None:
    points = tuple(ScalingPoint(p, rounds(1 + 0.1 * p, seed=p)) for p in (1, 2, 3, 4))
    told = flat(curve(mode="weak", points=points, size=100, unit="rows"))
    assert "weak scaling (the same work for each worker)" in told
    assert "best serial time (matmul), the work of one worker" in told
    assert "Gustafson: serial fraction" in told
    assert "imbal" not in told  # where the time went was not measured
    assert [float(row[9]) for row in rows(replace_points(points), "time, ")] == pytest.approx(
        [100 * p / (1 + 0.1 * p) for p in (1, 2, 3, 4)], rel=0.02
    )


def replace_points(points: Any) -> ScalingCurve:
    return curve(mode="weak", points=points, size=100, unit="rows")


def test_warnings_are_told_last() -> None:
    one = curve(machine={"warnings": ["the machine is busy with other things: 50% of its cores"]})
    assert curve_lines(one, Look.of(120, "utf-8"))[-1] == (
        "warning: the machine is busy with other things: 50% of its cores"
    )
    assert warnings_of(curve(machine={"warnings": "none"})) == []
    assert "usable cores; not fitted" in flat(one)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_no_line_is_wider_than_the_terminal(width: int, encoding: str) -> None:
    long = curve(
        machine={"warnings": ["something " * 20], "serial": "a_reference_with_a_name"},
        name="an_implementation_with_a_rather_long_name",
        size=1e6,
        unit="points",
    )
    for one in (long, curve(), curve((1, 2, 16, 256, 4096)), curve(serial_times_s=()), curve((1,))):
        lines = curve_lines(one, Look.of(width, encoding))
        assert max(map(len, lines)) <= width
        assert all(line == line.rstrip() for line in lines)
        table = "\n".join(lines)
        for workers in one.workers:  # beside each part of the table
            assert table.count(f"\n{workers:>7}") >= 1
        if encoding == "ascii":
            assert table.isascii()


def test_a_wide_terminal_has_the_table_in_one() -> None:
    lines = curve_lines(curve(), Look.of(300, "utf-8"))
    assert sum(line.strip().startswith("workers") for line in lines) == 1
    narrow = curve_lines(curve(), Look.of(40, "utf-8"))
    assert sum(line.strip().startswith("workers") for line in narrow) > 3


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "no such encoding", None])
def test_what_cannot_be_encoded_is_not_used(encoding: str | None) -> None:
    look = Look.of(80, encoding)
    assert (look.full + look.vague + look.ideal + look.micro).isascii()
    small = curve(points=tuple(ScalingPoint(p, rounds(1e-5)) for p in (1, 2)))
    assert "time, us" in "\n".join(curve_lines(small, look))
    assert "time, µs" in "\n".join(curve_lines(small, Look.of(80, "utf-8")))


def test_bars_end_where_the_value_is_and_the_mark_where_it_should_be() -> None:
    look = Look.of(80, "ascii")
    without = Estimate(5, 0, float("inf"), 1.0)
    draw = bars([Estimate(1, 1, 1), Estimate(1.5, 1.25, 1.75), None, without], [1, 2, 3, 4], look)
    assert draw(20) == [
        "###|",
        "#####--|",
        "           |",
        "###############|####",
    ]
    assert all(len(bar) <= 30 for bar in draw(30))


def test_bars_of_very_different_lengths_are_all_seen() -> None:
    look = Look.of(80, "ascii")
    draw = bars([Estimate(1, 1, 1), Estimate(900, 800, 1000)], [1, 1024], look)
    first, second = draw(24)
    assert first == "|"
    assert second.startswith("###")
    assert second.endswith("|")
    assert len(second) == 24


def test_units_follow_the_longest_time() -> None:
    look = Look.of(80, "utf-8")
    assert unit_of([2.0, 0.1], look) == (1.0, "s")
    assert unit_of([0.2, 0.0001], look) == (1e3, "ms")
    assert unit_of([2e-5], look) == (1e6, "µs")
    assert unit_of([2e-8], look) == (1e9, "ns")
    assert unit_of([2e-12], look) == (1e9, "ns")
    assert unit_of([0.0], look) == (1.0, "s")


def test_values_have_three_digits() -> None:
    assert told_value([0.01234, 1.234, 12.34, 123.4, 1234.5, None, 0.0]) == [
        "0.0123",
        "1.23",
        "12.3",
        "123",
        "1234",
        "-",
        "0.00",
    ]
    assert told_estimate([Estimate(1.234, 1.1, 1.456), Estimate(12.34, 0, float("inf"), 1.0), None]) == [
        "1.23 [1.10, 1.46]",
        "12.3             ",
        "   -             ",
    ]


def test_columns_that_do_not_fit_go_below_beside_the_key() -> None:
    key = Column("p", ["1", "2"])
    columns = [Column("aaaa", ["1", "2"]), Column("b\nbbbb", ["3", "4"]), Column("cccc", ["5", "6"], left=True)]
    assert lay_out(key, columns, 13) == [
        "            b",
        "p  aaaa  bbbb",
        "1     1     3",
        "2     2     4",
        "",
        "p  cccc",
        "1  5",
        "2  6",
    ]
    assert len(lay_out(key, columns, 100)) == 4
    assert len(lay_out(key, columns, 1)) == 3 * 3 + 1 + 2  # one column each, though none fits


def test_paragraphs_wrap_and_indent() -> None:
    assert paragraph("one two three", 8) == ["one two", "  three"]
    assert paragraph("", 8) == [""]


def test_one_line_says_what_the_most_workers_with_cores_gained() -> None:
    one = curve()
    line = curve_line(one)
    assert line.startswith("pool_map (processes, strong), 4 workers: speed-up 2.9")
    assert line.count("\n") == 0
    assert ", time 0.2" in line
    assert "warning" not in line
    assert curve_line(curve(machine={"warnings": ["a", "b"]})).endswith(", 2 warnings")
    assert "1 worker: " in curve_line(curve((1,)))
    assert "relative speed-up" in curve_line(curve(serial_times_s=()))
    assert "8 workers (oversubscribed): " in curve_line(curve((8,)))
    assert "speed-up" not in curve_line(curve((2,), serial_times_s=()))
