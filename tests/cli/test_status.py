"""status, outward and the calendar as they are typed."""

import icalendar


def test_what_is_public_is_listed_and_written(staffed, site):
    assert staffed("status", "show").out.strip() == "Nothing is public."
    first = staffed("status", "export", "www", "--json")
    assert (first.code, first.json["changed"]) == (0, True)
    assert (site / "www" / "api" / "v2" / "summary.json").is_file()
    assert "nothing new" in staffed("status", "export", "www").out
    (site / "full").mkdir()
    (site / "full" / "letter").write_text("dear")
    refused = staffed("status", "export", "full")
    assert refused.code == 4
    assert "does not exist yet" in refused.err


def test_notices_are_listed_and_sent_again_by_an_operator(staffed, monkeypatch):
    assert "Name a destination" in staffed("outward", "list").out
    monkeypatch.setenv("DISPATCHER_OUTWARD__HUB__URL", "https://hub.example.com/in")
    monkeypatch.setenv("DISPATCHER_OUTWARD__HUB__SECRET", "whsec_" + "QUJD" * 11)
    assert staffed("outward", "list", "--given-up", "--json").json == {"notices": []}
    assert staffed("outward", "retry", "hub", "--as", "Olu", "--json").json["notices"] == 0
    assert staffed("outward", "retry", "hub", "--as", "Ana").code == 5
    assert staffed("outward", "retry", "nowhere", "--as", "Olu").code == 4
    assert "QUJD" not in staffed("config", "where", "outward.hub.secret").out


def test_the_calendar_is_bytes_on_stdout(drafted):
    made = drafted("reminder", "list", "--ical")
    assert made.code == 0
    events = icalendar.Calendar.from_ical(made.out).walk("VEVENT")
    assert any("INC-1: Word promised to customers by now" in str(event["summary"]) for event in events)
