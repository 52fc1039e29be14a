"""Is it right, can it hang, does it scale? Tests of parallel code on every backend.

Importing this package imports no backend: names are looked up at first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_parallel_lab.backends.base import Backend, RunnerBackend, WorkerGroup
    from pytest_parallel_lab.backends.mpi.script import ScriptResult
    from pytest_parallel_lab.keeper.host import Host
    from pytest_parallel_lab.keeper.memory import SharedArray
    from pytest_parallel_lab.lab import Lab
    from pytest_parallel_lab.lease import Lease
    from pytest_parallel_lab.model.communication import Network
    from pytest_parallel_lab.model.decomposition import blocks
    from pytest_parallel_lab.model.errors import (
        BackendMissing,
        BadSetting,
        CannotSend,
        Deadlock,
        KeeperLost,
        LeftOver,
        Mismatch,
        NotHarmed,
        NumericalNondeterminism,
        NumericalNondeterminismWarning,
        ParallelError,
        PotentialDeadlock,
        Race,
        SameStream,
        ScriptFailed,
        StartFailed,
        Stuck,
        TimedOut,
        WorkerDied,
        WorkerRaised,
        WritesMissing,
        WritesOverlap,
    )
    from pytest_parallel_lab.model.exploration import Exploration
    from pytest_parallel_lab.model.implementation import implementation, name_of
    from pytest_parallel_lab.model.outcome import Outcome
    from pytest_parallel_lab.model.projection import Projection, project
    from pytest_parallel_lab.model.scaling_curve import (
        CurveWarning,
        NoSerialTime,
        ScalingCurve,
        ScalingPoint,
        WorkerTimes,
    )
    from pytest_parallel_lab.model.scaling_laws import NotEnoughPoints
    from pytest_parallel_lab.model.settings import Settings
    from pytest_parallel_lab.model.site import Site
    from pytest_parallel_lab.model.statistics import Estimate
    from pytest_parallel_lab.model.write_sets import WriteSets
    from pytest_parallel_lab.scaling.communication import Communication, measure_communication
    from pytest_parallel_lab.scaling.measure import ReturnedEarly, measure_scaling

__version__ = "0.1.0"

_HOMES = {
    "Backend": "backends.base",
    "BackendMissing": "model.errors",
    "BadSetting": "model.errors",
    "CannotSend": "model.errors",
    "Communication": "scaling.communication",
    "CurveWarning": "model.scaling_curve",
    "Deadlock": "model.errors",
    "Estimate": "model.statistics",
    "Exploration": "model.exploration",
    "Host": "keeper.host",
    "KeeperLost": "model.errors",
    "Lab": "lab",
    "Lease": "lease",
    "LeftOver": "model.errors",
    "Mismatch": "model.errors",
    "Network": "model.communication",
    "NoSerialTime": "model.scaling_curve",
    "NotEnoughPoints": "model.scaling_laws",
    "NotHarmed": "model.errors",
    "NumericalNondeterminism": "model.errors",
    "NumericalNondeterminismWarning": "model.errors",
    "Outcome": "model.outcome",
    "ParallelError": "model.errors",
    "PotentialDeadlock": "model.errors",
    "Projection": "model.projection",
    "Race": "model.errors",
    "ReturnedEarly": "scaling.measure",
    "RunnerBackend": "backends.base",
    "SameStream": "model.errors",
    "ScalingCurve": "model.scaling_curve",
    "ScalingPoint": "model.scaling_curve",
    "ScriptFailed": "model.errors",
    "ScriptResult": "backends.mpi.script",
    "Settings": "model.settings",
    "SharedArray": "keeper.memory",
    "Site": "model.site",
    "StartFailed": "model.errors",
    "Stuck": "model.errors",
    "TimedOut": "model.errors",
    "WorkerDied": "model.errors",
    "WorkerGroup": "backends.base",
    "WorkerRaised": "model.errors",
    "WorkerTimes": "model.scaling_curve",
    "WriteSets": "model.write_sets",
    "WritesMissing": "model.errors",
    "WritesOverlap": "model.errors",
    "blocks": "model.decomposition",
    "implementation": "model.implementation",
    "measure_communication": "scaling.communication",
    "measure_scaling": "scaling.measure",
    "name_of": "model.implementation",
    "project": "model.projection",
}

__all__ = [
    "Backend",
    "BackendMissing",
    "BadSetting",
    "CannotSend",
    "Communication",
    "CurveWarning",
    "Deadlock",
    "Estimate",
    "Exploration",
    "Host",
    "KeeperLost",
    "Lab",
    "Lease",
    "LeftOver",
    "Mismatch",
    "Network",
    "NoSerialTime",
    "NotEnoughPoints",
    "NotHarmed",
    "NumericalNondeterminism",
    "NumericalNondeterminismWarning",
    "Outcome",
    "ParallelError",
    "PotentialDeadlock",
    "Projection",
    "Race",
    "ReturnedEarly",
    "RunnerBackend",
    "SameStream",
    "ScalingCurve",
    "ScalingPoint",
    "ScriptFailed",
    "ScriptResult",
    "Settings",
    "SharedArray",
    "Site",
    "StartFailed",
    "Stuck",
    "TimedOut",
    "WorkerDied",
    "WorkerGroup",
    "WorkerRaised",
    "WorkerTimes",
    "WriteSets",
    "WritesMissing",
    "WritesOverlap",
    "blocks",
    "implementation",
    "measure_communication",
    "measure_scaling",
    "name_of",
    "project",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
