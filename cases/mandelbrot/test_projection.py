"""Where dynamic stops paying, on programs with known answers; and the command, at a tiny size."""

from __future__ import annotations

import pytest

from cases.mandelbrot.projection import Column, describe, fastest, main, pays_up_to, project_all
from pytest_parallel_lab import BadSetting, Communication, Estimate, Network, ScalingCurve, ScalingPoint

SERVICE_S = 1e-4


def estimate(value: float) -> Estimate:
    return Estimate(value, 0.9 * value, 1.1 * value)


def columns_of(task_s: list[float], counts: list[int]) -> dict[str, Column]:
    """Projections of tasks that were measured thrice and took as long each time."""
    requests = Network(estimate(SERVICE_S), estimate(0.0))
    curve = ScalingCurve(
        "rows", "processes", "strong", (ScalingPoint(1, (sum(task_s),)),), task_times_s=(tuple(task_s),) * 3
    )
    found = project_all(curve, counts, Communication("processes", 2, requests, requests, requests), row_bytes=100)
    return {column.name: column for column in found}


def test_dynamic_stops_paying_where_the_master_is_always_busy() -> None:
    """1000 tasks of 1 ms and 0.1 ms of service: (1 + 0.1) / 0.1 = 11 workers keep the master busy."""
    counts = [2, 4, 8, 16, 32, 64]
    columns = columns_of([1e-3] * 1000, counts)
    assert pays_up_to(columns["dynamic, 1"]) == 16
    assert pays_up_to(columns["block"]) == pays_up_to(columns["cyclic"]) == 64
    assert columns["dynamic, 1"].times_s()[64] == pytest.approx(0.1, rel=0.1)  # 1000 services
    # 125 chunks of 8 ms: two for each worker, the last of whom waits for 63 others to be served.
    assert columns["dynamic, 8"].times_s()[64] == pytest.approx(64 * SERVICE_S + 2 * 8e-3, rel=0.05)
    assert fastest([*columns.values()], 64).name in ("block", "cyclic")
    text = "\n".join(describe([*columns.values()]))
    assert "dynamic, 1: pays up to 16 workers\n    beyond 11 workers all wait for the master" in text
    assert "block: pays up to 64 workers and perhaps beyond" in text


def test_dynamic_wins_where_work_is_uneven_and_workers_are_few() -> None:
    """The slow tasks side by side: block gives them all to one."""
    columns = columns_of([20e-3] * 20 + [1e-3] * 80, [2, 4])
    assert fastest([*columns.values()], 4).name != "block"
    assert columns["block"].times_s()[4] > 2 * columns["dynamic, 1"].times_s()[4]


def test_the_command_prints_a_projection(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rows=12", "--columns=16", "--limit=20", "--rounds=1", "--workers=2,1024"])
    told = capsys.readouterr().out
    assert told.startswith("projection, not measured: 12 rows of 16 pixels")
    for name in ("block", "cyclic", "dynamic, 1", "dynamic, 8"):
        assert f"{name}: pays up to " in told
    assert any(line.split()[:1] == ["1024"] for line in told.splitlines())


def test_one_row_is_refused() -> None:
    with pytest.raises(BadSetting, match="1 row is no tasks to hand out"):
        main(["--rows=1", "--columns=16", "--limit=20", "--rounds=1", "--workers=2"])
