"""XLSX in: cells as a person would have typed them."""

import zipfile
from datetime import date, datetime, time

import openpyxl
import pytest

from dispatcher.errors import AudienceError
from dispatcher.tables import workbook
from dispatcher.tables.reading import opened


@pytest.fixture
def save(tmp_path):
    def make(*sheets, hidden=()):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, lines in sheets:
            sheet = book.create_sheet(name)
            sheet.sheet_state = "hidden" if name in hidden else "visible"
            for line in lines:
                sheet.append(line)
        path = tmp_path / "people.xlsx"
        book.save(path)
        return path

    return make


def rows(path, **how):
    with opened(path, **how) as table:
        return [(line, list(cells)) for line, cells in table.rows]


def test_numbers_dates_and_truth_come_as_text(save):
    path = save(
        ("people", [
            ["phone", "since", "at", "clock", "share", "vip"],
            [447700900123, date(2026, 1, 2), datetime(2026, 1, 2, 3, 4), time(5, 6), 2.5, True],
        ])
    )  # fmt: skip
    cells = ["447700900123", "2026-01-02", "2026-01-02 03:04:00", "05:06:00", "2.5", "TRUE"]
    assert rows(path) == [(2, cells)]


def test_rows_keep_the_number_they_have_in_the_sheet(save):
    path = save(("people", [[], [], ["name", "email"], [], ["Jo", "j@example.com"]]))
    assert rows(path) == [(5, ["Jo", "j@example.com"])]


def test_the_first_sheet_that_is_not_hidden_is_read(save):
    path = save(("old", [["a"], ["1"]]), ("new", [["b"], ["2"]]), hidden=("old",))
    with opened(path) as table:
        assert (table.columns, table.form) == (("b",), "XLSX, sheet new")


def test_a_named_sheet_is_read(save):
    path = save(("one", [["a"], ["1"]]), ("two", [["b"], ["2"]]))
    assert rows(path, sheet="two") == [(2, ["2"])]


def test_an_unknown_sheet_names_those_there_are(save):
    with pytest.raises(AudienceError) as caught:
        rows(save(("one", [["a"]]), ("two", [])), sheet="three")
    assert caught.value.mend == ("It has: one, two.",)


def test_two_columns_of_one_name_are_refused(save):
    with pytest.raises(AudienceError, match="both called"):
        rows(save(("people", [["email", "Email"], ["a", "b"]])))


def test_a_formula_comes_as_the_value_that_was_kept_or_empty(save):
    assert rows(save(("people", [["name", "sum"], ["Jo", "=1+1"]]))) == [(2, ["Jo", ""])]


def test_text_that_starts_like_a_formula_stays_text(save):
    path = save(("people", [["name", "phone"], ["@jo", "+447700900123"]]))
    assert rows(path) == [(2, ["@jo", "+447700900123"])]


def test_a_damaged_workbook_is_refused(save):
    path = save(("people", [["a"], ["1"]]))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(AudienceError, match="damaged"):
        rows(path)


def test_an_archive_that_is_no_workbook_is_refused(tmp_path):
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(AudienceError, match="cannot be read"):
        rows(path)


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 5_000_000)
    monkeypatch.setattr(workbook, "MOST_UNPACKED", 4_000_000)
    with pytest.raises(AudienceError, match="unpacks to more"):
        rows(path)
