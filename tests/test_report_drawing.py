"""What is drawn of curves, timelines, hangs and maps, before it is put into a page."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_parallel_lab.report import timeline_layout, waits_layout
from pytest_parallel_lab.report.curves import HEADER, panels, series_of, table_rows
from pytest_parallel_lab.report.overview import overview
from pytest_parallel_lab.report.records import seconds
from tests.reports import curve, deadlock, record, timeline, wait


def test_curves_of_one_problem_size_and_kind_are_drawn_together() -> None:
    mine, other = record(problem="matmul"), record("test_other", problem="matmul")
    shapes = {
        panel.title: [one.name for one in panel.series]
        for panel in panels(
            [
                (mine, curve().to_json()),
                (other, curve("mpi_scatter", "mpi").to_json()),
                (mine, curve("larger", size=5000).to_json()),
                (mine, curve(mode="weak").to_json()),
                (record(problem="pi"), curve().to_json()),
            ]
        )
    }
    assert shapes == {
        "matmul: strong scaling, 1,000 rows": ["pool_map (processes)", "mpi_scatter (mpi)"],
        "matmul: strong scaling, 5,000 rows": ["larger (processes)"],
        "matmul: weak scaling, 1,000 rows for each worker": ["pool_map (processes)"],
        "pi: strong scaling, 1,000 rows": ["pool_map (processes)"],
    }


def test_points_have_intervals_and_those_without_cores_are_told_apart() -> None:
    series = series_of(curve())
    assert [point.workers for point in series.points["speed-up"]] == [1, 2, 3, 4, 6]
    assert [point.within for point in series.points["time"]] == [True, True, True, True, False]
    assert all(point.low < point.value < point.high for point in series.points["efficiency"])
    assert series.law == "amdahl"
    fitted = {point.workers: point.value for point in series.fitted["speed-up"]}
    assert fitted[4] == pytest.approx(1 / (0.1 + 0.9 / 4), rel=0.05)
    assert all(math.isfinite(point.high) for points in series.fitted.values() for point in points)


def test_a_weak_curve_s_law_meets_its_points() -> None:
    series = series_of(curve(mode="weak", counts=(1, 2, 3, 4), serial_fraction=0.0))
    assert series.law == "gustafson"
    for shown, fitted in zip(series.points["speed-up"], series.fitted["speed-up"]):
        assert fitted.value == pytest.approx(shown.value, rel=0.05)


def test_few_rounds_have_no_interval_and_few_points_no_law() -> None:
    series = series_of(curve(counts=(1, 2), rounds=3))
    assert all(point.low == point.value == point.high for point in series.points["time"])
    assert series.fitted == {}
    assert series.told[0].startswith("Amdahl: not fitted: amdahl needs 3 worker counts")
    rows = list(table_rows([series]))
    assert len(rows[0]) == len(HEADER)
    assert "[" not in " ".join(rows[0])


def test_what_is_true_of_all_curves_is_said_once() -> None:
    lab = record(problem="lab")
    (panel,) = panels([(lab, curve("one", counts=(1, 2)).to_json()), (lab, curve("other", counts=(1, 2)).to_json())])
    assert [text.partition(" not fitted")[0] for text in panel.fits] == ["Amdahl:", "Universal Scalability Law:"]
    (panel,) = panels([(lab, curve("one").to_json()), (lab, curve("other", counts=(1, 2)).to_json())])
    assert panel.fits[0].startswith("one (processes): Amdahl: serial fraction 0.")
    assert panel.fits[2].startswith("other (processes): Amdahl: not fitted")


def test_without_a_serial_time_speed_up_is_relative() -> None:
    series = series_of(curve(serial=False))
    assert series.relative
    assert series.points["speed-up"][0].value == pytest.approx(1.0)
    assert all("relative" in row[-1] and row[6] == "" for row in table_rows([series]))
    alone = series_of(curve(serial=False, counts=(2, 4)))
    assert alone.points["speed-up"] == []
    assert len(alone.points["time"]) == 2


def test_ideal_is_that_of_the_best_serial_time() -> None:
    lab = record(problem="lab")
    (panel,) = panels([(lab, curve().to_json()), (lab, curve("other", serial=False).to_json())])
    assert panel.ideal("time")[4] == pytest.approx(0.25, rel=0.03)
    (weak,) = panels([(record(), curve(mode="weak", serial=False).to_json())])
    assert weak.ideal("time")[4] == pytest.approx(weak.ideal("time")[1])


def test_figures_take_the_page_s_colours_and_share_no_ids() -> None:
    pytest.importorskip("matplotlib")
    from pytest_parallel_lab.report.plots import scaling_figures

    lab = record(problem="lab")
    (panel,) = panels([(lab, curve().to_json()), (lab, curve("other", "mpi").to_json())])
    texts = [svg for _ in range(2) for _, svg in scaling_figures(panel)]
    for text in texts:
        assert "currentColor" in text
        assert "var(--s0)" in text
        assert "var(--s1)" in text
        assert "#01" not in text
        used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
        assert used == set(re.findall(r' id="([^"]+)"', text))
    ids = [one for text in texts for one in re.findall(r' id="([^"]+)"', text)]
    assert len(ids) == len(set(ids))
    assert ">500 ms</text>" in texts[2]


def test_plots_are_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from pytest_parallel_lab.report import write
    from tests.reports import rich_session

    assert write.plots(rich_session(), tmp_path) == f"4 files in {tmp_path}"
    names = {path.name for path in tmp_path.iterdir()}
    assert "matmul-strong-scaling-1-000-rows.png" in names
    assert "pi-weak-scaling-1-000-rows-for-each-worker.svg" in names
    assert (tmp_path / "matmul-strong-scaling-1-000-rows.png").read_bytes().startswith(b"\x89PNG")
    assert "pool_map (processes)" in (tmp_path / "matmul-strong-scaling-1-000-rows.svg").read_text()


def test_a_timeline_has_a_lane_for_each_worker_in_natural_order() -> None:
    spans = [[f"rank {n}", 1.0, 2.0 + n, "compute", ""] for n in (10, 2, 0)]
    drawn = timeline_layout.lay_out(spans)
    assert [lane.label for lane in drawn.lanes] == ["rank 0", "rank 2", "rank 10"]
    assert drawn.end_s == 11.0
    assert drawn.lanes[2].bars[0].width == timeline_layout.WIDTH
    assert drawn.imbalance == pytest.approx(11 / (15 / 3))
    assert drawn.ticks[-1][1] == "10 s"


def test_spans_too_narrow_to_see_are_joined_and_their_times_are_not_lost() -> None:
    drawn = timeline_layout.lay_out(timeline(2, 50_000)["spans"])
    assert all(len(lane.bars) < 5000 for lane in drawn.lanes)
    assert drawn.lanes[0].seconds["compute"] == pytest.approx(50_000 * 0.08)
    for lane in drawn.lanes:
        assert all(bar.x + bar.width <= timeline_layout.WIDTH + 1e-6 for bar in lane.bars)


@pytest.mark.parametrize("spans", [[], [["rank 0", 1.0, 1.0, "compute", ""]]], ids=["none", "no-time"])
def test_a_timeline_without_time(spans: list[list[object]]) -> None:
    drawn = timeline_layout.lay_out(spans)
    assert drawn.ticks == []
    assert drawn.imbalance is None


def test_the_cycle_is_drawn_first_and_closed() -> None:
    drawn = waits_layout.lay_out(deadlock()["waits"])
    assert [box.who for box in drawn.boxes] == ["process 2", "process 3", "process 1"]
    assert [box.in_cycle for box in drawn.boxes] == [True, True, False]
    assert [(arrow.label, arrow.in_cycle) for arrow in drawn.arrows] == [
        ("process 2 waits for process 3", True),
        ("process 3 waits for process 2", True),
        ("process 1 waits for process 2", False),
    ]


def test_who_waits_for_itself_or_for_nobody_known() -> None:
    drawn = waits_layout.lay_out([wait("main", "Lock a", "main", in_cycle=True)])
    assert [arrow.label for arrow in drawn.arrows] == ["main waits for main"]
    alone = waits_layout.lay_out([wait("main", "a semaphore")])
    assert alone.arrows == []
    assert "nobody is known" in alone.label
    assert waits_layout.lay_out([]).height == 0


def test_boxes_do_not_overlap() -> None:
    waits = [wait(f"worker {n}", "Lock " + "of a long name " * n, f"worker {(n + 1) % 9}") for n in range(9)]
    boxes = waits_layout.lay_out(waits).boxes
    assert all(one.y + one.height < after.y for one, after in pairwise(boxes))


def test_the_overview_counts_by_problem_backend_and_workers() -> None:
    grid = overview(
        [
            record("a", problem="pi", backends=("mpi",), workers=2),
            record("b", "failed", problem="pi", backends=("mpi",), workers=2, raised="Mismatch"),
            record("c", problem="pi", backends=("mpi",), runs=(("mpi", 4), ("mpi", 8))),
            record("d", "skipped", problem="gil"),
        ]
    )
    assert list(grid.backends) == ["mpi", ""]
    pi, gil = grid.rows
    assert [(cell.workers, cell.symbol, cell.number) for cell in pi.cells["mpi"]] == [
        (2, "✗", "1/2"),
        (4, "✓", "1"),
        (8, "✓", "1"),
    ]
    assert pi.cells["mpi"][0].label == "pi, mpi, 2 workers: 1 failed, 1 passed (Mismatch)"
    assert gil.cells["mpi"] == []
    assert gil.cells[""][0].label == "gil: 1 skipped"


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0 s"), (2.5e-7, "0.25 µs"), (0.0123, "12.3 ms"), (0.9997, "1 s"), (252.3, "4 min 12 s")],
)
def test_times_are_told_in_their_unit(value: float, told: str) -> None:
    assert seconds(value) == told
