"""Sessions made by hand, for tests of what is reported of them."""

from __future__ import annotations

import random
from typing import Any

from pytest_parallel_lab.model.scaling_curve import ScalingCurve, ScalingPoint, WorkerTimes
from pytest_parallel_lab.report.records import Record, Session
from tests.gates import rich_gate

HOSTILE = "<script>document.title='taken'</script>\"'&`|</pre></details>{{ 7*7 }}$\\frac{$"
BACKENDS = ("threads", "processes", "executor", "ipyparallel", "mpi")


def curve(
    name: str = "pool_map",
    backend: str = "processes",
    serial_fraction: float = 0.1,
    mode: str = "strong",
    counts: tuple[int, ...] = (1, 2, 3, 4, 6),
    cores: int = 4,
    rounds: int = 9,
    serial: bool = True,
    **more: Any,
) -> ScalingCurve:
    """A curve whose times follow Amdahl's law, or grow with the workers, with a little noise."""
    noise = random.Random(name)

    def times(exact_s: float) -> tuple[float, ...]:
        return tuple(exact_s * noise.uniform(0.98, 1.02) for _ in range(rounds))

    def exact(p: int) -> float:
        used = min(p, cores)
        if mode == "weak":
            return 1 + serial_fraction * (used - 1)
        return serial_fraction + (1 - serial_fraction) / used

    points = tuple(
        ScalingPoint(p, times(exact(p)), ((WorkerTimes(exact(p)),) * p,), oversubscribed=p > cores) for p in counts
    )
    given: dict[str, Any] = {"size": 1000, "unit": "rows", "interleaved": True, **more}
    return ScalingCurve(name, backend, mode, points, times(1.0) if serial else (), **given)


def exploration(**failure: Any) -> dict[str, Any]:
    """What ``findings.exploration_data`` gives; of a race where something is said of the failure."""
    told = {
        "outcome": "1",
        "expected": "but 2 in the usual schedule",
        "why": "who goes when",
        "kind": "returned",
        "schedule": "o,h89,r0,7=main.p2",
        "interleaving": "main     main.t1\nreads    \n       → writes",
        "traceback": "",
        "latent": False,
        "replayed": 2,
        "replays": 2,
        **failure,
    }
    return {
        "function": "count",
        "statement": "explored 17 of 17 schedules at bound 1: none fails",
        "runs": 20,
        "elapsed_s": 0.7,
        "seed": 0,
        "exhausted": True,
        "searched": [["bound 1", 17, 17]],
        "outcomes": [["2", 19, "o"], ["1", 1, "o,7=main.p2"]],
        "other_outcomes": 0,
        "evidence": ["main.t1 reads n at count.py:3"],
        "failure": told if failure else None,
    }


def wait(who: str, what: str, held_by: str = "", *, in_cycle: bool = False) -> dict[str, Any]:
    """One wait of a deadlock."""
    return {
        "who": who,
        "what": what,
        "operation": "Lock.acquire",
        "at": "transfer.py:9",
        "held_by": held_by,
        "taken_at": "transfer.py:7" if held_by else "",
        "does": "",
        "in_cycle": in_cycle,
    }


def deadlock() -> dict[str, Any]:
    """What ``findings.deadlock_data`` gives."""
    return {
        "verdict": "deadlock",
        "evidence": "nothing in this run can move any more",
        "after": "",
        "again": "",
        "unproved": [],
        "waits": [
            wait("process 2", "Lock b", "process 3", in_cycle=True),
            wait("process 3", "Lock a", "process 2", in_cycle=True),
            wait("process 1", "the end of process 2"),
        ],
        "other_waits": 0,
        "report": "### process 2, pid 17",
    }


def timeline(workers: int = 3, tasks: int = 8) -> dict[str, Any]:
    """A timeline of workers that start, compute, send and wait."""
    spans = []
    for worker in range(workers):
        spans.append([f"rank {worker}", 0.0, 0.01, "start-up", "start"])
        for task in range(tasks):
            start_s = 0.01 + 0.1 * task
            spans.append([f"rank {worker}", start_s, start_s + 0.08, "compute", f"rows {task}"])
            spans.append([f"rank {worker}", start_s + 0.08, start_s + 0.09, "communication", "send"])
        spans.append([f"rank {worker}", 0.01 + 0.1 * tasks, 0.1 * (tasks + 1), "waiting", "barrier"])
    return {"title": f"{workers} ranks", "spans": spans}


def record(name: str = "test_it", outcome: str = "passed", **more: Any) -> Record:
    """A test of one problem."""
    message = "AssertionError: not this" if outcome in ("failed", "error") else ""
    return Record(**{"nodeid": f"test_lab.py::{name}", "outcome": outcome, "message": message, **more})


def session(*records: Record, **more: Any) -> Session:
    """A session with these tests."""
    return Session(**{"title": "lab", "records": list(records), "facts": [("cores", "4")], "duration_s": 1.5, **more})


def rich_session() -> Session:
    """One of everything."""
    return session(
        record("test_scales[pool_map]", problem="matmul", attachments=[("curve", curve().to_json())]),
        record(
            "test_scales[mpi_scatter]",
            problem="matmul",
            attachments=[("curve", curve("mpi_scatter", "mpi", 0.3).to_json()), ("timeline", timeline())],
        ),
        record("test_weak", problem="pi", attachments=[("curve", curve(mode="weak").to_json())]),
        record(
            "test_transfer",
            "failed",
            raised="Deadlock",
            problem="bank",
            backends=("processes",),
            workers=2,
            details="E   Deadlock",
            attachments=[("deadlock", deadlock())],
        ),
        record(
            "test_count",
            "failed",
            raised="Race",
            problem="bank",
            attachments=[("exploration", exploration(kind="returned"))],
        ),
        record("test_locked", problem="bank", attachments=[("exploration", exploration())]),
        record(
            "test_map",
            problem="mandelbrot",
            attachments=[
                ("table", {"title": "imbalance", "header": ["how", "imbalance"], "rows": [["block", 1.61]]}),
                ("figure", {"title": "drawn elsewhere", "svg": "<svg xmlns='http://www.w3.org/2000/svg'/>"}),
            ],
        ),
        record(
            "test_skipped", "skipped", message="mpi: no mpiexec on PATH", problem="bank", backends=("mpi",), workers=3
        ),
        gate=rich_gate(),
    )


def large_session(tests: int = 500) -> Session:
    """Many tests; one in fifty fails, each tenth has found something."""
    records = []
    for number in range(tests):
        outcome = "failed" if number % 50 == 7 else "skipped" if number % 50 == 9 else "passed"
        attachments: list[tuple[str, dict[str, Any]]] = []
        if number % 10 == 0:
            attachments = [
                [("curve", curve(f"solver_{number}", serial_fraction=number / 1000).to_json())],
                [("exploration", exploration(kind="returned"))],
                [("deadlock", deadlock())],
                [("timeline", timeline(8, 40))],
            ][number // 10 % 4]
        records.append(
            record(
                f"test_matches_reference[{number}]",
                outcome,
                raised="Mismatch" if outcome == "failed" else "",
                details="E   Mismatch\n" * 100 if outcome == "failed" else "",
                problem=f"problem_{number % 14}",
                backends=(BACKENDS[number % 5],),
                workers=number % 4 + 1,
                attachments=attachments,
            )
        )
    return session(*records)
