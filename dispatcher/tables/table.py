"""A table as it is read: its columns, and its rows one at a time with the line each stands on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dispatcher.errors import AudienceError

MOST_COLUMNS = 200
MOST_ROWS = 5_000_000
LONGEST_LINE = 64 * 1024
"""Characters of one line, and of one row when a quoted cell runs over several lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` can be gone through once: (line in the file counted from 1, cells as text, as many as columns)."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Sequence[str]]]
    form: str

    def records(self) -> Iterator[tuple[int, dict[str, str]]]:
        """The rows by column name."""
        for line, cells in self.rows:
            yield line, dict(zip(self.columns, cells, strict=True))


def built(lines: Iterator[tuple[int, list[str]]], form: str) -> Table:
    """A table from its lines: the first that holds anything names the columns."""
    for line, cells in lines:
        if any(cells):
            columns = _named(line, cells)
            return Table(columns, _checked(lines, columns), form)
    raise broken("The file holds no rows.", mend="Export the list again, with a first line that names the columns.")


def broken(what: str, *, why: str = "", mend: str = "Correct the file and import it again.") -> AudienceError:
    """A file that cannot be read as a table."""
    return AudienceError(what, why=why, mend=mend, code="E-TAB")


def _named(line: int, cells: list[str]) -> tuple[str, ...]:
    """Names of the columns: none twice, not too many. A column without a name must stay empty in every row."""
    if len(cells) > MOST_COLUMNS:
        raise broken(
            f"Line {line} has {len(cells):,} columns; {MOST_COLUMNS} is the most.",
            mend="Remove columns that no message needs, or check the delimiter.",
        )
    names = [" ".join(cell.split()) for cell in cells]
    seen: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        first = seen.setdefault(name.casefold(), place)
        if name and first != place:
            raise broken(
                f"Columns {first} and {place} are both called {name!r}.", mend="Rename or remove one of the two."
            )
    return tuple(names)


def _checked(lines: Iterator[tuple[int, list[str]]], columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Every row that holds anything, each with exactly as many cells as there are columns."""
    width = len(columns)
    unnamed = [place for place, name in enumerate(columns) if not name]
    count = 0
    for line, cells in lines:
        if not any(cells):
            continue
        count += 1
        if count > MOST_ROWS:
            raise broken(f"The file has more than {MOST_ROWS:,} rows.", mend="Split it into several audiences.")
        if len(cells) != width:
            cells = _fitted(line, cells, width)
        for place in unnamed:
            if cells[place]:
                raise broken(
                    f"Line {line} has a value in column {place + 1}, which has no name.",
                    mend="Name the column in the first line, or empty it.",
                )
        yield line, cells


def _fitted(line: int, cells: list[str], width: int) -> list[str]:
    """A row with empty cells too many at its end is cut; any other length means that cells have moved."""
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    raise broken(
        f"Line {line} has {len(cells)} cells; the first line names {width} columns.",
        why="A delimiter or a quote is missing or too many, so cells may stand in the wrong column.",
        mend=f"Correct line {line} and import again.",
    )
