"""Documents cut into chunks that workers read by themselves, so that no word and no character is split.

A chunk is a range of bytes. Where it really begins and ends, its reader finds out: both ends move on to
the next character that is never within a word. The reader of the next chunk moves its beginning by the
same rule to the same place, so nobody has to be asked, and every byte is read for exactly one chunk.
"""

from __future__ import annotations

import os
from codecs import getincrementaldecoder
from collections import Counter
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from pytest_parallel_lab import blocks
from reference.word_count import SEPARATOR, Paths, check_collection, decode, words

_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes of UTF-8 that do not begin a character
_BLOCK = 4096  # bytes read at a time in search of a separator


class Chunk(NamedTuple):
    """A range of a document's bytes, before its ends are moved."""

    path: str
    start: int
    stop: int


def cut_up(paths: Paths, chunk_size: int) -> list[Chunk]:
    """Cut all documents into chunks of at most ``chunk_size`` bytes; an empty one has none. Reads nothing.

    Raises:
        ValueError: no documents, or a chunk size below 1.
        FileNotFoundError: a document is not there, or not a file.
    """
    check_collection(paths, chunk_size)
    chunks = []
    for path in paths:
        name, size = os.fspath(path), os.path.getsize(path)
        chunks += [Chunk(name, start, min(start + chunk_size, size)) for start in range(0, size, chunk_size)]
    return chunks


def batches(chunks: list[Chunk], number: int) -> list[list[Chunk]]:
    """Put neighbouring chunks together into at most so many batches, none of them empty."""
    return [chunks[part] for part in blocks(len(chunks), number) if part.start < part.stop]


def read(chunk: Chunk) -> str:
    """Read the words that begin in a chunk; at most a chunk and a word are in memory.

    Raises:
        ValueError: the document is not UTF-8.
    """
    with open(chunk.path, "rb") as file:
        start, stop = _move_cut(file, chunk.start), _move_cut(file, chunk.stop)
        file.seek(start)
        return decode(file.read(stop - start), chunk.path, start)


def count(chunks: Iterable[Chunk]) -> Counter[str]:
    """Map some chunks, read one after the other, to their words, and combine these into one count."""
    total: Counter[str] = Counter()
    for chunk in chunks:
        total.update(words(read(chunk)))
    return total


def _move_cut(file: BinaryIO, position: int) -> int:
    """The beginning of the first separator at or after a position; 0 and the end of the file stay."""
    if position == 0:
        return 0
    file.seek(position)
    decoder = getincrementaldecoder("utf-8")("replace")  # bad bytes become a separator; read() will tell of them
    block = file.read(_BLOCK)
    begun = block.lstrip(_CONTINUATION)  # the character that the position is in belongs to the chunk before
    position += len(block) - len(begun)
    text = decoder.decode(begun, final=not block)
    while block:
        if found := SEPARATOR.search(text):
            return position + len(text[: found.start()].encode())
        position += len(text.encode())
        block = file.read(_BLOCK)
        text = decoder.decode(block, final=not block)
    return os.fstat(file.fileno()).st_size
