"""Deadlocks: every buggy program is proved to hang and explained, every repaired one comes to its end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
import pytest

import reference.deadlock
from cases.deadlock.kill import kill_the_holder, kill_the_waiter
from cases.deadlock.lock_order_processes import (
    opposite_order_met_by_processes,
    opposite_order_of_processes,
    same_order_of_processes,
)
from cases.deadlock.lock_order_threads import (
    opposite_order_met_by_threads,
    opposite_order_of_threads,
    same_order_of_threads,
)
from cases.deadlock.mpi_exchange import even_ranks_send_first, isend_recv, receive_first, send_first, sendrecv
from cases.deadlock.never_released import (
    join_after_the_release,
    join_with_the_lock_held,
    lock_never_released,
    lock_released,
)
from cases.deadlock.observe import largest_that_passes
from cases.deadlock.pool_worker_dies import executor_map, executor_retry, pool_map
from cases.deadlock.queue_drain import drain_before_join, join_before_drain
from pytest_parallel_lab import Deadlock, PotentialDeadlock, name_of

Program = Callable[..., Any]

# More than a pipe holds (64 KiB on Linux), and more than any MPI library keeps: 4 MiB of doubles.
LARGE_LIST, LARGE_MESSAGE = 100_000, 1 << 19
SMALL = 8


@dataclass(frozen=True)
class Hang:
    """A program that hangs every time, and what the report on it has to say."""

    buggy: Program
    repaired: Program
    backend: str
    args: tuple[Any, ...]
    cycle: int
    """How many wait for each other in a circle; 0 where nobody is left who could end the wait."""
    says: tuple[str, ...]
    expected: Any
    """What the repaired program returns."""


TRANSFERRED = reference.deadlock.transfers_both_ways(30, 20)
HANGS = [
    Hang(lock_never_released, lock_released, "processes", (), 0, ("which nobody alive is known to hold",), "done"),
    Hang(
        join_with_the_lock_held,
        join_after_the_release,
        "processes",
        (),
        2,
        ("in Process.join", "in Lock.acquire", "held by process 1 (MainProcess)"),
        "done",
    ),
    Hang(
        opposite_order_met_by_processes,
        same_order_of_processes,
        "processes",
        (30, 20),
        2,
        ("RLock.acquire", "lock_order_processes.py"),
        TRANSFERRED,
    ),
    Hang(
        opposite_order_met_by_threads,
        same_order_of_threads,
        "threads",
        (30, 20),
        2,
        ("Lock.acquire", "lock_order_threads.py"),
        TRANSFERRED,
    ),
    Hang(
        join_before_drain,
        drain_before_join,
        "processes",
        (LARGE_LIST,),
        3,
        ("in Process.join", "thread QueueFeederThread of process 2", "waits for a pipe that is full"),
        reference.deadlock.squares(LARGE_LIST),
    ),
]


def with_backend(hang: Hang) -> Any:
    """Give a program its id, and the mark of what it is written for: it starts its workers itself."""
    return pytest.param(hang, id=name_of(hang.buggy), marks=getattr(pytest.mark, hang.backend))


def still_there(pids: list[int], limit_s: float = 5.0) -> list[int]:
    """The processes that have not ended at the limit."""
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=limit_s)
    return [process.pid for process in alive]


@pytest.mark.parametrize("hang", [with_backend(hang) for hang in HANGS])
def test_the_deadlock_is_proved_and_explained(hang: Hang, supervised: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(hang.buggy, *hang.args)
    report = caught.value.verdict.full()
    assert [words for words in hang.says if words not in report] == [], report
    assert len(caught.value.cycle) == hang.cycle, report


@pytest.mark.parametrize("hang", [with_backend(hang) for hang in HANGS])
def test_the_repaired_program_comes_to_its_end(hang: Hang, supervised: Any) -> None:
    assert supervised(hang.repaired, *hang.args) == hang.expected


@pytest.mark.processes
def test_nothing_is_left_of_deadlocked_processes(supervised: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(opposite_order_met_by_processes, 30, 20)
    pids = [process.pid for process in caught.value.processes]
    assert len(pids) == 3  # the parent and both children
    assert still_there(pids) == []


@pytest.mark.processes
def test_killed_by_hand(supervised: Any) -> None:
    hung, exit_code = supervised(kill_the_waiter)
    assert hung
    assert exit_code == -signal.SIGTERM


@pytest.mark.processes
def test_the_lock_of_a_killed_process_stays_locked(supervised: Any) -> None:
    exit_code, taken = supervised(kill_the_holder)
    assert exit_code == -signal.SIGTERM
    assert not taken


@pytest.mark.explore(seconds=30, hash_seeds=False)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(opposite_order_of_processes, marks=pytest.mark.processes),
        pytest.param(opposite_order_of_threads, marks=pytest.mark.threads),
    ],
    ids=name_of,
)
def test_a_hang_that_needs_bad_luck_is_found(program: Program, explore: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        explore(program, 30, 20)
    assert len(caught.value.cycle) == 2
    assert caught.value.replay


@pytest.mark.explore(runs=8, seconds=30, hash_seeds=False)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(same_order_of_processes, marks=pytest.mark.processes),
        pytest.param(same_order_of_threads, marks=pytest.mark.threads),
    ],
    ids=name_of,
)
def test_the_same_order_never_hangs(program: Program, explore: Any) -> None:
    explore(program, 30, 20, reference=reference.deadlock.transfers_both_ways)


@pytest.mark.processes
def test_a_small_item_passes_by_luck_and_is_suspected(supervised: Any) -> None:
    with pytest.raises(PotentialDeadlock, match="join"):
        supervised(join_before_drain, SMALL)


@pytest.mark.processes
def test_a_small_item_taken_first_is_not_suspected(supervised: Any) -> None:
    assert supervised(drain_before_join, SMALL) == reference.deadlock.squares(SMALL)


# A pool's worker that dies

with_each_pool = pytest.mark.parametrize(
    "program",
    [
        pytest.param(pool_map, marks=pytest.mark.processes),
        pytest.param(executor_map, marks=pytest.mark.executor),
        pytest.param(executor_retry, marks=pytest.mark.executor),
    ],
    ids=name_of,
)


@pytest.mark.processes
def test_a_pool_waits_for_the_task_of_a_dead_worker(supervised: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(pool_map, 6, 2)
    report = caught.value.verdict.full()
    assert "Pool.map" in report
    assert "was killed by signal 9 (SIGKILL)" in report


@pytest.mark.executor
def test_an_executor_says_that_a_worker_died(supervised: Any) -> None:
    with pytest.raises(BrokenProcessPool):
        supervised(executor_map, 6, 2)


@pytest.mark.executor
def test_what_a_broken_executor_lost_is_done_again(supervised: Any) -> None:
    assert supervised(executor_retry, 6, 2) == reference.deadlock.squares_but_one(6, fatal=2)


@with_each_pool
def test_workers_that_live_give_all_squares(program: Program, supervised: Any) -> None:
    assert supervised(program, 6, -1) == reference.deadlock.squares(6)
    assert supervised(program, 0, -1) == []


@with_each_pool
def test_a_negative_count_is_refused_by_pools(program: Program) -> None:
    with pytest.raises(ValueError, match="count is -1: the number of items must be 0 or more"):
        program(-1, 2)


@pytest.mark.processes
@pytest.mark.parametrize("program", [join_before_drain, drain_before_join], ids=name_of)
def test_a_negative_count_is_refused_before_anything_waits(program: Program) -> None:
    with pytest.raises(ValueError, match="count is -1: the number of items must be 0 or more"):
        program(-1)


# MPI: who sends first

EXCHANGES = [sendrecv, isend_recv, even_ranks_send_first]


@pytest.mark.parametrize(
    ("program", "count", "call"),
    [(receive_first, SMALL, "Recv"), (send_first, LARGE_MESSAGE, "Send")],
    ids=["receive_first", "send_first_large"],
)
def test_ranks_that_wait_for_each_other(program: Program, count: int, call: str, supervised: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(program, count, workers=2)
    assert {wait.who for wait in caught.value.cycle} == {"rank 0", "rank 1"}
    assert {wait.operation for wait in caught.value.cycle} == {call}
    assert still_there([process.pid for process in caught.value.processes if not process.host]) == []


@pytest.mark.parametrize("program", [send_first], ids=name_of)
def test_small_sends_pass_by_luck(program: Program, parallel_run: Any) -> None:
    received = parallel_run(program, SMALL, workers=2)
    np.testing.assert_array_equal(received, reference.deadlock.exchanged(SMALL))


@pytest.mark.parallel_mpi_strict("sends")
@pytest.mark.parametrize("program", [send_first], ids=name_of)
def test_without_luck_small_sends_hang_too(program: Program, parallel_run: Any) -> None:
    with pytest.raises(Deadlock) as caught:
        parallel_run(program, SMALL, workers=2)
    assert {wait.operation for wait in caught.value.cycle} == {"Send"}


@pytest.mark.parallel_mpi_strict("sends")
@pytest.mark.parametrize("count", [0, SMALL, LARGE_MESSAGE])
@pytest.mark.parametrize("program", EXCHANGES, ids=name_of)
def test_repaired_exchanges_need_no_luck(program: Program, count: int, parallel_run: Any) -> None:
    received = parallel_run(program, count, workers=2)
    np.testing.assert_array_equal(received, reference.deadlock.exchanged(count))


@pytest.mark.parallel_workers(1, 3)
@pytest.mark.parametrize("program", [receive_first, send_first, *EXCHANGES], ids=name_of)
def test_an_exchange_takes_two_ranks(program: Program, parallel_workers: int, parallel_run: Any) -> None:
    with pytest.raises(ValueError, match=f"{parallel_workers} ranks: an exchange takes 2"):
        parallel_run(program, SMALL, workers=parallel_workers)


@pytest.mark.parametrize("program", [receive_first, send_first, *EXCHANGES], ids=name_of)
def test_a_negative_message_is_refused(program: Program, parallel_run: Any) -> None:
    with pytest.raises(ValueError, match="count is -1"):
        parallel_run(program, -1, workers=2)


def test_the_reference_agrees_with_what_must_hold() -> None:
    assert sum(TRANSFERRED) == 2 * reference.deadlock.OPENING_BALANCE  # money neither appears nor vanishes
    assert sum(reference.deadlock.squares(11)) == 10 * 11 * 21 // 6
    assert reference.deadlock.squares_but_one(3, fatal=1) == [0, None, 4]


def test_a_limit_is_found_by_bisection() -> None:
    assert largest_that_passes(lambda count: count <= 8192, 0, 1 << 19) == 8192
    assert largest_that_passes(lambda count: count <= 0, 0, 1 << 19) == 0
