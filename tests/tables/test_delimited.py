"""CSV as other people send it: read right, or refused with the line named. Never half."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.errors import AudienceError
from dispatcher.tables import delimited
from dispatcher.tables.table import LONGEST_LINE


def read(data, encoding=""):
    return delimited.read(io.BytesIO(data.encode() if isinstance(data, str) else data), encoding)


def rows(data, encoding=""):
    return [list(cells) for _, cells in read(data, encoding).rows]


def refusal(data, encoding=""):
    with pytest.raises(AudienceError) as caught:
        rows(data, encoding)
    assert caught.value.code == "E-TAB"
    assert caught.value.mend
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_are_told_from_the_bytes(encoding):
    assert rows("name,email\nZoë,zoe@example.com\n".encode(encoding)) == [["Zoë", "zoe@example.com"]]


def test_a_named_encoding_is_used():
    assert rows("name,email\nZoë,z@example.com\n".encode("cp1252"), "cp1252") == [["Zoë", "z@example.com"]]


def test_a_mark_does_not_become_part_of_the_first_name():
    assert read("\ufeffname,email\na,b\n".encode(), "utf-8").columns == ("name", "email")


def test_another_encoding_is_not_guessed():
    error = refusal("name,email\nAnna,a@example.com\nZoë,z@example.com\n".encode("cp1252"))
    assert error.what == "Line 3 is not UTF-8."
    assert "--encoding" in error.mend[0]


def test_half_a_utf16_file_is_refused():
    assert "UTF-16" in refusal("name,email\nJo,j@example.com\n".encode("utf-16")[:-1]).what


def test_an_unknown_encoding_is_refused():
    assert "utf-9" in refusal("a,b\n", "utf-9").what


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters_are_told_from_the_first_line(mark):
    table = read(f'name{mark}"e,m;a|i\tl"{mark}city\nJo{mark}x{mark}"a{mark}b"\n')
    assert len(table.columns) == 3
    assert [list(cells) for _, cells in table.rows] == [["Jo", "x", f"a{mark}b"]]


def test_one_column_needs_no_delimiter():
    assert rows("email\na@example.com\n") == [["a@example.com"]]


def test_the_line_that_only_excel_reads_is_left_out():
    table = read("sep=;\nname;email\nJo;j@example.com\n")
    assert table.columns == ("name", "email")
    assert [line for line, _ in table.rows] == [3]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end):
    assert rows(end.join(["a,b", "1,2", "3,4", ""])) == [["1", "2"], ["3", "4"]]


def test_empty_lines_are_no_rows_but_count_as_lines():
    table = read("\n\na,b\n\n1,2\n,\n3,4\n\n")
    assert [(line, list(cells)) for line, cells in table.rows] == [(5, ["1", "2"]), (7, ["3", "4"])]


def test_a_quoted_cell_may_run_over_lines():
    table = read('a,b\n"1\n2",x\n3,4\n')
    assert [(line, list(cells)) for line, cells in table.rows] == [(2, ["1\n2", "x"]), (4, ["3", "4"])]


@pytest.mark.parametrize("tail", ["", "\n", "\n3,4\n5,6\n", '\n3,"4"\n5,6\n', "\nx,y" * 50_000])
def test_an_unclosed_quote_names_the_line_where_it_opens(tail):
    error = refusal(f'a,b\n1,2\n9,"Smith{tail}')
    assert error.what == "A quote that opens on line 3 is never closed."


def test_a_quote_in_the_wrong_place_names_its_line():
    assert refusal('a,b\n1,2\n3,"x"y\n').what == "Line 3 has a quote in the wrong place."


def test_quotes_inside_an_unquoted_cell_are_data():
    assert rows('a,b\nO"Brien,5" pipe\n') == [['O"Brien', '5" pipe']]


def test_nul_is_refused():
    assert refusal("a,b\n1,\x002\n").what == "Line 2 holds a NUL character."


def test_a_line_of_ten_megabytes_is_refused():
    assert refusal("a,b\n1," + "x" * 10_000_000 + "\n").what.startswith("Line 2 is longer than")


def test_the_longest_line_still_passes():
    assert len(rows("a,b\n1," + "x" * (LONGEST_LINE - 3) + "\n")[0][1]) == LONGEST_LINE - 3


@pytest.mark.parametrize(("row", "cells"), [("1", 1), ("1,2,3", 3), ("1,2,3,4,5", 5)])
def test_cells_that_have_moved_are_refused(row, cells):
    assert refusal(f"a,b\n1,2\n{row}\n").what == f"Line 3 has {cells} cells; the first line names 2 columns."


def test_empty_cells_too_many_are_cut():
    assert rows("a,b\n1,2,,\n") == [["1", "2"]]


def test_two_columns_of_one_name_are_refused():
    assert refusal("Email,name, EMAIL \n").what == "Columns 1 and 3 are both called 'EMAIL'."


def test_too_many_columns_are_refused():
    assert "201 columns" in refusal(",".join(f"c{i}" for i in range(201)) + "\n").what
    assert len(read(",".join(f"c{i}" for i in range(200)) + "\n1" + "," * 199 + "\n").columns) == 200


def test_a_column_without_name_may_only_be_empty():
    assert rows("a,b,\n1,2,\n") == [["1", "2", ""]]
    assert refusal("a,b,\n1,2,3\n").what == "Line 2 has a value in column 3, which has no name."


@pytest.mark.parametrize("data", ["\n", "\n\n,,\n", "\ufeff"])
def test_a_file_without_rows_is_refused(data):
    assert refusal(data).what == "The file holds no rows."


def test_formulas_and_markup_are_data():
    hostile = ["=1+1", "@SUM(A1)", "{{ 7*7 }}", "<script>", "=?utf-8?q?a=0ABcc:_x@y?=", "\u202eevil"]
    assert rows("name\n" + "\n".join(hostile) + "\n") == [[value] for value in hostile]


def test_records_come_by_column_name():
    assert list(read("a,b\n1,2\n").records()) == [(2, {"a": "1", "b": "2"})]


cell = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\ufeff"), max_size=20).map(str.strip)


@given(
    st.lists(st.lists(cell, min_size=3, max_size=3).filter(any), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_correct_writer_wrote_is_read_back(table, mark, encoding):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([["one", "two", "three"], *table])
    assert rows(out.getvalue().encode(encoding)) == table


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_a_refusal(data):
    refused = None
    try:
        table = read(data)
        assert all(len(cells) == len(table.columns) for _, cells in table.rows)
    except AudienceError as error:
        refused = error
    assert refused is None or (refused.what and refused.mend)
