"""CSV in, as it comes from other people: any of four delimiters, UTF-8 or UTF-16, and damage that must not pass unseen.

One unclosed quote makes a lenient reader swallow thousands of rows without a word; here it is an error that names the
line where the quote opens. Formulas are data like any other text.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import BinaryIO

from dispatcher.tables.table import LONGEST_LINE, Table, broken, built

DELIMITERS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAMPLE = 4096
_UNDECODED = re.compile("[\ud800-\udfff]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read(stream: BinaryIO, encoding: str = "") -> Table:
    """The table in a CSV file that stands at its start. `encoding` overrides what the file itself tells."""
    sample = stream.read(_SAMPLE)
    stream.seek(0)
    chosen = encoding or _encoding(sample)
    lines = _Lines(_decoded(stream, chosen), chosen)
    first = lines.first()
    delimiter = _delimiter(first)
    return built(_records(lines, delimiter), f"CSV, {chosen.removesuffix('-sig').upper()}, {_NAMES[delimiter]}")


def _decoded(stream: BinaryIO, encoding: str) -> io.TextIOWrapper:
    try:
        errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
        return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")
    except LookupError:
        raise broken(f"No encoding is called {encoding!r}.", mend="Name one such as utf-8 or cp1252.") from None


def _encoding(sample: bytes) -> str:
    """By byte order mark; without one, UTF-16 shows in its zero bytes; else UTF-8."""
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return name
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) * 4 > len(sample):
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _delimiter(line: str) -> str:
    """The one that cuts the first line into most cells."""
    cells = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in DELIMITERS}
    return max(DELIMITERS, key=cells.__getitem__)


class _Lines:
    """Physical lines with their number, each bounded; knows where the row at hand began and how long it is."""

    def __init__(self, text: io.TextIOWrapper, encoding: str) -> None:
        self._text = text
        self._encoding = encoding
        self._ahead: list[str] = []
        self.number = 0
        self.row_starts = 1
        self._row_length = 0

    def first(self) -> str:
        """The first line that holds anything, without taking it; a line `sep=;` that only Excel reads is dropped."""
        line = next(self, "").removeprefix("\ufeff")
        while line and (not line.strip() or line.lower().startswith("sep=")):
            line = next(self, "")
        self._ahead, self.number = [line] if line else [], max(0, self.number - 1)
        self.new_row()
        return line.rstrip("\r\n")

    def new_row(self) -> None:
        """The row before is complete."""
        self.row_starts, self._row_length = self.number + 1, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._row_length += len(line)
        if self._row_length > LONGEST_LINE or "\0" in line:
            raise self._unreadable(line)
        if not line.isascii() and _UNDECODED.search(line):
            raise self._undecodable(f"Line {self.number}")
        return line

    def _read(self) -> str:
        try:
            return self._text.readline(LONGEST_LINE + 1)
        except UnicodeError:
            raise self._undecodable(f"Line {self.number + 1} or one soon after") from None

    def _undecodable(self, where: str) -> Exception:
        return broken(
            f"{where} is not {self._encoding.removesuffix('-sig').upper()}.",
            mend="Save the file as CSV UTF-8, or name its encoding: --encoding cp1252.",
        )

    def _unreadable(self, line: str) -> Exception:
        if "\0" in line:
            return broken(f"Line {self.number} holds a NUL character.", mend="Export the list again as CSV UTF-8.")
        if self.number > self.row_starts:
            return _unclosed(self.row_starts)
        return broken(
            f"Line {self.number} is longer than {LONGEST_LINE:,} characters.",
            why="A line this long is no row of a list of people.",
            mend="Check the line ends and the quotes of the file.",
        )


def _unclosed(line: int) -> Exception:
    return broken(
        f"A quote that opens on line {line} is never closed.",
        why="Every row after it would be read as part of one cell.",
        mend=f"Correct the quotes on line {line}.",
    )


def _records(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line each begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _misquoted(lines, str(error)) from None
        if cells is None:
            return
        yield lines.row_starts, [cell.strip() for cell in cells]
        lines.new_row()


def _misquoted(lines: _Lines, said: str) -> Exception:
    if lines.number > lines.row_starts or "end of data" in said:
        return _unclosed(lines.row_starts)
    return broken(
        f"Line {lines.row_starts} has a quote in the wrong place.",
        why="Inside a quoted cell a quote is written twice, and nothing but the delimiter follows the closing one.",
        mend=f"Correct the quotes on line {lines.row_starts}.",
    )
