"""What messages cost, measured on every backend: all is there, bad input is told, known costs come out."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from pytest_parallel_lab import BadSetting, Lab
from pytest_parallel_lab.model.scaling_laws import NotEnoughPoints
from pytest_parallel_lab.scaling import communication
from pytest_parallel_lab.scaling.communication import Communication, measure_communication
from pytest_parallel_lab.scaling.exchanges import EXCHANGES, in_turn, repeats_of

SIZES = (8, 4096, 65_536)


@pytest.mark.parametrize("backend", EXCHANGES)
def test_every_backend_is_measured(backend: str, lab: Lab) -> None:
    if reason := lab.missing(backend):
        pytest.skip(reason)
    shown: list[str] = []
    found = measure_communication(lab, backend, sizes=SIZES, rounds=6, show=shown.append)
    assert (found.backend, found.workers, found.oversubscribed) == (backend, 2, found.oversubscribed)
    assert [text.split(": ")[1] for text in shown] == ["messages", "broadcasts", "requests"]
    for samples in found.samples.values():
        assert sorted(samples) == list(SIZES)
        assert all(len(times) == 6 and min(times) > 0 for times in samples.values())
    for network in (found.messages, found.broadcasts, found.requests):
        assert network.alpha_s.has_interval
        assert 0 < network.message_s(SIZES[0]) < 1  # seconds
    assert f"communication of {backend}, 2 workers" in str(found)


def test_a_process_takes_longer_than_a_thread(lab: Lab) -> None:
    """A known order of costs: what crosses a pipe and is pickled costs more of each byte than what is shared."""
    found = {name: measure_communication(lab, name, sizes=(8, 262_144, 4_194_304)) for name in ("threads", "processes")}
    least = {name: min(one.samples["messages"][4_194_304]) for name, one in found.items()}
    assert least["processes"] > 5 * least["threads"]


def fake(alpha_s: float, beta_s: float, factor: int = 1) -> Any:
    def exchange(repeats: Any, rounds: int) -> dict[int, list[float]]:
        rng = random.Random(1)
        return {
            size: [factor * (alpha_s + beta_s * size) * rng.lognormvariate(0, 0.02) for _ in range(rounds)]
            for size in repeats
        }

    return exchange


class FakeLab:
    """Carries out what measures at once, here."""

    def backend(self, name: str) -> Any:
        return type("Backend", (), {"name": name})

    def lease(self, backend: str, workers: int) -> Any:
        lease = type("Lease", (), {"ended": False})()
        self.leased = lease

        def run(exchange: Any, repeats: Any, rounds: int, timed: bool) -> Any:
            assert timed
            return type("Outcome", (), {"result": lambda self: exchange(repeats, rounds)})()

        def end() -> None:
            lease.ended = True

        lease.run, lease.end = run, end
        return lease


@pytest.mark.parametrize(("backend", "workers", "hops"), [("mpi", 5, 3), ("mpi", 2, 1), ("processes", 5, 5)])
def test_known_costs_come_out(backend: str, workers: int, hops: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXCHANGES, backend, (fake(2e-6, 1e-9), fake(3e-6, 2e-9, hops), fake(4e-5, 3e-9)))
    lab = FakeLab()
    found = measure_communication(lab, backend, workers)  # type: ignore[arg-type]
    assert lab.leased.ended
    for network, alpha_s, beta_s in ((found.messages, 2e-6, 1e-9), (found.broadcasts, 3e-6, 2e-9)):
        assert network.alpha_s.low <= alpha_s <= network.alpha_s.high
        assert network.beta_s.low <= beta_s <= network.beta_s.high
    assert " us + " in str(found)
    service = found.service_s(100_000)
    assert service.low < 4e-5 + 3e-4 < service.high
    assert service.relative_width < 0.2
    assert found.in_tree is (backend == "mpi")


def test_long_latencies_are_told_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXCHANGES, "mpi", (fake(2e-3, 1e-9),) * 3)
    assert re.search(r"message +2\.?\d* \[[\d., ]+\] ms \+ ", str(measure_communication(FakeLab(), "mpi")))  # type: ignore[arg-type]


def test_workers_are_given_back_when_measuring_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(repeats: Any, rounds: int) -> None:
        raise RuntimeError("no messages today")

    monkeypatch.setitem(EXCHANGES, "mpi", (broken, broken, broken))
    lab = FakeLab()
    with pytest.raises(RuntimeError, match="no messages today"):
        measure_communication(lab, "mpi")  # type: ignore[arg-type]
    assert lab.leased.ended


@pytest.mark.parametrize(
    ("backend", "options", "error", "told"),
    [
        ("serial", {}, BadSetting, "serial: how its messages are to be measured is not known"),
        ("mpy", {}, BadSetting, "did you mean 'mpi'"),
        ("threads", {"workers": 1}, BadSetting, "1 worker has nobody to send to"),
        ("threads", {"workers": 0}, BadSetting, "number of workers"),
        ("threads", {"rounds": 0}, BadSetting, "rounds is 0"),
        ("threads", {"sizes": (8, 1024)}, NotEnoughPoints, "2 message sizes"),
        ("threads", {"confidence": 95}, BadSetting, "confidence"),
    ],
)
def test_bad_input_is_told(backend: str, options: dict[str, Any], error: type[Exception], told: str, lab: Lab) -> None:
    with pytest.raises(error, match=told):
        measure_communication(lab, backend, **options)
    lab.keeper  # noqa: B018  the fixture looks at its end


def test_sizes_come_in_random_order_and_all_in_every_round() -> None:
    repeats = repeats_of((8, 1024, 1 << 20, 1 << 25))
    assert repeats == {8: 20, 1024: 20, 1 << 20: 1, 1 << 25: 1}
    order = [*in_turn(repeats, 50)]
    rounds = [order[i : i + 4] for i in range(0, 200, 4)]
    assert all(sorted(one) == sorted(repeats) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 10
    assert order == [*in_turn(repeats, 50)]


def test_the_defaults_give_intervals() -> None:
    assert communication.ROUNDS >= 6
    assert len(communication.SIZES) >= 3
    assert Communication.__doc__
