"""CSV out, for spreadsheets that run what they read: RFC 4180, and no cell that starts a formula."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def safe(value: object) -> str:
    """The cell's text; an apostrophe goes before whatever a spreadsheet would take for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text


def write(stream: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> int:
    """Header and rows, ended by CR LF (open the stream with newline=""). How many rows."""
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([safe(name) for name in columns])
    count = 0
    for row in rows:
        writer.writerow([safe(row.get(name)) for name in columns])
        count += 1
    return count
