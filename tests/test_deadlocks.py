"""The corpus of deadlocks: every buggy program is proved and explained, no other is ever accused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_parallel_lab import Deadlock, Lab, Outcome
from pytest_parallel_lab.backends import supervision
from tests.deadlocks import corpus, subprocesses
from tests.deadlocks.corpus import Program

BUGGY, FIXED, INNOCENT = corpus.load()
LIMIT_S = 20.0
AT_ONCE = 8  # on few cores: innocent programs are watched under load
HANGING_AT_ONCE = 4  # most of the time they stand still


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture(scope="module")
def outcomes(lab: Lab, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """What becomes of the buggy programs, some of which run at the same time: of those whose tests were chosen."""
    chosen = {item.name for item in request.session.items if item.path == request.path}
    assert not lab.keeper.lost  # started once, and not by several of the threads
    with ThreadPoolExecutor(HANGING_AT_ONCE) as threads:
        yield {
            program.id: threads.submit(lab.supervise, program.function, limit_s=LIMIT_S)
            for program in BUGGY
            if f"{test_a_deadlock_is_proved_and_explained.__name__}[{program.id}]" in chosen
        }


def verdict_on(lab: Lab, program: Program) -> str | None:
    """The report on a program that was stopped; None where it came to its end."""
    outcome = lab.supervise(program.function, limit_s=LIMIT_S)
    if outcome.verdict is not None:
        return outcome.verdict.full()
    outcome.result()
    return None


def verdicts_on(lab: Lab, programs: list[Program]) -> dict[str, str]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        found = threads.map(lambda program: verdict_on(lab, program), programs)
        return {program.id: text for program, text in zip(programs, found) if text is not None}


def test_the_corpus_is_large() -> None:
    assert len(BUGGY) >= 30
    assert len(INNOCENT) >= 20
    assert all(program.fixed is not None for program in BUGGY)


@pytest.mark.parametrize("program", BUGGY, ids=lambda program: program.id)
def test_a_deadlock_is_proved_and_explained(program: Program, outcomes: dict[str, Future[Outcome]]) -> None:
    verdict = outcomes[program.id].result().verdict
    assert verdict is not None
    assert verdict.proved, verdict.full()
    assert [words for words in program.says if words not in verdict.full()] == [], verdict.full()
    if program.cycle is not None:
        assert len(verdict.cycle) == program.cycle, verdict.full()


def test_no_mended_program_is_accused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "LOOK_AFTER_S", 0.0)  # watched from its first moment to its last
    assert verdicts_on(lab, FIXED) == {}


def test_no_innocent_program_is_accused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "LOOK_AFTER_S", 0.0)
    assert verdicts_on(lab, INNOCENT) == {}


def transfer_both_ways() -> None:
    from tests.deadlocks import locks

    locks.two_processes()


def test_the_exception_carries_the_cycle_and_the_processes(supervised: Callable[..., Any]) -> None:
    with pytest.raises(Deadlock) as caught:
        supervised(transfer_both_ways)
    assert len(caught.value.cycle) == 2
    first, second = caught.value.cycle
    assert (first.held_by, second.held_by) == (second.who, first.who)
    assert first.at
    assert first.taken_at
    assert first.taken_at.line < first.at.line
    assert [process.exit_status for process in caught.value.processes] == [None] * 3
    assert all(process.threads[0].stack for process in caught.value.processes)


def test_py_spy_reads_the_stacks_of_other_programs(
    supervised: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "py-spy"
    program.write_text('#!/bin/sh\necho "Thread $3 (idle) as py-spy saw it"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(Deadlock) as caught:
        supervised(subprocesses.both_read)
    (other,) = [process for process in caught.value.processes if process.command]
    assert other.stacks == f"Thread {other.pid} (idle) as py-spy saw it\n"
    assert "as py-spy saw it" in caught.value.verdict.full()
