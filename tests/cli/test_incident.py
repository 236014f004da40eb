"""`incident` and `reminder` as people call them."""

import time_machine

from tests.cli.conftest import EXAMPLE

NEW = "changed=Card payments work again."


def test_an_incident_shows_its_clocks_and_how_well_the_word_was_kept(staffed):
    opened = staffed("incident", "open", "Orders stopped", "--severity", "critical", "--next-update", "in 20m",
                     "--service", "online orders@Scotland", "--as", "Ana")  # fmt: skip
    assert opened.out == "INC-1\n"
    plain = staffed("incident", "show", "INC-1", "--json").json
    kinds = {one["clock"]: one["kind"] for one in plain["clocks"]}
    assert kinds["customers"] == "promise"
    assert set(kinds) == {"customers", "employees", "suppliers", "press", "executives"}
    assert plain["first_word_minutes"] is None
    assert plain["promises"] == {"kept": 0, "missed": 0, "moved": 0, "running": 5}
    services = next(f for f in plain["facts"] if f["name"] == "services")
    assert "Scotland" in str(services["value"])
    words = staffed("incident", "show", "INC-1").out
    assert "promises kept 0, missed 0, moved 0" in words


def test_a_promise_goes_to_a_circle_and_may_announce_an_interval(staffed):
    staffed("incident", "open", "Orders stopped", "--as", "Ana")
    made = staffed("incident", "promise", "INC-1", "in 4h", "--to", "suppliers", "--every", "4h", "--as", "Ana")
    assert "the next word to suppliers by" in made.out
    verbs = [e["verb"] for e in staffed("incident", "show", "INC-1", "--json").json["timeline"]]
    assert verbs[-2:] == ["promised to suppliers", "interval announced"]
    assert staffed("incident", "promise", "INC-1", "in 4h", "--to", "aliens", "--as", "Ana").code == 2


def test_a_promise_that_no_message_could_tell_is_named_as_such(staffed):
    staffed("incident", "open", "Orders stopped", "--severity", "major", "--as", "Ana")
    kept = staffed("incident", "promise", "INC-1", "in 5m", "--as", "Ana")
    assert (kept.code, kept.err) == (0, "")
    late = staffed("incident", "promise", "INC-1", "in 3d", "--as", "Ana")
    assert late.code == 0
    assert "! The cadence allows" in late.err
    assert "--every SPAN" in late.err
    assert staffed("incident", "promise", "INC-1", "in 3d", "--every", "3d", "--as", "Ana").err == ""


def test_reminders_are_listed_snoozed_acknowledged_and_handed_over(staffed):
    staffed("incident", "open", "Orders stopped", "--severity", "minor", "--next-update", "in 20m", "--as", "Ana")
    listed = staffed("reminder", "list", "--json", "--incident", "INC-1").json["reminders"]
    mine = [r for r in listed if r["clock"] == "customers"]
    assert [r["step"] for r in mine] == ["early", "due", "late_5", "late_15", "late_30"]
    assert {r["state"] for r in mine} == {"waiting"}
    assert all(r["due_at"].endswith("Z") for r in mine)
    ref = mine[0]["ref"]
    assert staffed("reminder", "snooze", ref, "--for", "30m", "--as", "Ana").code == 0
    later = staffed("reminder", "list", "--json").json["reminders"]
    assert next(r for r in later if r["ref"] == ref)["due_at"] > mine[0]["due_at"]
    assert staffed("reminder", "ack", ref, "--as", "Ana").code == 4, "nobody was told yet"
    handed = staffed("reminder", "hand-over", ref, "--to", "Olu", "--as", "Ana")
    assert handed.code == 0, handed.err
    assert staffed("reminder", "snooze", "R-999", "--as", "Ana").code != 0


def test_the_rota_is_set_and_shown(staffed):
    assert staffed("reminder", "rota").out == "Nobody is on the rota.\n"
    assert staffed("reminder", "rota", "Olu", "Ana", "--as", "Ana").out == "Olu\nAna\n"
    assert staffed("reminder", "rota", "--json").json == {"rota": ["Olu", "Ana"]}
    assert staffed("reminder", "rota", "--nobody", "--as", "Ana").out == "Nobody is on the rota.\n"


def test_regulators_clocks_run_beside_the_others(staffed):
    staffed("incident", "open", "Data taken", "--as", "Ana")
    began = staffed("incident", "duty", "INC-1", "nis2", "--since", "2026-11-20T08:00+00:00", "--as", "Ana", "--json")
    assert [c["clock"] for c in began.json["clocks"]] == ["nis2_warning", "nis2_notice", "nis2_final"]
    assert staffed("incident", "duty", "INC-1", "gdpr", "--since", "2026-11-20T08:00", "--as", "Ana").code == 2
    done = staffed("incident", "duty", "INC-1", "nis2_final", "--done", "Report 7", "--as", "Ana", "--json")
    assert done.json["clocks"][0]["state"] == "kept"
    plain = staffed("incident", "show", "INC-1", "--json").json
    assert plain["promises"]["kept"] == 0
    assert plain["duties"] == {"kept": 1, "missed": 0, "moved": 0, "running": 2}
    assert "regulators told in time 1, late 0, still owed 2" in staffed("incident", "show", "INC-1").out


