"""Where an import waits on disk, row by row, until it is judged as a whole: a private database, gone with its folder.

It finds each address that stands in more than one row without holding a million of them in memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dispatcher.ledger.audiences import Line

_ADDRESSES = ("email", "phone")


@dataclass(frozen=True, slots=True)
class Repeat:
    """An address of `line` that stands in `first_line` already; `column` is email or phone."""

    line: int
    column: str
    first_line: int


class Stage:
    """One import. Close it when done: nothing of it is left."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="dispatcher-import-")
        path = Path(self._folder.name) / "stage.db"
        self._db: sqlite3.Connection = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -16384"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE first (address TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        self._db.execute("CREATE TABLE repeat (line INTEGER, address TEXT, first INTEGER)")
        self._db.execute(
            "CREATE TABLE staged (line INTEGER PRIMARY KEY, email TEXT, phone TEXT, locale TEXT, fields TEXT NOT NULL)"
        )

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._folder.cleanup()

    def put(self, rows: Iterable[tuple[int, str | None, str | None, str | None, str]]) -> None:
        """Take (line, email, phone, locale, fields)."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO staged VALUES (?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def drop_repeats(self, most: int) -> tuple[list[Repeat], int]:
        """Leave each address in the first row that has it only; the first ones taken out, and how many in all."""
        for column in _ADDRESSES:
            self._db.execute("DELETE FROM first")
            self._db.execute(
                f"INSERT INTO first SELECT {column}, min(line) FROM staged WHERE {column} IS NOT NULL"
                f" GROUP BY {column} HAVING count(*) > 1"
            )
            self._db.execute(
                f"INSERT INTO repeat SELECT s.line, '{column}', f.line FROM staged s"
                f" JOIN first f ON f.address = s.{column} AND s.line > f.line"
            )
            self._db.execute(
                f"UPDATE staged SET {column} = NULL WHERE line IN (SELECT line FROM repeat WHERE address = '{column}')"
            )
        self._db.execute(
            "DELETE FROM staged WHERE email IS NULL AND phone IS NULL AND line IN (SELECT line FROM repeat)"
        )
        rows = self._db.execute("SELECT line, address, first FROM repeat ORDER BY line, address LIMIT ?", (most,))
        total = self._db.execute("SELECT count(*) FROM repeat").fetchone()[0]
        return [Repeat(*row) for row in rows], int(total)

    def counts(self) -> tuple[int, int, int, int]:
        """Recipients, those with an email address, those with a telephone number, those with neither."""
        row = self._db.execute(
            "SELECT count(*), count(email), count(phone), coalesce(sum(email IS NULL AND phone IS NULL), 0) FROM staged"
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2]), int(row[3])

    def lines(self) -> Iterator[Line]:
        """The recipients in the order of the file, numbered from 1."""
        rows = self._db.execute("SELECT email, phone, locale, fields FROM staged ORDER BY line")
        for rid, (email, phone, locale, fields) in enumerate(rows, start=1):
            yield rid, email, phone, locale, fields
