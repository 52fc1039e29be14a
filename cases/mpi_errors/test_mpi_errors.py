"""Native errors: what the library finds wrong becomes an exception, or the end, and says what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from cases.mpi_errors.error_handlers import handlers_of_copies
from cases.mpi_errors.freed_communicator import freed_at_the_end, freed_too_early
from cases.mpi_errors.invalid_root import root_counted_from_one, root_counted_from_zero
from cases.mpi_errors.native_error import NativeError, outcome_of
from cases.mpi_errors.truncation import guessed_length, probed_length
from cases.mpi_errors.wrong_rank import line_off_its_end, ring
from pytest_parallel_lab import ScriptFailed, WorkerRaised, name_of
from reference.mpi_errors import left_neighbours, sums_by_parity

if TYPE_CHECKING:
    pass

COUNT = 5

# A wrong program, its arguments, the ranks out of three that meet the error, its class, and words that
# both MPICH and Open MPI use for it.
WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], set[int], str, str]] = [
    (line_off_its_end, (), {2}, "ERR_RANK", "invalid rank"),
    (guessed_length, (COUNT,), {2}, "ERR_TRUNCATE", "message truncated"),
    (root_counted_from_one, (), {0, 1, 2}, "ERR_ROOT", "invalid root"),
    (freed_too_early, (), {0, 1, 2}, "ERR_COMM", "invalid communicator"),
]
RANKS = 3


@pytest.mark.parametrize(
    ("program", "args", "who", "name", "words"),
    [pytest.param(*one, id=name_of(one[0])) for one in WRONG],
)
def test_a_native_error_is_an_exception_with_class_and_string(
    program: Any, args: tuple[Any, ...], who: set[int], name: str, words: str, mpiexec: Any
) -> None:
    outcomes = mpiexec(outcome_of, program, *args, ranks=RANKS)
    errors = {rank: one for rank, one in enumerate(outcomes) if isinstance(one, NativeError)}
    assert set(errors) == who
    assert {error.name for error in errors.values()} == {name}
    assert all(words in error.string.lower() for error in errors.values())


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_repaired_programs_are_right(ranks: int, mpiexec: Any) -> None:
    assert mpiexec(ring, ranks=ranks) == left_neighbours(ranks)
    assert mpiexec(root_counted_from_zero, ranks=ranks) == [ranks - 1] * ranks
    assert mpiexec(freed_at_the_end, ranks=ranks) == sums_by_parity(ranks)
    if ranks > 1:
        assert mpiexec(probed_length, COUNT, ranks=ranks) == [None] * (ranks - 1) + [sum(range(COUNT))]


def test_an_exception_that_nobody_catches_tells_rank_and_error(mpiexec: Any) -> None:
    with pytest.raises(WorkerRaised, match=r"(?i)invalid root") as caught:
        mpiexec(root_counted_from_one, ranks=RANKS)
    told = str(caught.value)
    assert "### rank 0 of 3 on " in told
    assert "in root_counted_from_one" in told


@pytest.mark.parametrize("program", [guessed_length, probed_length], ids=name_of)
def test_one_rank_has_nobody_to_send_to(program: Any, mpiexec: Any) -> None:
    with pytest.raises(ValueError, match="one rank has nobody to send to: run it on 2 or more"):
        mpiexec(program, COUNT, ranks=1)


@pytest.mark.parametrize("serial", [left_neighbours, sums_by_parity])
def test_the_references_refuse_no_ranks(serial: Callable[[int], list[int]]) -> None:
    with pytest.raises(ValueError, match="ranks is 0"):
        serial(0)


def test_the_references_agree_with_small_cases() -> None:
    assert left_neighbours(1) == [0]
    assert left_neighbours(3) == [2, 0, 1]
    assert sums_by_parity(5) == [0 + 2 + 4, 1 + 3, 0 + 2 + 4, 1 + 3, 0 + 2 + 4]


# --- handlers --------------------------------------------------------------------------------


def test_errors_are_returned_unless_one_says_otherwise_for_each_communicator(mpiexec: Any) -> None:
    # In the standard a copy has the handler of its original. mpi4py sets ERRORS_RETURN on every one that it makes.
    expected = ["ERRORS_RETURN", "ERRORS_ARE_FATAL", "ERRORS_RETURN"]
    assert mpiexec(handlers_of_copies, ranks=RANKS) == [expected] * RANKS


def test_with_errors_return_the_program_goes_on(mpiexec: Any) -> None:
    result = mpiexec.script("send_to_nobody.py", "ERRORS_RETURN", ranks=2)
    assert result.stdout == ["before\ncaught True\nafter\n", "after\n"]


def test_with_errors_are_fatal_all_ranks_end(mpiexec: Any) -> None:
    result = mpiexec.script("send_to_nobody.py", "ERRORS_ARE_FATAL", ranks=2, check=False)
    assert result.stdout == ["before\n", ""]  # nothing after it, on any rank
    assert all(code != 0 for code in result.returncode)
    with pytest.raises(ScriptFailed, match=r"send_to_nobody\.py failed"):
        result.check()
