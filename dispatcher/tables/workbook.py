"""XLSX in: one sheet, cells as the text a person would have typed; of a formula, the value that the file keeps."""

import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from dispatcher.tables.table import LONGEST_LINE, Table, broken, built

MOST_UNPACKED = 1024 * 1024 * 1024
"""Bytes of all parts together. Excel's own limit, 1,048,576 rows of people, stays under it."""


def read(path: Path, sheet: str = "") -> Table:
    """The named sheet, else the first one that is not hidden."""
    _refuse_bomb(path)
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum, WorksheetNotFound

    try:
        book = CalamineWorkbook.from_path(str(path))
        shown = [found.name for found in book.sheets_metadata if found.visible == SheetVisibleEnum.Visible]
        name = sheet or next(iter(shown or book.sheet_names), "")
        found = book.get_sheet_by_name(name)
    except WorksheetNotFound:
        raise broken(
            f"The workbook has no sheet {sheet!r}.", mend=f"It has: {', '.join(book.sheet_names) or 'none'}."
        ) from None
    except (CalamineError, OSError) as error:
        raise broken("The workbook cannot be read.", why=str(error), mend="Save it as CSV UTF-8 instead.") from None
    return built(_lines(found), f"XLSX, sheet {name}")


def _refuse_bomb(path: Path) -> None:
    """A small archive that unpacks to gigabytes is refused before anything is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except zipfile.BadZipFile:
        raise broken("The workbook is damaged.", mend="Save it again, or as CSV UTF-8.") from None
    if size > MOST_UNPACKED:
        raise broken(
            "The workbook unpacks to more than 1 GiB.", mend="Remove what is no list, or save it as CSV UTF-8."
        )


def _lines(sheet: Any) -> Iterator[tuple[int, list[str]]]:
    for line, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_text(cell).strip() for cell in cells]
        if any("\0" in text for text in texts) or sum(map(len, texts)) > LONGEST_LINE:
            raise broken(f"Row {line} holds a NUL character or more than {LONGEST_LINE:,} characters.")
        yield line, texts


def _text(cell: object) -> str:
    """What stands in a cell: a telephone number that Excel took for a number has no decimals or exponent."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, (date, time, timedelta)):
        return str(cell)
    return "" if cell is None else str(cell)
