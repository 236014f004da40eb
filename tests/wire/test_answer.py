"""What an answer says, read."""

import datetime as dt

import pytest

from dispatcher.wire import Answer

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("headers", "reset", "expected"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": "-3"}, "", 0.0),
        ({"retry-after": "99999999"}, "", 86_400.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, "", 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"reset": str(int(NOW.timestamp()) + 12)}, "reset", 12.0),
        ({"reset": "later"}, "reset", None),
        ({"retry-after": "5", "reset": str(int(NOW.timestamp()) + 12)}, "reset", 5.0),
        ({}, "reset", None),
    ],
)
def test_the_wait_that_an_answer_names(headers, reset, expected):
    assert Answer(429, headers, b"").wait(NOW, reset) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"text"', b"null", b"{", b"\xff\xfe", b'{"a": 1e999999}'])
def test_a_body_that_is_no_object_reads_as_empty(body):
    assert Answer(200, {}, body).json() == {}


def test_an_object_is_read():
    assert Answer(200, {}, b'{"sid": "SM1"}').json() == {"sid": "SM1"}
