"""Curves in files: read back as they were, of older versions and other machines with a warning."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab import BadSetting
from pytest_parallel_lab.model.curve_files import KEY, VERSION, load_curves
from pytest_parallel_lab.model.scaling_curve import CurveWarning, ScalingCurve, ScalingPoint, WorkerTimes

POINTS = (
    ScalingPoint(1, (1.0, 1.1), ((WorkerTimes(1.0, 0.1, 0.2, 0.3),),)),
    ScalingPoint(2, (0.5, 0.6), oversubscribed=True, serial_times_s=(1.0,)),
    ScalingPoint(3, (0.4, 0.45)),
)
CURVE = ScalingCurve(
    "rows",
    "mpi",
    "strong",
    POINTS,
    (1.0, 1.05),
    size=64.0,
    unit="rows",
    machine={"cores": 2, "cpu": "x"},
    interleaved=True,
    task_times_s=((0.1, 0.2), (0.1, 0.3)),
)


def benchmark_file(path: Path, *curves: Any) -> Path:
    """A file as pytest-benchmark writes it, one benchmark for every curve."""
    benchmarks = [
        {"name": f"test_scales[{number}]", "stats": {}, "extra_info": {} if curve is None else {KEY: curve}}
        for number, curve in enumerate(curves)
    ]
    path = path / "benchmarks.json"
    path.write_text(json.dumps({"machine_info": {}, "version": "5.1.0", "benchmarks": benchmarks}))
    return path


def parts(curve: ScalingCurve) -> list[dict[str, Any]]:
    return [replace(curve, points=(point,)).to_json() for point in curve.points]


def test_a_curve_survives_json() -> None:
    data = json.loads(json.dumps(CURVE.to_json()))
    assert data["version"] == VERSION
    assert ScalingCurve.from_json(data) == CURVE


def test_the_points_of_one_curve_are_joined(tmp_path: Path) -> None:
    other = replace(CURVE, backend="processes")
    path = benchmark_file(tmp_path, *reversed(parts(CURVE)), None, other.to_json(), *parts(other))
    assert load_curves(path) == (CURVE, other)
    assert ScalingCurve.load(path, backend="mpi") == CURVE
    with pytest.raises(BadSetting, match=r"2 curves fit name='rows', backend=None; it has: curve rows \(mpi, strong\)"):
        ScalingCurve.load(path, name="rows")
    with pytest.raises(BadSetting, match="0 curves fit name='columns'"):
        ScalingCurve.load(path, name="columns")


def test_a_file_of_one_curve_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(CURVE.to_json()))
    assert ScalingCurve.load(path) == CURVE


def test_one_worker_count_measured_twice_is_refused(tmp_path: Path) -> None:
    again = replace(CURVE, points=(ScalingPoint(2, (0.7,)),))
    with pytest.raises(BadSetting, match="two points with 2 workers"):
        load_curves(benchmark_file(tmp_path, CURVE.to_json(), again.to_json()))


def test_an_older_version_is_read_with_a_warning() -> None:
    old = CURVE.to_json()
    for name in ("version", "unit", "interleaved", "task_times_s", "machine", "confidence"):
        del old[name]
    del old["points"][0]["breakdown"]
    old["forgotten"] = 1
    with pytest.warns(CurveWarning, match=f"version 0 of the format, {VERSION} is current; measure again"):
        found = ScalingCurve.from_json(old)
    assert found.points[1:] == CURVE.points[1:]
    assert (found.unit, found.interleaved, found.points[0].breakdown) == ("runs", False, ())


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(BadSetting, match=r"version 99 is newer than 2, .*; upgrade pytest-parallel-lab"):
        ScalingCurve.from_json({**CURVE.to_json(), "version": 99})


def test_another_machine_and_a_single_point_are_warned_about(tmp_path: Path) -> None:
    path = benchmark_file(tmp_path, CURVE.to_json())
    assert load_curves(path, machine={"cores": 2}) == (CURVE,)
    with pytest.warns(CurveWarning, match=r"another machine \(cores 2 instead of 64, gpu 'unknown' instead of 'y'\)"):
        ScalingCurve.load(path, machine={"cores": 64, "cpu": "x", "gpu": "y"})
    with pytest.warns(CurveWarning, match=r"curve rows \(mpi, strong\) has one point only"):
        load_curves(benchmark_file(tmp_path, parts(CURVE)[0]))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"points": None}, "missing or of another kind"),
        ({"points": [{"workers": 1}]}, r"missing or of another kind \('times_s'\)"),
        ({"points": [{"workers": 1, "times_s": [float("nan")]}]}, "times with 1 workers: value 1 is nan"),
        ({"points": [{"workers": 1, "times_s": [0.0]}]}, "times with 1 workers: value 1 is 0.0"),
        ({"points": [{"workers": 1, "times_s": [1.0], "colour": 1}]}, "a ScalingPoint has no colour"),
        ({"colour": 1}, "a ScalingCurve has no colour"),
        ({"mode": "up"}, "neither 'strong' nor 'weak'"),
        ({"version": "1"}, "version '1'"),
        ({"serial_times_s": 1.0}, "missing or of another kind"),
    ],
)
def test_a_curve_that_means_nothing_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = benchmark_file(tmp_path, {**CURVE.to_json(), **change})
    with pytest.raises(BadSetting, match=told):
        load_curves(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("[1]", "neither a file of pytest-benchmark nor a scaling curve"),
        ('{"benchmarks": 1}', "neither a file of pytest-benchmark"),
        ('{"benchmarks": []}', "no benchmark in it has a scaling curve; write it with --benchmark-json"),
        ('{"benchmarks": [1, {"extra_info": null}]}', "no benchmark in it has a scaling curve"),
        (
            '{"benchmarks": [{"extra_info": {"parallel_scaling": 3}}]}',
            "without a name: int instead of a curve",
        ),
    ],
)
def test_a_file_without_curves_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(BadSetting, match=told):
        load_curves(path)
    with pytest.raises(FileNotFoundError):
        load_curves(tmp_path / "none.json")
