"""A list is told by its first bytes, not by its name."""

import gzip

import openpyxl
import pytest

from dispatcher.errors import AudienceError
from dispatcher.tables.reading import opened


def refusal(path):
    with pytest.raises(AudienceError) as caught, opened(path) as table:
        list(table.rows)
    return caught.value


def test_a_workbook_called_csv_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["email"])
    book.active.append(["a@example.com"])
    book.save(tmp_path / "people.xlsx")
    path = (tmp_path / "people.xlsx").rename(tmp_path / "people.csv")
    with opened(path) as table:
        assert [list(cells) for _, cells in table.rows] == [["a@example.com"]]


def test_a_compressed_file_is_refused(tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n"))
    assert refusal(path).what == "people.csv is compressed (gzip)."


def test_an_old_workbook_is_refused(tmp_path):
    path = tmp_path / "people.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest")
    assert "old or an encrypted" in refusal(path).what


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "people.csv"
    path.touch()
    assert refusal(path).what == "people.csv is empty."


def test_a_missing_file_or_a_folder_is_refused_by_name(tmp_path):
    assert refusal(tmp_path / "nobody.csv").what == "nobody.csv cannot be read."
    assert refusal(tmp_path).what.endswith("cannot be read.")
