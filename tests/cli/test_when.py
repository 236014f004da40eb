"""Times as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.cli.when import read_span, read_when, told
from dispatcher.errors import UsageError

NOW = datetime(2026, 7, 10, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("18:30", "2026-07-10T17:30Z"),
        ("18:30 UTC", "2026-07-10T18:30Z"),
        ("20:15 Europe/Paris", "2026-07-10T18:15Z"),
        ("tomorrow 07:00", "2026-07-11T06:00Z"),
        ("in 30m", "2026-07-10T17:30Z"),
        ("45m", "2026-07-10T17:45Z"),
        ("in 1h 15m", "2026-07-10T18:15Z"),
        ("2026-07-12T09:00+02:00", "2026-07-12T07:00Z"),
        ("2026-07-12 09:00", "2026-07-12T08:00Z"),
        ("2026-07-12 09:00 UTC", "2026-07-12T09:00Z"),
    ],
)
def test_a_time_is_read_in_our_zone_unless_it_names_its_own(words, meant):
    assert read_when(words, NOW, "Europe/London") == datetime.fromisoformat(meant)


@pytest.mark.parametrize("words", ["17:59", "today 09:00", "2026-07-01T00:00Z"])
def test_the_past_is_refused_not_read_as_tomorrow(words):
    with pytest.raises(UsageError, match="past"):
        read_when(words, NOW, "Europe/London")


@pytest.mark.parametrize("words", ["", "soon", "25:00", "18:61", "18:30 Nowhere/Land", "in", "18.30"])
def test_what_is_no_time_is_answered_with_the_forms_that_are(words):
    with pytest.raises(UsageError) as caught:
        read_when(words, NOW, "Europe/London")
    assert caught.value.mend


@pytest.mark.parametrize("words", ["2026-10-25 01:30", "2026-03-29 01:30"])
def test_an_hour_that_comes_twice_or_never_needs_its_offset(words):
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="twice or not at all"):
        read_when(words, long_ago, "Europe/London")
    assert read_when("2026-10-25T01:30+01:00", NOW, "Europe/London") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_spans_add_up_and_a_bare_number_is_seconds():
    assert read_span("90") == timedelta(seconds=90)
    assert read_span("1h 30m") == timedelta(minutes=90)
    with pytest.raises(UsageError):
        read_span("ten minutes")


def test_the_reading_is_said_back_with_its_zone_and_utc():
    assert told(datetime(2026, 7, 10, 17, 30, tzinfo=UTC), "Europe/London") == "Fri 10 Jul 18:30:00 BST (17:30:00 UTC)"
    assert told(datetime(2026, 7, 10, 17, 30, tzinfo=UTC), "UTC") == "Fri 10 Jul 17:30:00 UTC"