def test_the_draft_of_still_working_wants_something_new_and_is_only_a_draft(drafted):
    """Nothing is sent by it; the same facts again make no draft."""
    refused = drafted("incident", "still", "INC-1", "--audience", "customers", "--fact", NEW, "--as", "Ben")
    assert refused.code != 0, "an approver drafts nothing"
    made = drafted("incident", "still", "INC-1", "--audience", "customers", "--fact", NEW, "--as", "Ana", "--json").json
    assert (made["state"], made["template"]) == ("draft", "outage-update")
    assert made["next_update_at"]


def test_without_news_there_is_no_draft(staffed, people_csv):
    staffed("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana")
    staffed("incident", "open", "Orders stopped", "--as", "Ana")
    refused = staffed("incident", "still", "INC-1", "--as", "Ana")
    assert refused.code == 4
    assert "Nothing is new" in refused.err


def test_a_brief_counts_the_days_of_a_long_incident(staffed, people_csv):
    with time_machine.travel("2026-11-20T08:00Z", tick=False) as travel:
        staffed("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana")
        staffed("incident", "open", "Orders stopped", "--severity", "critical", "--as", "Ana")
        travel.move_to("2026-11-23T09:30Z")
        staffed("fact", "set", "INC-1", "--facts", EXAMPLE, "--as", "Ana")
        made = staffed("incident", "still", "INC-1", "--as", "Ana", "--json").json
    assert made["template"] == "daily-brief"
    assert made["next_update_at"] == "2026-11-23T17:00:00Z"


def test_a_notice_to_our_own_people_is_read_like_any_broadcast_and_never_corrected(staffed):
    """Its words stand in the ledger: there is no template to read them from, or to check them against."""
    staffed("person", "change", "Olu", "--email", "olu@example.com", "--as", "Ada")
    staffed("incident", "open", "Orders stopped", "--severity", "minor", "--next-update", "in 20m", "--as", "Ana")
    ref = next(r for r in staffed("reminder", "list", "--json").json["reminders"] if r["clock"] == "customers")["ref"]
    assert staffed("reminder", "hand-over", ref, "--to", "Olu", "--as", "Ana").code == 0
    shown = staffed("broadcast", "preview", "B-1")
    assert shown.code == 0, shown.err
    assert "Ana handed you what is owed to customers" in shown.out
    first = staffed("broadcast", "preview", "B-1", "--json").json["previews"][0]
    assert (first["channel"], first["address"]) == ("email", "olu@example.com")
    assert staffed("broadcast", "show", "B-1", "--json").json["template"] == "staff-notice"
    assert staffed("broadcast", "preview", "B-1", "--html", "notice.html").code == 0
    assert staffed("broadcast", "report", "B-1").code == 0
    for words in (("check", "B-1"), ("correct", "B-1", "--as", "Ana"), ("update", "B-1", "--as", "Ana")):
        refused = staffed("broadcast", *words)
        assert refused.code == 4, refused.err
        assert "notice to our own people" in refused.err


def test_what_is_only_believed_is_confirmed_as_it_stands(staffed):
    staffed("incident", "open", "Orders stopped", "--as", "Ana")
    for pair in ("problem=Customers cannot place orders.", "doing=We are looking."):
        staffed("fact", "set", "INC-1", pair, "--state", "believed", "--source", "pagerduty/pages", "--as", "Ana")
    assert staffed("fact", "confirm", "INC-1", "--as", "Ben").code == 5, "an approver works on no incident"
    one = staffed("fact", "confirm", "INC-1", "problem", "--as", "Ana", "--json").json["facts"]
    assert [(f["name"], f["state"], f["source"], f["set_by"]) for f in one] == [
        ("problem", "confirmed", "pagerduty/pages", "Ana")
    ]
    assert staffed("fact", "confirm", "INC-1", "problem", "--as", "Ana").code == 4
    assert [f["name"] for f in staffed("fact", "confirm", "INC-1", "--as", "Ana", "--json").json["facts"]] == ["doing"]
    assert "Nothing is only believed." in staffed("fact", "confirm", "INC-1", "--as", "Ana").out
    history = staffed("fact", "list", "INC-1", "--name", "problem", "--history", "--json").json["facts"]
    assert [f["state"] for f in history] == ["believed", "confirmed"]
