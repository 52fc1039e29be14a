"""Scaling curves written to JSON and read back, also from the files of pytest-benchmark."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_curve import CurveWarning, ScalingCurve, ScalingPoint, WorkerTimes

VERSION = 2
"""1 had no resolutions: its intervals hold what varied from round to round, and nothing else."""
KEY = "parallel_scaling"
"""Where a curve is in a benchmark's ``extra_info``."""


def to_json(curve: ScalingCurve) -> dict[str, Any]:
    """Put all that was measured into what ``json`` can write; what follows from it is computed again."""
    return {"version": VERSION, **asdict(curve), "machine": dict(curve.machine)}


def from_json(data: Any, where: str = "scaling curve") -> ScalingCurve:
    """Make a curve of what ``to_json`` gave, whichever version of it.

    Args:
        data: as read by ``json``.
        where: names it in errors and warnings.

    Raises:
        BadSetting: it is no curve, a part is missing or means nothing, or it is of a newer version.

    Warns:
        CurveWarning: it is of an older version; what that did not record has its default.
    """
    if not isinstance(data, Mapping):
        raise BadSetting(f"{where}: {type(data).__name__} instead of a curve; write it with ScalingCurve.to_json")
    version = data.get("version", 0)
    if not isinstance(version, int) or version > VERSION:
        told = f"version {version!r} is newer than {VERSION}, the newest known here; upgrade pytest-parallel-lab"
        raise BadSetting(f"{where}: {told}")
    if version < VERSION:
        told = f"written in version {version} of the format, {VERSION} is current; measure again to have all figures"
        warnings.warn(f"{where}: {told}", CurveWarning, stacklevel=2)
    try:
        given = _known(data, ScalingCurve, where, strict=version == VERSION)
        given["points"] = tuple(_point(one, where, strict=version == VERSION) for one in given["points"])
        given["serial_times_s"] = tuple(given.get("serial_times_s", ()))
        given["task_times_s"] = tuple(tuple(one) for one in given.get("task_times_s", ()))
        return ScalingCurve(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadSetting(f"{where}: a part of the curve is missing or of another kind ({error})") from error


def load_curves(path: str | os.PathLike[str], *, machine: Mapping[str, Any] | None = None) -> tuple[ScalingCurve, ...]:
    """Read all curves of a file that pytest-benchmark has written, or the one of ``to_json``.

    Benchmarks that are points of one curve (of the same test, name, backend, kind of scaling, size
    and reference) are joined.

    Args:
        path: of the file.
        machine: facts that the curves' machine should agree with, such as ``{"cores": 8}``.

    Raises:
        OSError: the file cannot be read.
        BadSetting: it is no JSON, has no curves, or one that means nothing.

    Warns:
        CurveWarning: a curve is of an older version or of another machine, or has one point only.
    """
    with open(path, encoding="utf-8") as file:
        try:
            data = json.load(file)
        except ValueError as error:
            raise BadSetting(f"{path} is no JSON: {error}") from error
    curves = list(_joined(_found(data, str(path))).values())
    if not curves:
        told = "no benchmark in it has a scaling curve; write it with --benchmark-json from tests that use scaling"
        raise BadSetting(f"{path}: {told}")
    for curve in curves:
        if len(curve.points) == 1:
            told = "one point only, which says nothing about scaling"
            warnings.warn(f"{path}: {curve} has {told}", CurveWarning, stacklevel=2)
        different = differences(curve.machine, machine or {})
        if different:
            told = f"measured on another machine ({different}); compare ratios, not times"
            warnings.warn(f"{path}: {curve} was {told}", CurveWarning, stacklevel=2)
    return tuple(curves)


def load_curve(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    backend: str | None = None,
    machine: Mapping[str, Any] | None = None,
) -> ScalingCurve:
    """Read the one curve of a file that has this name and backend, where they are given.

    Raises:
        OSError: the file cannot be read.
        BadSetting: as ``load_curves``, or not exactly one curve fits; the text lists all.

    Warns:
        CurveWarning: as ``load_curves``.
    """
    curves = load_curves(path, machine=machine)
    chosen = [one for one in curves if name in (None, one.name) and backend in (None, one.backend)]
    if len(chosen) != 1:
        every = "; ".join(f"{one}, size {one.size:g}" for one in curves)
        raise BadSetting(f"{path}: {len(chosen)} curves fit name={name!r}, backend={backend!r}; it has: {every}")
    return chosen[0]


def differences(machine: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Say which facts of a machine are not as expected; "" where all are."""
    return ", ".join(
        f"{fact} {machine.get(fact, 'unknown')!r} instead of {value!r}"
        for fact, value in expected.items()
        if fact not in machine or machine[fact] != value
    )


def _found(data: Any, path: str) -> list[ScalingCurve]:
    """The curves or parts of curves in a file, in their order."""
    if not isinstance(data, Mapping) or not isinstance(data.get("benchmarks", []), list):
        raise BadSetting(f"{path}: neither a file of pytest-benchmark nor a scaling curve")
    if "points" in data and "benchmarks" not in data:
        return [from_json(data, path)]
    found = []
    for benchmark in data.get("benchmarks", []):
        info = benchmark.get("extra_info", {}) if isinstance(benchmark, Mapping) else {}
        if isinstance(info, Mapping) and KEY in info:
            found.append(from_json(info[KEY], f"{path}, {benchmark.get('name', 'a benchmark without a name')}"))
    return found


def _joined(parts: list[ScalingCurve]) -> dict[tuple[Any, ...], ScalingCurve]:
    """The curves by what makes them one; a point that several parts have alike counts once."""
    curves: dict[tuple[Any, ...], ScalingCurve] = {}
    for part in parts:
        key = (part.test, part.name, part.backend, part.mode, part.size, part.unit, part.serial_times_s)
        if key not in curves:
            curves[key] = part
            continue
        points = tuple(point for point in part.points if point not in curves[key].points)
        if points:
            curves[key] = curves[key].joined(points)
    return curves


def _point(data: Mapping[str, Any], where: str, *, strict: bool) -> ScalingPoint:
    given = _known(data, ScalingPoint, where, strict=strict)
    given["times_s"] = tuple(given["times_s"])
    given["serial_times_s"] = tuple(given.get("serial_times_s", ()))
    given["breakdown"] = tuple(
        tuple(WorkerTimes(**_known(one, WorkerTimes, where, strict=strict)) for one in workers)
        for workers in given.get("breakdown", ())
    )
    return ScalingPoint(**given)


def _known(data: Mapping[str, Any], kind: Any, where: str, *, strict: bool) -> dict[str, Any]:
    """The parts that a class has; those it has not are an error in the current version."""
    names = {one.name for one in fields(kind)}
    strange = sorted(set(data) - names - {"version"})
    if strange and strict:
        raise BadSetting(f"{where}: a {kind.__name__} has no {', '.join(strange)}")
    return {name: value for name, value in data.items() if name in names}
