"""What a word is, against sources of their own; and cuts: no word split, no byte lost, little in memory."""

from __future__ import annotations

import re
import shutil
import subprocess
import tracemalloc
import unicodedata
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from cases.word_count.chunks import Chunk, cut_up, read
from cases.word_count.serial import serial
from cases.word_count.test_word_count import DOCUMENTS, GETTYSBURG
from reference.word_count import SEPARATOR, fold, word_count, words


def test_reference_agrees_with_a_hand_checked_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("The cat isn't a dog.\nTHE DOG IS NOT A CAT!\n", "utf-8")
    (tmp_path / "b").write_text("a dog: (3 cats) ... cat's-paw", "utf-8")
    assert word_count([tmp_path / "a", tmp_path / "b"], 10) == {
        "the": 2,
        "cat": 2,
        "isn't": 1,
        "a": 3,
        "dog": 3,
        "is": 1,
        "not": 1,
        "3": 1,
        "cats": 1,
        "cat's": 1,
        "paw": 1,
    }


def test_reference_agrees_with_the_pipeline_of_mcilroy() -> None:
    """Source: D. McIlroy in J. Bentley, "Programming pearls", CACM 29 (1986) 471; ASCII letters only."""
    if any(shutil.which(tool) is None for tool in ("tr", "sort", "uniq")):
        pytest.skip("the pipeline needs tr, sort and uniq")
    pipeline = "tr -cs A-Za-z '\\n' | tr A-Z a-z | sort | uniq -c"
    done = subprocess.run(["sh", "-c", pipeline], input=GETTYSBURG.read_bytes(), capture_output=True, check=True)
    published = {word: int(times) for times, word in (line.split() for line in done.stdout.decode().splitlines())}
    assert word_count([GETTYSBURG], 1) == published


def test_reference_agrees_with_the_published_length() -> None:
    """Source: the Bliss copy is said to have 272 words, "battle-field" being two of them."""
    assert word_count([GETTYSBURG], 1).total() == 272


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Straße STRASSE straẞe", ["strasse"] * 3, id="casefold"),
        pytest.param("ὈΔΥΣΣΕΎΣ Ὀδυσσεύς", ["ὀδυσσεύσ"] * 2, id="final-sigma"),
        pytest.param("naïve nai\u0308ve NAI\u0308VE", ["naïve"] * 3, id="composed-and-combining"),
        pytest.param("x\u0308\u0301y", ["ẍ\u0301y"], id="marks-without-a-composed-form"),
        pytest.param("हिन्दी", ["हिन्दी"], id="vowel-signs"),
        pytest.param("می\u200cشود", ["می\u200cشود"], id="zero-width-non-joiner"),
        pytest.param("co\u00adoperate cooperate", ["cooperate"] * 2, id="soft-hyphen"),
        pytest.param("don't don\u2019t don\u02bct", ["don't"] * 3, id="three-apostrophes"),
        pytest.param("'quoted' 'tis dogs' a''b", ["quoted", "tis", "dogs", "a", "b"], id="apostrophes-outside"),
        pytest.param(
            "well-known snake_case 3.14 2nd", ["well", "known", "snake", "case", "3", "14", "2nd"], id="split"
        ),
        pytest.param("東京。東京", ["東京", "東京"], id="ideographs"),
        pytest.param("👩‍👩‍👧 \u0301 -- \ufeff", [], id="nothing"),
        pytest.param("ﬁne K Ω", ["fine", "k", "ω"], id="ligature-and-signs"),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("text", DOCUMENTS.values(), ids=DOCUMENTS)
def test_composition_does_not_matter(text: str) -> None:
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text)) == words(text)


def test_no_separator_folds_into_a_word() -> None:
    """Of all characters but ideographs: or a cut before a separator could split a word after all."""
    codes = chain(range(0xD800), range(0xE000, 0x20000), range(0xE0000, 0xE1000))
    separators = SEPARATOR.findall("".join(map(chr, codes)))
    assert len(separators) > 10_000
    assert re.findall(r"[^\W_]", fold("\n".join(separators))) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_cut_splits_a_word_or_loses_a_byte(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(DOCUMENTS[name].encode())
    for chunk_size in range(1, path.stat().st_size + 2):
        texts = [read(chunk) for chunk in cut_up([path], chunk_size)]
        assert "".join(texts) == DOCUMENTS[name]
        assert [word for text in texts for word in words(text)] == words(DOCUMENTS[name])


@pytest.mark.parametrize("at", [0, 1, 30, 59])
@pytest.mark.parametrize("bad", [b"\xff", b"\x80", b"\xc3", b"\xe2\x82", b"\x80" * 9], ids=repr)
def test_bad_bytes_are_found_wherever_they_are_cut(bad: bytes, at: int, tmp_path: Path) -> None:
    text = ("aé " * 20).encode()
    at = len(text[:at].decode(errors="ignore").encode())  # not inside a character
    path = tmp_path / "bad"
    path.write_bytes(text[:at] + bad + text[at:])
    for chunk_size in (*range(1, 12), 1000):
        with pytest.raises(ValueError, match=f"'{path}' is not UTF-8: byte {at} "):
            serial([path], chunk_size)


def test_a_cut_finds_a_separator_that_is_far_away(tmp_path: Path) -> None:
    path = tmp_path / "far"
    text = "é" * 10_000 + " end"  # several blocks, with characters across their ends
    path.write_bytes(text.encode())
    assert read(Chunk(str(path), 0, 5)) == "é" * 10_000
    assert read(Chunk(str(path), 5, 10)) == ""
    assert read(Chunk(str(path), 20_000, 20_004)) == " end"


def test_a_large_document_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(200):
            file.write(GETTYSBURG.read_bytes() + "Straße\n".encode())
    size = path.stat().st_size
    peaks = {}
    for name, counts in {"streamed": serial, "whole": word_count}.items():
        tracemalloc.start()
        total = counts([path], 1 << 12)
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == Counter({w: 200 * n for w, n in word_count([GETTYSBURG], 1).items()} | {"strasse": 200})
    assert peaks["streamed"] < size / 2 < size < peaks["whole"]
