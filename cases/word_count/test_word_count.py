"""Word count: is it right wherever documents are cut, in any script, and what does a combiner save?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reference.word_count
from cases.word_count import observe
from cases.word_count.ipyparallel_balanced import ipyparallel_balanced
from cases.word_count.mpi_reduce import mpi_reduce
from cases.word_count.pool_combine import pool_combine
from cases.word_count.pool_naive_cut import pool_naive_cut
from cases.word_count.pool_pairs import pool_pairs
from cases.word_count.serial import serial
from pytest_parallel_lab import Mismatch, name_of

PARALLEL = [pool_pairs, pool_combine, ipyparallel_balanced, mpi_reduce]
GETTYSBURG = Path(__file__).with_name("gettysburg.txt")

DOCUMENTS = {
    "empty": "",
    "word": "word",
    "long": "Donau" + "dampf" * 9 + "schiff",  # more than a chunk, and no separator at all
    "scripts": "Straße STRASSE; naïve nai\u0308ve — Ὀδυσσεύς ὈΔΥΣΣΕΎΣ हिन्दी 東京。東京 👩‍👩‍👧 a_b",
    "apostrophes": "don't don\u2019t 'don't' rock'n'roll l\u2019été 'tis ''\n",
}
ALL = list(DOCUMENTS)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[str]]:
    """Write documents by name; return their paths."""

    def write(*names: str) -> list[str]:
        for name in names:
            (tmp_path / name).write_bytes(DOCUMENTS[name].encode())
        return [str(tmp_path / name) for name in names]

    return write


@pytest.mark.parallel_workers(1, 2, 3)
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parallel_subjects(*PARALLEL)
def test_matches_reference(
    parallel_subject: Any, chunk_size: int, write: Any, parallel_run: Any, parallel_workers: int
) -> None:
    parallel_run(
        parallel_subject, write(*ALL), chunk_size, workers=parallel_workers, reference=reference.word_count.word_count
    )


@pytest.mark.parallel_workers(3)
@pytest.mark.parametrize("names", [["empty"], ["word"], ["word"] * 7, ["empty", "long", "empty"]], ids="-".join)
@pytest.mark.parallel_subjects(*PARALLEL)
def test_few_and_empty_documents(
    parallel_subject: Any, names: list[str], write: Any, parallel_run: Any, parallel_workers: int
) -> None:
    parallel_run(
        parallel_subject, write(*names), 5, workers=parallel_workers, reference=reference.word_count.word_count
    )


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize(
    ("paths", "chunk_size", "message"),
    [
        pytest.param([], 10, "document", id="no-documents"),
        pytest.param(["word"], 0, "chunk", id="chunk-of-0"),
        pytest.param(["word"], -3, "chunk", id="chunk-of-minus-3"),
        pytest.param(["word", "missing"], 10, "missing", id="missing-file"),
        pytest.param(["latin1"], 4, "(?i)utf-?8", id="not-utf-8"),
    ],
)
@pytest.mark.parallel_subjects(*PARALLEL)
def test_bad_input_is_refused(
    parallel_subject: Any,
    paths: list[str],
    chunk_size: int,
    message: str,
    tmp_path: Path,
    parallel_run: Any,
    parallel_workers: int,
) -> None:
    (tmp_path / "word").write_text("word")
    (tmp_path / "latin1").write_bytes("ein schönes Durcheinander".encode("latin-1"))
    documents = [str(tmp_path / path) for path in paths]
    with pytest.raises((ValueError, FileNotFoundError)):
        reference.word_count.word_count(documents, chunk_size)
    with pytest.raises(Exception, match=message):  # ipyparallel has an error of its own around that of an engine
        parallel_run(parallel_subject, documents, chunk_size, workers=parallel_workers)


@pytest.mark.parallel_workers(2)
@pytest.mark.parametrize("chunk_size", [1, 3, 7, 20])
def test_a_naive_cut_is_caught(chunk_size: int, write: Any, parallel_run: Any, parallel_workers: int) -> None:
    """Its repair, ``pool_combine``, passes the same in ``test_matches_reference``."""
    with pytest.raises(Mismatch, match="pool_naive_cut"):
        parallel_run(
            pool_naive_cut,
            write(*ALL),
            chunk_size,
            workers=parallel_workers,
            reference=reference.word_count.word_count,
        )


def test_a_combiner_sends_less(tmp_path: Path) -> None:
    paths = observe.write_documents(tmp_path, 4000, vocabulary=50)
    sent = observe.travelled(paths)
    assert sent["pool_combine"] < sent["pool_pairs"] / 5
    wrong, unwritten = observe.wrong_by_naive_cut(paths, reference.word_count.word_count(paths, 1), 100)
    assert wrong > unwritten > 0


def test_nothing_to_observe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="7 words make no 8 documents"):
        observe.write_documents(tmp_path, 7)
    with pytest.raises(ValueError, match="rounds is 0"):
        observe.times([], Counter(), 0)


@pytest.mark.parametrize("implementation", [serial, *PARALLEL], ids=name_of)
def test_speed(implementation: Any, tmp_path: Path, parallel_run: Any, benchmark: Any) -> None:
    text = GETTYSBURG.read_text() * 50  # 74 kB
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text(text)
    paths = [str(path) for path in sorted(tmp_path.iterdir())]
    total = benchmark(parallel_run, implementation, paths, 1 << 14)
    once = reference.word_count.words(GETTYSBURG.read_text())
    assert total == Counter({word: 200 * times for word, times in Counter(once).items()})
