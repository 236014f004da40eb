"""Opens a list whatever it is: told by its first bytes, not by its name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dispatcher.tables import delimited, workbook
from dispatcher.tables.table import Table, broken

_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"\x28\xb5\x2f\xfd": "zstd"}
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_ZIP = b"PK\x03\x04"


@contextmanager
def opened(path: Path, *, sheet: str = "", encoding: str = "") -> Iterator[Table]:
    """The table in a CSV or XLSX file."""
    try:
        with path.open("rb") as stream:
            start = stream.read(8)
            stream.seek(0)
            _refuse_unreadable(path, start)
            yield workbook.read(path, sheet) if start.startswith(_ZIP) else delimited.read(stream, encoding)
    except OSError as error:
        raise broken(
            f"{path.name} cannot be read.", why=f"{error.strerror or error}.", mend="Check its name and its rights."
        ) from None


def _refuse_unreadable(path: Path, start: bytes) -> None:
    if not start:
        raise broken(f"{path.name} is empty.", mend="Export the list again.")
    for magic, name in _PACKED.items():
        if start.startswith(magic):
            raise broken(f"{path.name} is compressed ({name}).", mend="Unpack it and import what is in it.")
    if start.startswith(_OLD_EXCEL):
        raise broken(
            f"{path.name} is an old or an encrypted Excel file.", mend="Save it as XLSX without a password, or as CSV."
        )
