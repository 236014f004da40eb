"""Times, texts and links in every spelling that occurs (R12, R13, R14, R17)."""

from datetime import UTC, datetime

import pytest

from dispatcher.intake import severity
from dispatcher.intake.reading import (
    Unreadable,
    identifier,
    line,
    link,
    moment,
    names,
    payload,
    prose,
    required_id,
    word,
    yes,
)
from dispatcher.model.kinds import Severity

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000000Z", "2026-03-01T13:00:00+01:00",
        "2026-03-01 12:00:00 UTC",
        "2026-03-01T12:00:00.000+0000", "2026-03-01 12:00:00 +0000", "2026-03-01 12:00:00", "2026-03-01T12:00:00",
        "Sun, 01 Mar 2026 12:00:00 GMT", "2026-03-01 12:00:00+00:00", 1772366400, "1772366400", 1772366400000,
        "1772366400000", 1772366400000000, 1772366400000000000, 1772366400.0,
    ],
    ids=str,
)  # fmt: skip
def test_one_instant_in_many_spellings(written):
    assert moment(written) == NOON


@pytest.mark.parametrize(
    "written",
    [None, "", "None", "null", "0001-01-01T00:00:00Z", 0, "0", True, False, {}, [], "yesterday", "2026-13-01", -5,
     "1e400", 10**30, "9999-99-99", float("nan"), float("inf"), "Mon, 99 Xxx", "2026-03-01T12:00:00+99:99"],
    ids=str,
)  # fmt: skip
def test_what_is_no_time_is_none(written):
    assert moment(written) is None


def test_a_time_without_offset_is_that_of_its_source():
    assert moment("2026-07-01 12:00:00", "Europe/London") == datetime(2026, 7, 1, 11, 0, tzinfo=UTC)
    assert moment("2026-07-01 12:00:00Z", "Europe/London") == datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def test_numbers_strings_and_objects_interchange():
    assert [identifier(one) for one in (7, "7", " 7 ")] == ["7"] * 3
    assert [word(one) for one in ({"slug": "SEV1", "description": "x"}, {"name": "SEV1"}, "SEV1")] == ["SEV1"] * 3
    assert [yes(one) for one in (True, "True", "true", 1, "yes", False, "False", None, {})] == [True] * 5 + [False] * 4
    assert names("a, b,a") == names([{"name": "a"}, "b", {"slug": "a"}, None, {}]) == ("a", "b")


def test_an_id_is_there_or_the_post_is_unreadable():
    for nothing in (None, "", "None", {}, [], float("nan")):
        with pytest.raises(Unreadable):
            required_id(nothing)
    assert required_id("x" * 5000).startswith("sha256:")


def test_words_are_kept_without_tricks():
    assert line("a\x00b\u202ec\r\nd\te") == "abc d e"
    assert prose("a\r\nb\x1b[31m") == "a\nb[31m"
    assert line("x" * 500).endswith("…")
    assert line("{{ 7*7 }} {title} <b>") == "{{ 7*7 }} {title} <b>"
    assert line("👩‍👩‍👧 ok") == "👩‍👩‍👧 ok"


@pytest.mark.parametrize(
    ("said", "origin", "whole"),
    [
        ("https://a.example.com/x?y=1", "", "https://a.example.com/x?y=1"),
        ("?orgId=1", "https://g.example.com/alerting/", "https://g.example.com/alerting/?orgId=1"),
        ("/graph", "https://p.example.com", "https://p.example.com/graph"),
        ("?orgId=1", "", ""), ("javascript:alert(1)", "", ""), ("https://u:p@a.example.com/", "", ""),
        ("https://a.example.com/\u202e", "", ""), ("https://[broken", "", ""), ("https://a b", "", ""), (7, "", ""),
        ("x" * 3000, "https://a.example.com", ""),
    ],
)  # fmt: skip
def test_links_are_absolute_or_dropped(said, origin, whole):
    assert link(said, origin) == whole


def test_a_mark_of_byte_order_is_no_matter():
    assert payload(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("SEV1", Severity.CRITICAL), ("sev-1", Severity.CRITICAL), ("1 - Critical", Severity.CRITICAL),
        ("P1", Severity.CRITICAL), ("critical", Severity.CRITICAL), ("P2", Severity.MAJOR), ("high", Severity.MAJOR),
        ("error", Severity.MAJOR),
        ("SEV 3", Severity.MINOR), ("warning", Severity.MINOR), ("P5", Severity.MINOR), ("info", Severity.MINOR),
        ("none", Severity.MINOR), ("", Severity.CRITICAL), ("purple", Severity.CRITICAL),
    ],
)  # fmt: skip
def test_severities(said, meant):
    assert severity.read(said, {}, Severity.CRITICAL) is meant


def test_the_worst_of_several_words():
    assert severity.worst(["info", "P1", "warning"]) == "P1"
    assert severity.worst(["info", "purple"]) == "purple"
    assert severity.worst([]) == ""
