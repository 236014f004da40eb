"""CSV out: nothing a spreadsheet would run, and read back as it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.tables import writing


def written(columns, rows):
    out = io.StringIO(newline="")
    count = writing.write(out, columns, rows)
    return count, out.getvalue()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"])
def test_no_cell_starts_a_formula(start):
    assert writing.safe(f"{start}cmd") == f"'{start}cmd"


@pytest.mark.parametrize("value", ["Jo", "a=b", "", "'x", " =1"])
def test_other_text_stays(value):
    assert writing.safe(value) == value


def test_numbers_and_nothing():
    assert writing.safe(None) == ""
    assert writing.safe(12) == "12"
    assert writing.safe(-1) == "'-1"


def test_lines_end_as_the_standard_says_and_quotes_are_doubled():
    count, text = written(["name", "note"], [{"name": 'Jo "J", Ltd', "note": "a\nb"}, {"name": "Al"}])
    assert count == 2
    assert text == 'name,note\r\n"Jo ""J"", Ltd","a\nb"\r\nAl,\r\n'


def test_a_column_name_is_no_formula_either():
    assert written(["=cmd"], [])[1] == "'=cmd\r\n"


@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20), min_size=2, max_size=2
    )
)
def test_every_row_reads_back(cells):
    _, text = written(["a", "b"], [dict(zip("ab", cells, strict=True))])
    _, row = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert row == [writing.safe(cell) for cell in cells]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
