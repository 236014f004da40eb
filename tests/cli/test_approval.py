"""The second pair of eyes by the command line: override, levels, deputies, break-glass, review, pre-approval."""

import pytest

TERMS = """template = "holding-statement"
channels = ["email"]
audience = "customers"
audience_most = 4
ends = 2099-01-01T00:00:00Z
[facts]
problem = { longest = 400 }
since = { within_hours = 1e6 }
affected = { most = 10 }
unknown = { most = 10 }
doing = { longest = 400 }
workaround = { longest = 400 }
still_working = { most = 10 }
[warnings]
L45 = "the mark of a drill makes the subject longer"
L42 = "the never-ask line is not translated yet"
"""


@pytest.fixture
def submitted(drafted):
    assert drafted("broadcast", "submit", "B-1", "--as", "Ana").code == 0
    return drafted


def warning(run, code):
    found = run("broadcast", "check", "B-1", "--json").json["findings"]
    return next(one for one in found if one["code"] == code)


def test_an_override_is_shown_by_check_show_and_approve(drafted):
    assert drafted("broadcast", "override", "B-1", "--rule", "L45", "--as", "Ben").code == 4
    assert drafted("broadcast", "override", "B-1", "--rule", "L45", "--reason", "x", "--as", "Ana").code == 5
    done = drafted("broadcast", "override", "B-1", "--rule", "L45", "--reason", "only in a drill", "--as", "Ben")
    assert done.code == 0, done.err
    assert "let pass by Ben: only in a drill" in done.out
    assert warning(drafted, "L45")["overridden_by"] == "Ben"
    assert "let pass by Ben: only in a drill" in drafted("broadcast", "check", "B-1").out
    drafted("broadcast", "submit", "B-1", "--as", "Ana")
    answer = drafted("broadcast", "approve", "B-1", "--as", "Ben")
    assert "let pass by Ben: only in a drill" in answer.err
    assert "only in a drill" in drafted("broadcast", "show", "B-1").out
    drafted("broadcast", "edit", "B-1", "--fact", "problem=Orders on our website fail.", "--as", "Ana")
    assert "overridden_by" not in warning(drafted, "L45")


def test_approve_can_override_in_the_same_breath(submitted, monkeypatch):
    monkeypatch.setenv("DISPATCHER_APPROVAL__OPEN_WARNINGS__DRILL", "refuse")
    refused = submitted("broadcast", "approve", "B-1", "--as", "Ben", "--json")
    assert (refused.code, refused.error["code"]) == (4, "E-WARN")
    found = submitted("broadcast", "check", "B-1", "--json").json["findings"]
    rules = ",".join(sorted({one["code"] for one in found if one["severity"] == "warning"}))
    done = submitted("broadcast", "approve", "B-1", "--override", rules, "--reason", "a drill", "--as", "Ben", "--json")
    assert done.json["state"] == "approved"
    assert {one["overridden_by"] for one in done.json["warnings"]} == {"Ben"}


def test_the_glass_takes_two_and_is_reviewed(submitted):
    submitted("person", "add", "Cat", "--role", "approver", "--as", "Ada")
    first = submitted("broadcast", "break-glass", "B-1", "--reason", "nobody answers", "--as", "Cat")
    assert first.code == 0, first.err
    assert "A second person" in first.out
    assert submitted("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 5
    second = submitted("broadcast", "break-glass", "B-1", "--reason", "people wait", "--as", "Olu", "--json")
    assert second.json["state"] == "approved"
    assert "B-1" in submitted("broadcast", "review").out
    assert "review B-1" in submitted("broadcast", "show").err
    told = submitted("doctor", "--json")
    assert any(one["about"] == "review" for one in told.json["findings"])
    assert submitted("broadcast", "review", "B-1", "--reason", "right", "--as", "Cat").code == 5
    assert submitted("broadcast", "review", "B-1", "--reason", "right", "--as", "Ben").code == 0
    assert submitted("broadcast", "review", "--json").json == {"reviews": []}


def test_deputies_are_named_listed_and_removed(staffed):
    staffed("person", "add", "Dora", "--role", "approver", "--as", "Ada")
    assert staffed("person", "deputy", "Dora", "--as", "Ada").code == 2
    named = staffed("person", "deputy", "Dora", "--for", "Ben", "--away-until", "in 2h", "--as", "Ada")
    assert named.code == 0, named.err
    [one] = staffed("person", "deputy", "--json").json["deputies"]
    assert (one["person"], one["deputy"], one["away_until"][-1]) == ("Ben", "Dora", "Z")
    assert staffed("person", "deputy", "Dora", "--for", "Ben", "--remove", "--as", "Ada").code == 0
    assert "Nobody has a deputy" in staffed("person", "deputy").out


def test_a_preapproval_from_its_terms_to_a_release(drafted, site):
    (site / "terms.toml").write_text(TERMS, encoding="utf-8")
    added = drafted("preapproval", "add", "first word", "--terms", "terms.toml", "--as", "Ana")
    assert added.code == 0, added.err
    assert "nobody" in added.out
    assert drafted("preapproval", "use", "first word", "--incident", "INC-1", "--as", "Ana").code == 5
    assert drafted("preapproval", "approve", "first word", "--as", "Ben").code == 0
    used = drafted("preapproval", "use", "first word", "--incident", "INC-1", "--as", "Ana")
    assert used.code == 0, used.err
    ref = used.out.strip()
    sent = drafted("broadcast", "send", ref, "--confirm-audience", 3, "--as", "Olu")
    assert sent.code == 0, sent.err
    view = drafted("broadcast", "show", ref, "--json").json
    assert (view["state"], view["approved_by"]) == ("released", ["pre-approval first word"])
    outside = drafted(
        "preapproval", "use", "first word", "--incident", "INC-1", "--fact", f"problem={'x ' * 300}", "--as", "Ana",
        "--json",
    )  # fmt: skip
    assert outside.code == 4
    assert drafted("preapproval", "revoke", "first word", "--reason", "new template", "--as", "Ben").code == 0
    assert drafted("preapproval", "list", "--json").json["preapprovals"][0]["state"] == "revoked"
    assert "revoked by Ben: new template" in drafted("preapproval", "show", "first word").out


def test_what_people_missed_is_listed_even_when_it_is_nothing(drafted):
    assert drafted("broadcast", "missed", "--json").json == {"missed": []}
    assert drafted("broadcast", "missed", "--incident", "INC-1").out == "Nothing.\n"


def test_a_promise_minutes_ahead_is_told_at_the_yes_and_at_the_send_and_an_edit_makes_a_later_one(submitted):
    edited = submitted("broadcast", "edit", "B-1", "--next-update", "in 4m", "--as", "Ana")
    assert edited.code == 0, edited.err
    assert "It tells of the next update by" in edited.err
    assert submitted("broadcast", "submit", "B-1", "--as", "Ana").code == 0
    said = "! B-1 promises the next update by"
    assert said in submitted("broadcast", "approve", "B-1", "--as", "Ben").err
    send = ("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu")
    assert said in submitted(*send).err
    assert submitted("broadcast", "undo", "B-1", "--as", "Olu").code == 0
    again = submitted("broadcast", "edit", "B-1", "--next-update", "in 15m", "--as", "Ana", "--json")
    assert (again.json["state"], again.json["digest"]) == ("draft", None)
    assert submitted("broadcast", "submit", "B-1", "--as", "Ana").code == 0
    assert said not in submitted("broadcast", "approve", "B-1", "--as", "Ben").err
    assert said not in submitted(*send).err
