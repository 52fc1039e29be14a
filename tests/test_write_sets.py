"""What tasks write: overlaps and holes are found every time, and tasks that share an array well pass every time."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from pytest_parallel_lab import Lab, SharedArray, WritesMissing, WritesOverlap, blocks
from pytest_parallel_lab.model.write_sets import WriteSets
from tests.conftest import Run
from tests.rows import Array, fill_one_row_too_few, fill_one_row_too_many, fill_rows, put

SHAPE = (16, 64)
HALVES = [(0, 8), (8, 16)]
FORK = multiprocessing.get_context("fork")
seen: list[int] = []


@pytest.fixture(scope="module")
def one_lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def test_rows_that_two_tasks_write(one_lab: Lab) -> None:
    with pytest.raises(WritesOverlap) as caught:
        one_lab.write_sets(fill_one_row_too_many, HALVES, out=np.empty(SHAPE))
    assert str(caught.value) == (
        "fill_one_row_too_many, every task run alone:\n"
        "  tasks 0 (0, 8) and 1 (8, 16) both write row 8 (64 of 64 elements)"
    )
    (overlap,) = caught.value.sets.overlaps
    assert (overlap.first, overlap.second) == (0, 1)
    assert overlap.indices.tolist() == [[8, column] for column in range(64)]
    assert overlap.where.shape == SHAPE


def test_rows_that_no_task_writes(one_lab: Lab) -> None:
    with pytest.raises(WritesMissing) as caught:
        one_lab.write_sets(fill_one_row_too_few, HALVES, out=np.empty(SHAPE))
    assert str(caught.value) == "fill_one_row_too_few, every task run alone:\n  no task writes rows 7, 15"
    assert np.flatnonzero(caught.value.sets.holes.all(axis=1)).tolist() == [7, 15]


def test_the_mended_twin_passes_every_time(one_lab: Lab) -> None:
    for _ in range(20):
        sets = one_lab.write_sets(fill_rows, HALVES, out=np.empty(SHAPE))
        assert not sets.overlaps
        assert not sets.holes.any()
        assert [np.flatnonzero(mask.all(axis=1)).tolist() for mask in sets.written] == [[*range(8)], [*range(8, 16)]]
    assert str(sets) == "fill_rows, every task run alone:\n  every element is written by one task"


def test_the_buggy_twin_is_found_every_time(one_lab: Lab) -> None:
    for _ in range(20):
        with pytest.raises(WritesOverlap, match=r"row 8 \(64 of 64 elements\)"):
            one_lab.write_sets(fill_one_row_too_many, HALVES, out=np.empty(SHAPE))


def test_holes_may_be_allowed_and_overlaps_not(one_lab: Lab) -> None:
    sets = one_lab.write_sets(fill_one_row_too_few, HALVES, out=np.empty(SHAPE), holes="allow")
    assert sets.holes.any()
    assert not sets.overlaps
    with pytest.raises(WritesOverlap) as caught:
        one_lab.write_sets(fill_rows, [(0, 4), (2, 6)], out=np.empty(SHAPE), holes="allow")
    assert "tasks 0 (0, 4) and 1 (2, 6) both write rows 2-3 (128 of 128 elements)" in str(caught.value)
    assert "no task" not in str(caught.value)


def test_an_overlap_is_told_with_the_holes(one_lab: Lab) -> None:
    with pytest.raises(WritesOverlap, match=r"both write rows 2-3 .*\n  no task writes rows 6-15$"):
        one_lab.write_sets(fill_rows, [(0, 4), (2, 6)], out=np.empty(SHAPE))


def test_one_axis_and_arguments_that_are_no_tuples(one_lab: Lab) -> None:
    def square(out: Array, part: slice) -> None:
        out[part] = np.arange(100)[part] ** 2

    one_lab.write_sets(square, blocks(100, 7), out=np.empty(100, np.int64))
    with pytest.raises(
        WritesOverlap, match=r"tasks 0 \(slice\(0, 6, None\)\) and 1 \(slice\(5, 9, None\)\) both write"
    ) as caught:
        one_lab.write_sets(square, [slice(0, 6), slice(5, 9)], out=np.empty(10, np.int64))
    assert str(caught.value).endswith("both write element 5\n  no task writes element 9")


def test_three_axes_and_parts_of_rows(one_lab: Lab) -> None:
    def fill(out: Array, columns: slice) -> None:
        out[:, columns] = 1.0

    one_lab.write_sets(fill, [slice(0, 2), slice(2, 4)], out=np.empty((3, 4, 5)))
    with pytest.raises(WritesOverlap, match=r"both write rows 0-2 \(15 of 60 elements\)"):
        one_lab.write_sets(fill, [slice(0, 3), slice(2, 4)], out=np.empty((3, 4, 5)))
    with pytest.raises(WritesMissing, match=r"no task writes rows 0-2 \(30 of 60 elements\)"):
        one_lab.write_sets(fill, [slice(0, 2)], out=np.empty((3, 4, 5)))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.bool_, np.float16, np.float32, np.complex64, "U3", "M8[s]"])
def test_elements_of_any_type(one_lab: Lab, dtype: Any) -> None:
    def fill(out: Array, start: int) -> None:
        out[start::3] = np.ones(1).astype(out.dtype) if out.dtype.kind != "M" else np.datetime64(1, "s")

    sets = one_lab.write_sets(fill, [0, 1, 2], out=np.empty((7, 2), dtype))
    assert [np.flatnonzero(mask.all(axis=1)).tolist() for mask in sets.written] == [[0, 3, 6], [1, 4], [2, 5]]


def test_strided_rows(one_lab: Lab) -> None:
    def every_other(out: Array, start: int) -> None:
        out[start::2] = start

    one_lab.write_sets(every_other, [0, 1], out=np.empty(SHAPE))
    with pytest.raises(WritesOverlap, match=r"both write rows 0, 2, 4, 6, 8, 10 and 2 more \(512 of 512 elements\)"):
        one_lab.write_sets(every_other, [0, 1, 0], out=np.empty(SHAPE))


@pytest.mark.parametrize("byte", [0xAA, 0x55, 0x00, 0xFF])
def test_writing_the_very_sentinel(one_lab: Lab, byte: int) -> None:
    word = int.from_bytes([byte] * 8, "little")
    one_lab.write_sets(put, [(0, byte), (1, byte)], out=np.empty(2, np.uint8))
    one_lab.write_sets(put, [(0, word), (1, word)], out=np.empty(2, np.uint64))
    with pytest.raises(WritesOverlap, match=r"both write element 1$"):
        one_lab.write_sets(put, [(slice(0, 2), word), (1, word)], out=np.empty(2, np.uint64))


def test_values_that_come_from_what_is_there(one_lab: Lab) -> None:
    def swap_bits(out: Array, start: int, stop: int) -> None:
        out[start:stop] ^= 0xFF  # turns one sentinel into the other

    def other_sentinel(out: Array, start: int, stop: int) -> None:
        out[start:stop] = np.where(out[start:stop] == 0xAA, 0x55, 0xAA)

    def add_one(out: Array, start: int, stop: int) -> None:
        out[start:stop] += 1

    for task in (swap_bits, other_sentinel, add_one):
        one_lab.write_sets(task, HALVES, out=np.empty(SHAPE, np.uint8))
        with pytest.raises(WritesOverlap, match="both write row 8 "):
            one_lab.write_sets(task, [(0, 9), (8, 16)], out=np.empty(SHAPE, np.uint8))
    for dtype in (np.float16, np.float32, np.float64):  # 1 is lost in one sentinel's value, not in the other's
        one_lab.write_sets(add_one, HALVES, out=np.empty(SHAPE, dtype))


def test_reading_what_the_task_has_written(one_lab: Lab) -> None:
    def running_sum(out: Array, start: int, stop: int) -> None:
        out[start:stop] = 0.0
        for row in range(start, stop):
            out[row] += row + (out[row - 1] if row > start else 0.0)

    one_lab.write_sets(running_sum, HALVES, out=np.empty(SHAPE))


def test_fields_are_written_apart(one_lab: Lab) -> None:
    dtype = np.dtype([("x", "f8"), ("n", "i1"), ("pos", "f4", (3,))], align=True)

    def fill(out: Array, fields: tuple[str, ...]) -> None:
        for field in fields:
            out[field] = 1

    whole = one_lab.write_sets(put, [(slice(0, 4), np.zeros((), dtype))], out=np.empty(4, dtype))
    assert whole.names == ["x", "n", "pos"]
    sets = one_lab.write_sets(fill, [(("x",),), (("n", "pos"),)], out=np.empty(4, dtype))
    assert [mask.all() for mask in sets.written] == [True, True]
    with pytest.raises(WritesOverlap, match=r"both write elements 0-3 \(n only\)"):
        one_lab.write_sets(fill, [(("x", "n"),), (("n", "pos"),)], out=np.empty(4, dtype))
    with pytest.raises(WritesMissing, match=r"no task writes rows 0-1 \(x, pos only\)"):
        one_lab.write_sets(fill, [(("n",),)], out=np.empty((2, 2), dtype))


def test_real_and_imaginary_parts_are_written_apart(one_lab: Lab) -> None:
    def fill(out: Array, part: str) -> None:
        getattr(out, part)[...] = 1.0

    one_lab.write_sets(fill, ["real", "imag"], out=np.empty(SHAPE, complex))
    with pytest.raises(WritesMissing, match=r"no task writes rows 0-15 \(imag only\)"):
        one_lab.write_sets(fill, ["real"], out=np.empty(SHAPE, complex))


def test_a_ufunc_with_out(one_lab: Lab) -> None:
    def add(out: Array, a: Array, start: int, stop: int) -> None:
        np.add(a[start:stop], 1.0, out=out[start:stop])

    a = np.random.default_rng(0).random((512, 512))  # large enough to travel through shared memory
    one_lab.write_sets(add, [(a, 0, 256), (a, 256, 512)], out=np.empty_like(a))
    with pytest.raises(WritesOverlap) as caught:
        one_lab.write_sets(add, [(a, 0, 257), (a, 256, 512)], out=np.empty_like(a))
    first = "tasks 0 (array of shape (512, 512), 0, 257) and 1 (array of shape (512, 512), 256, 512)"
    assert f"{first} both write row 256 (512 of 512 elements)" in str(caught.value)


def test_the_order_of_axes_in_memory_is_kept(one_lab: Lab) -> None:
    def fill(out: Array, start: int, stop: int) -> None:
        assert out.flags.f_contiguous
        out[start:stop, ::2] = 1.0

    sets = one_lab.write_sets(fill, HALVES, out=np.empty(SHAPE, order="F"), holes="allow")
    assert sets.written[0].shape == SHAPE
    assert np.argwhere(sets.written[0]).tolist() == [[row, column] for row in range(8) for column in range(0, 64, 2)]


def test_what_out_holds_is_neither_read_nor_changed(one_lab: Lab) -> None:
    def fill(out: Array, start: int, stop: int) -> None:
        assert (out.view(np.uint8) == 0xAA).all() or (out.view(np.uint8) == 0x55).all()
        fill_rows(out, start, stop)

    out = np.full(SHAPE, 7.0)
    one_lab.write_sets(fill, HALVES, out=out)
    assert (out == 7.0).all()


def test_every_task_is_in_a_fresh_process(one_lab: Lab) -> None:
    def once(out: Array, row: int) -> None:
        assert seen == [], "a module of its own"
        seen.append(row)
        out[row] = row

    one_lab.write_sets(once, [0, 1, 2], out=np.empty((3, 3)))


def test_tasks_that_have_processes_of_their_own(one_lab: Lab) -> None:
    def in_a_pool(out: Array, start: int, stop: int) -> None:
        shared = SharedArray.of(out)
        with FORK.Pool(2) as pool:
            pool.starmap(_fill_shared, [(shared, row) for row in range(start, stop)])

    one_lab.write_sets(in_a_pool, HALVES, out=np.empty(SHAPE))


def _fill_shared(shared: SharedArray, row: int) -> None:
    shared.array[row] = row


def test_many_tasks_and_many_overlaps_are_told_in_short(one_lab: Lab) -> None:
    one_lab.write_sets(fill_rows, [(i, i + 1) for i in range(16)], out=np.empty(SHAPE))
    with pytest.raises(WritesOverlap) as caught:
        one_lab.write_sets(fill_rows, [(0, 16)] * 8, out=np.empty(SHAPE))
    assert len(caught.value.sets.overlaps) == 28
    assert str(caught.value).endswith("and 18 more pairs of tasks")


def test_tasks_that_write_nothing(one_lab: Lab) -> None:
    def rebinds(out: Array, row: int) -> None:
        out = np.zeros_like(out)

    one_lab.write_sets(fill_rows, [*HALVES, (16, 16)], out=np.empty(SHAPE))
    with pytest.raises(WritesMissing) as caught:
        one_lab.write_sets(rebinds, [0, 1], out=np.empty((2, 2)))
    assert str(caught.value) == (
        "rebinds, every task run alone:\n"
        "  no task writes rows 0-1\n"
        "  tasks 0 (0), 1 (1) write nothing (only out[...] = x writes; out = x gives the name to another array)"
    )


def test_nothing_outlives_it(lab: Lab) -> None:  # the fixture looks
    lab.write_sets(fill_rows, HALVES, out=np.empty(SHAPE))


def test_the_sets_are_plain_data(one_lab: Lab) -> None:
    sets = one_lab.write_sets(fill_rows, HALVES, out=np.empty(SHAPE))
    again: WriteSets = pickle.loads(pickle.dumps(sets))
    assert again.text() == sets.text()


def test_the_fixture(pytester: pytest.Pytester, run_pytest: Run) -> None:
    pytester.makepyfile("""
        import numpy as np

        def fill(out, start, stop):
            print(f"filling {start}")
            out[start:stop + 1] = start

        def test_overlap(write_sets):
            write_sets(fill, [(0, 8), (8, 16)], out=np.empty((16, 64)))

        def test_hole(write_sets):
            write_sets(fill, [(0, 7), (8, 14)], out=np.empty((16, 64)))

        def test_fine(write_sets):
            write_sets(fill, [(0, 7), (8, 14)], out=np.empty((16, 64)), holes="allow")
            assert write_sets(fill, [(0, 7), (8, 15)], out=np.empty((16, 64))).written[0][:8].all()
    """)
    result = run_pytest("-v")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "E       pytest_parallel_lab.WritesOverlap: fill, every task run alone:",
            "E         tasks 0 (0, 8) and 1 (8, 16) both write row 8 (64 of 64 elements)",
            "*stdout of runner*",
            "filling 0",
            "E       pytest_parallel_lab.WritesMissing: fill, every task run alone:",
            "E         no task writes row 15",
        ]
    )
