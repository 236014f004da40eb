"""From the rows of a list to recipients: each address in its one form, everything wrong named by line and column."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from dispatcher.channels import email, phone
from dispatcher.errors import Refused
from dispatcher.tables.columns import Columns
from dispatcher.tables.table import Table

SHOWN = 1_000
"""Problems kept word by word; all are counted."""

_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z]{4})?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?(?:\.[\w-]+)?")


@dataclass(frozen=True, slots=True)
class RowError:
    """One cell that cannot be taken. It never repeats the address: errors are shown and stored."""

    line: int
    column: str
    why: str
    mend: str


Judged: TypeAlias = tuple[int, str | None, str | None, str | None, str]
"""One recipient of the file as the ledger keeps it: line, email, phone, locale, fields (canonical JSON)."""


@dataclass
class Judge:
    """Goes through the rows once; afterwards it knows how many there were and what was wrong with them."""

    table: Table
    columns: Columns
    region: str = ""
    rows: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    def recipients(self) -> Iterator[Judged]:
        """Every row, with bad cells left empty (and counted)."""
        columns = self.columns
        for line, cells in self.table.rows:
            self.rows += 1
            yield (
                line,
                self._address(line, columns.email, cells, email.canonical),
                self._address(line, columns.phone, cells, self._phone),
                self._locale(line, cells),
                _fields(columns, cells),
            )

    def _phone(self, written: str) -> str:
        """An apostrophe in front is how spreadsheets keep the plus sign."""
        return phone.canonical(written.removeprefix("'"), self.region)

    def _address(self, line: int, place: int | None, cells: Sequence[str], form: Callable[[str], str]) -> str | None:
        if place is None or not cells[place]:
            return None
        try:
            return form(cells[place])
        except Refused as error:
            self._note(line, place, error.why, " ".join(error.mend))
            return None

    def _locale(self, line: int, cells: Sequence[str]) -> str | None:
        place = self.columns.locale
        if place is None or not cells[place]:
            return None
        found = _LOCALE.fullmatch(cells[place])
        if found is None:
            self._note(line, place, "It is no language code.", "Write it like en, cy or pt-BR.")
            return None
        region = found[2] if found[2] and found[2].isalpha() else ""
        return f"{found[1].lower()}-{region.upper()}" if region else found[1].lower()

    def _note(self, line: int, place: int, why: str, mend: str) -> None:
        column = self.columns.names[place]
        self.error_count += 1
        self.reasons[(column, why)] += 1
        if len(self.errors) < SHOWN:
            self.errors.append(RowError(line, column, why, mend))


def _fields(columns: Columns, cells: Sequence[str]) -> str:
    """Slot values as canonical JSON; empty ones are left out, so that a slot's default stands in for them."""
    values = {name: cells[place] for name, place in columns.fields if cells[place]}
    return orjson.dumps(values, option=orjson.OPT_SORT_KEYS).decode()
