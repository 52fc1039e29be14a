"""Which points of a curve a law is fitted to, and what of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.scaling_laws import (
    Fit,
    NotEnoughPoints,
    fit_amdahl,
    fit_gustafson,
    fit_usl,
    points_needed,
)

if TYPE_CHECKING:
    from pytest_parallel_lab.model.scaling_curve import ScalingCurve

MODES = {"strong": ("amdahl", "usl"), "weak": ("gustafson", "usl")}
"""Strong: the same work for all worker counts; weak: the same for each worker. With the laws that apply."""


def fit_curve(curve: ScalingCurve, law: str | None, *, oversubscribed: bool) -> Fit:
    """Fit a law; arguments and errors as of ``ScalingCurve.fit``."""
    law = law or MODES[curve.mode][0]
    if law not in MODES[curve.mode]:
        raise BadSetting(f"{curve}: {law!r} is no law of {curve.mode} scaling; fit {' or '.join(MODES[curve.mode])}")
    points = [point for point in curve.points if oversubscribed or not point.oversubscribed]
    left = len(curve.points) - len(points)
    if len(points) < points_needed(law):
        out = f", without the {left} that are oversubscribed" if left else ""
        told = f"{law} needs {points_needed(law)} worker counts and there are {len(points)}{out}"
        raise NotEnoughPoints(f"{curve}: {told}; with fewer the fit could not be wrong")
    times = {point.workers: point.times_s for point in points}
    resolutions = {point.workers: point.resolution_s for point in points}
    if law == "gustafson":
        serial_s = {point.workers: curve.serial_of(point) for point in points}
        unseen_s = {point.workers: curve.serial_resolution_of(point) for point in points}
        return fit_gustafson(
            times, serial_s, curve.confidence, resolutions_s=resolutions, serial_resolutions_s=unseen_s
        )
    if law == "amdahl":
        return fit_amdahl(times, curve.confidence, resolutions_s=resolutions)
    scaled = {p: [time / curve.grown(p) for time in rounds] for p, rounds in times.items()}
    return fit_usl(scaled, curve.confidence, resolutions_s={p: one / curve.grown(p) for p, one in resolutions.items()})
