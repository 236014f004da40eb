"""The calendar of promises, read back by a library that is not ours."""

from datetime import UTC, datetime

import icalendar
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.reporting.calendar import LINE_OCTETS, Entry, render

NOW = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # the hour that comes twice in London


def read(*entries):
    return icalendar.Calendar.from_ical(render(entries, name="Example; Ltd, «Ω»", now=NOW))


@given(st.text(max_size=300))
def test_whatever_the_words_are_they_come_back(words):
    made = render([Entry("r-1@x", NOW, words, words)], name="Example", now=NOW)
    assert all(len(line) <= LINE_OCTETS for line in made.split(b"\r\n"))
    (event,) = icalendar.Calendar.from_ical(made).walk("VEVENT")
    kept = "".join(c for c in words if (ord(c) > 0x1F and ord(c) != 0x7F) or c in "\t\n")
    expected = kept.encode("utf-8", "replace").decode()
    assert str(event["summary"]) == expected
    assert len(made.split(b"BEGIN:VEVENT")) == 2


def test_instants_are_in_utc_whatever_the_clocks_do():
    (event,) = read(Entry("r-1@x", NOW, "Reminder", alarm=True)).walk("VEVENT")
    assert event.decoded("dtstart") == NOW
    assert event.decoded("dtstamp") == NOW
    (alarm,) = event.walk("VALARM")
    assert str(alarm["action"]) == "DISPLAY"


def test_an_empty_calendar_is_one():
    found = read()
    assert str(found["version"]) == "2.0"
    assert found.walk("VEVENT") == []
