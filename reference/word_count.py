"""Word counts of a collection of documents, serial; and what a word is."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

Paths = Sequence["str | os.PathLike[str]"]

# Combining marks are not in \w, but without them most words of Hindi, and "nai\u0308ve", would fall apart.
# Planes 2 and 3 hold ideographs only.
_MARKS = "".join(
    chr(code) for code in chain(range(0x20000), range(0xE0000, 0xE0200)) if unicodedata.category(chr(code))[0] == "M"
)
_JOINERS = "\u200c\u200d"  # zero width: they shape the letters of Persian and Sinhala and belong to the word
_NOT_ASCII = r"(?=[^\0-\x7f])"  # no mark is: to look first saves trying them all at every space, and most of the time
_WORD = re.compile(rf"\w+(?:{_NOT_ASCII}[{_MARKS}{_JOINERS}]+\w*|'\w+)*")  # of folded text: it has no underscores
_SAME = {"\u2019": "'", "\u02bc": "'", "\u00ad": "", "_": " "}  # two apostrophes, the soft hyphen, the underscore

#: A character of any text (folded or not) that is never within a word: there it may be cut.
SEPARATOR = re.compile(rf"[^\w{_MARKS}{_JOINERS}'\u2019\u00ad]|_")


def fold(text: str) -> str:
    """Give texts that a reader takes for the same the same characters.

    Source: canonical caseless matching (The Unicode Standard, section 3.13, D145), with the result
    composed; and one apostrophe, no soft hyphens, and spaces for underscores.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    for old, new in _SAME.items():
        folded = folded.replace(old, new)
    return folded


def words(text: str) -> list[str]:
    """Cut a text into its folded words, in order.

    A word begins with a letter or digit and goes on with letters, digits, combining marks, joiners, and
    single apostrophes that have a letter or digit on both sides.

    Source: a part of UAX #29, "Unicode Text Segmentation". We differ: a full stop or comma between
    digits separates, so does an underscore, and ideographs are one word up to the next separator.
    """
    return _WORD.findall(fold(text))


def word_count(paths: Paths, chunk_size: int) -> Counter[str]:
    """Count the words of all documents, each read as a whole.

    Args:
        paths: files of UTF-8 text, one or more.
        chunk_size: bytes that an implementation may read at once; of no effect here.

    Returns:
        How often each folded word occurs in all documents together.

    Raises:
        ValueError: no documents, a chunk size below 1, or bytes that are not UTF-8.
        FileNotFoundError: a document is not there, or not a file.
    """
    check_collection(paths, chunk_size)
    total: Counter[str] = Counter()
    for path in paths:
        total.update(words(decode(Path(path).read_bytes(), path)))
    return total


def check_collection(paths: Paths, chunk_size: int) -> None:
    """Refuse what cannot be counted, before anything is read; ``word_count`` says what that is."""
    if not paths:
        raise ValueError("no documents to count: give the path of at least one (of an empty file, if need be)")
    if chunk_size < 1:
        raise ValueError(f"a chunk size of {chunk_size} bytes: it must be 1 or more, and is best a million or so")
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"document {os.fspath(path)!r} is not there, or is not a file")


def decode(data: bytes, path: str | os.PathLike[str], offset: int = 0) -> str:
    """Decode UTF-8 bytes that stand at an offset of a document.

    Raises:
        ValueError: they are not UTF-8; the text says where the first such byte stands in the document.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"document {os.fspath(path)!r} is not UTF-8: byte {offset + error.start} (0x{data[error.start]:02x}); "
            "convert it first, as with iconv -f ISO-8859-1 -t UTF-8"
        ) from error
