"""A broadcast by the command line, on a real ledger; nothing is handed over, since no worker runs."""

import csv
import io
import json

import pytest

from dispatcher.model.states import TERMS


def show(run, ref="B-1"):
    return run("broadcast", "show", ref, "--json").json


def test_a_draft_prints_its_reference_and_nothing_else(drafted):
    view = show(drafted)
    assert (view["ref"], view["state"], view["mode"]) == ("B-1", "draft", "drill")
    listed = drafted("broadcast", "show").out
    assert drafted("broadcast", "list").out == listed
    assert "B-1" in listed
    assert "DRILL" in listed


def test_check_tells_sizes_and_plan(drafted):
    found = drafted("broadcast", "check", "B-1", "--json")
    assert found.code == 0, found.err
    assert found.json["audience_size"] == 4
    assert {name: plan["planned"] for name, plan in found.json["channels"].items()} == {
        "email": 3,
        "sms": 3,
        "social": 1,
    }
    words = drafted("broadcast", "check", "B-1").out
    assert "audience_size 4" in words
    assert "DRILL" in words


def test_a_missing_fact_is_refused_by_check_and_by_submit(drafted):
    drafted("fact", "retract", "INC-1", "problem", "--reason", "wrong", "--as", "Ana")
    found = drafted("broadcast", "check", "B-1", "--json")
    assert found.code == 4
    assert found.json["blocked"]
    assert found.error["mend"]
    assert drafted("broadcast", "submit", "B-1", "--as", "Ana").code == 4
    assert show(drafted)["state"] == "draft"


def test_preview_shows_what_one_person_gets(drafted):
    found = drafted("broadcast", "preview", "B-1", "--recipient", "zoe@example.net", "--json").json["previews"]
    mail = next(one for one in found if one["channel"] == "email")
    assert mail["locale"] == "fr"
    assert "Zoé" in mail["parts"]["text"]
    assert drafted("broadcast", "preview", "B-1", "--recipient", "nobody@example.com").code == 4
    assert "sms" in drafted("broadcast", "preview", "B-1").out


def test_the_author_may_not_approve_and_without_approval_nothing_is_sent(drafted):
    drafted("person", "add", "Both", "--role", "author,approver,operator", "--level", "director", "--as", "Ada")
    assert drafted("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 5
    assert drafted("broadcast", "submit", "B-1", "--as", "Both").code == 0
    assert drafted("broadcast", "approve", "B-1", "--as", "Both").code == 5
    assert drafted("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 5
    assert show(drafted)["approved_by"] == []


def test_approval_is_of_the_digest_that_was_seen(drafted):
    drafted("broadcast", "submit", "B-1", "--as", "Ana")
    assert drafted("broadcast", "approve", "B-1", "--digest", "0000", "--as", "Ben").code == 4
    digest = show(drafted)["digest"]
    answer = drafted("broadcast", "approve", "B-1", "--digest", digest[:12], "--as", "Ben", "--json")
    assert answer.json["state"] == "approved"
    assert show(drafted)["approved_by"] == ["Ben"]


def test_an_edit_voids_the_approval(approved):
    assert approved("broadcast", "edit", "B-1", "--title", "Another", "--as", "Ana").code == 0
    assert show(approved)["approved_by"] == []
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 5


def test_return_and_reject_need_a_reason(drafted):
    drafted("broadcast", "submit", "B-1", "--as", "Ana")
    assert drafted("broadcast", "return", "B-1", "--as", "Ben").code == 4
    assert drafted("broadcast", "return", "B-1", "--reason", "too long", "--as", "Ben").code == 0
    assert drafted("broadcast", "submit", "B-1", "--as", "Ana").code == 0
    assert drafted("broadcast", "reject", "B-1", "--reason", "not ours to say", "--as", "Ben").code == 0
    assert show(drafted)["state"] == "rejected"


@pytest.mark.parametrize(("argv", "code"), [(("--confirm-audience", 5), 6), ((), 6)])
def test_a_wrong_or_missing_size_sends_nothing(approved, argv, code):
    answer = approved("broadcast", "send", "B-1", *argv, "--as", "Olu")
    assert answer.code == code
    assert "nothing was sent" in answer.err
    assert show(approved)["state"] == "approved"


def test_send_says_mode_and_size_and_can_be_undone_in_its_window(approved):
    sent = approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 60, "--as", "Olu")
    assert sent.code == 0
    assert sent.out == "B-1\n"
    assert "DRILL" in sent.err
    assert "To 4 people: email 3, sms 3 and social 1" in sent.err
    assert "approved by Ben" in sent.err
    assert "dispatcher broadcast undo B-1" in sent.err
    assert show(approved)["state"] == "released"
    assert approved("broadcast", "undo", "B-1", "--as", "Olu").code == 0
    assert show(approved)["state"] == "approved"


def test_after_the_window_undo_is_too_late_and_stop_cancels_the_rest(approved):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")
    assert approved("broadcast", "undo", "B-1", "--as", "Olu").code == 10
    stopped = approved("broadcast", "stop", "B-1", "--reason", "wrong audience", "--as", "Olu")
    assert stopped.code == 0
    assert "7 planned = 7 cancelled" in stopped.out


def test_a_time_is_said_back_with_its_zone(approved, monkeypatch):
    monkeypatch.setenv("DISPATCHER_ORGANISATION__TIME_ZONE", "Europe/Paris")
    sent = approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--at", "in 10m", "--as", "Olu")
    assert sent.code == 0, sent.err
    assert "UTC)" in sent.err
    assert show(approved)["total"]["pending"] == 7
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--at", "whenever", "--as", "Olu").code == 2


def test_every_term_is_told_per_channel_and_in_total_and_adds_up(approved):
    view = show(approved)
    for terms in (*view["channels"].values(), view["total"]):
        assert set(terms) >= {"planned", *TERMS}
        assert terms["planned"] == sum(terms[term] for term in TERMS)
    assert view["audience_size"] == 4
    assert view["total"]["held"] == 7
    words = approved("broadcast", "show", "B-1").out
    assert "approved_by    Ben" in words
    assert "7 planned = 7 held" in words


def test_waiting_ends_with_124_and_says_that_sending_goes_on(approved):
    sent = approved(
        "broadcast",
        "send",
        "B-1",
        "--confirm-audience",
        4,
        "--undo",
        0,
        "--wait",
        "--timeout",
        "1s",
        "--plain",
        "--as",
        "Olu",
    )
    assert sent.code == 124
    assert "sending goes on" in sent.err
    assert "B-1 released" in sent.out


def test_ctrl_c_while_watching_stops_watching_only(approved, monkeypatch):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")

    def interrupted(_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupted)
    watched = approved("broadcast", "watch", "B-1", "--json")
    assert watched.code == 130
    assert "Sending goes on" in watched.err
    assert json.loads(watched.out.splitlines()[0])["state"] == "released"
    assert show(approved)["state"] == "released"


def test_pause_and_resume(approved):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")
    assert approved("broadcast", "pause", "B-1", "--channel", "sms", "--as", "Ana").code == 0
    assert show(approved)["channels"]["sms"]["held"] == 3
    assert show(approved)["channels"]["email"]["held"] == 0
    assert approved("broadcast", "resume", "B-1", "--as", "Ana").code == 5
    assert approved("broadcast", "resume", "B-1", "--as", "Olu").code == 0
    assert show(approved)["total"]["held"] == 0
    assert approved("broadcast", "pause", "B-1", "--channel", "fax", "--as", "Ana").code == 2


def test_export_is_one_row_per_delivery_and_safe_for_spreadsheets(approved, site):
    exported = approved("broadcast", "export", "B-1", "--as", "Olu")
    rows = list(csv.DictReader(io.StringIO(exported.out)))
    assert len(rows) == 7
    assert {row["state"] for row in rows} == {"held"}
    assert {row["address"] for row in rows if row["channel"] == "sms"} == {
        "'+447700900101",
        "'+447700900102",
        "'+447700900104",
    }
    approved("broadcast", "export", "B-1", "--json", "--to", site / "out.jsonl", "--as", "Olu")
    assert (site / "out.jsonl").stat().st_mode & 0o077 == 0
    assert len([json.loads(line) for line in (site / "out.jsonl").read_text().splitlines()]) == 7
    assert approved("broadcast", "export", "B-1", "--as", "Ana").code == 5


def test_the_report_is_written_before_anything_was_sent_too(approved, site):
    answer = approved("broadcast", "report", "B-1", "--into", site / "out", "--json")
    html = (site / "out" / "report-B-1.html").read_text()
    assert answer.json["report"].endswith("report-B-1.html")
    assert "DRILL" in html
    assert "⟨first_name⟩" in html or "⟨name⟩" in html


def test_retry_and_settle_ask_for_what_they_need(approved):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")
    assert approved("broadcast", "retry", "B-1", "--as", "Olu", "--json").json["retried"] == 0
    assert approved("broadcast", "settle", "B-1", "--unknown", "leave", "--as", "Olu").code == 2
    settled = approved(
        "broadcast", "settle", "B-1", "--unknown", "leave", "--reason", "asked the vendor", "--as", "Olu", "--json"
    )
    assert settled.json["settled"] == 0


def test_a_test_goes_to_one_of_us_only(approved):
    approved("person", "add", "Tess", "--role", "author", "--email", "tess@example.com", "--as", "Ada")
    assert approved("broadcast", "test", "B-1", "--to", "stranger@example.com", "--as", "Ana").code == 4
    sent = approved("broadcast", "test", "B-1", "--to", "tess@example.com", "--as", "Ana", "--json")
    assert sent.code == 0, sent.err
    assert sent.json["sent"][0]["channel"] == "email"


@pytest.mark.parametrize(
    ("argv", "code", "word"),
    [
        (("draft", "--template", "nonsense", "--audience", "customers"), 4, "template"),
        (("draft", "--template", "holding-statement", "--audience", "nobody-knows"), 4, "audience"),
        (("draft", "--template", "holding-statement"), 4, "audience"),
        (("draft", "--template", "holding-statement", "--audience", "customers", "--channel", "fax"), 2, "channel"),
        (("draft", "--template", "holding-statement", "--audience", "customers", "--fact", "novalue"), 2, "name=value"),
        (("show", "B-99"), 4, "B-99"),
        (("show", "nonsense"), 2, "nonsense"),
        (("send", "B-1", "--undo", "soon"), 2, "length of time"),
    ],
)
def test_bad_words_are_refused_with_a_mend(drafted, argv, code, word):
    answer = drafted("broadcast", *argv, "--as", "Ana")
    assert answer.code == code, answer.err
    assert word in answer.err
    assert "Mend" in answer.err


@pytest.mark.parametrize(("typed", "code"), [("4", 0), ("4,000", 6), ("yes", 6), ("", 6)])
def test_in_a_terminal_the_size_is_typed(approved, monkeypatch, typed, code):
    monkeypatch.setattr("dispatcher.cli.broadcast_run.is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
    answer = approved("broadcast", "send", "B-1", "--as", "Olu")
    assert answer.code == code
    assert "Type the number of people" in answer.err
    assert show(approved)["state"] == ("released" if code == 0 else "approved")


def test_what_keeps_it_waiting_is_said(approved):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu")
    approved("channel", "freeze", "sms", "--reason", "strange hands", "--as", "Olu")
    shown = approved("broadcast", "show", "B-1").out
    assert "! sms released: frozen: strange hands" in shown


def test_a_draft_is_refused_before_anybody_is_asked_for_its_size(drafted):
    refused = drafted("broadcast", "send", "B-1", "--as", "Olu")
    assert refused.code == 5
    assert "it is not approved" in refused.err
    assert "To 0 people" not in refused.err


def test_a_name_that_the_template_does_not_ask_for_never_gets_into_a_draft(drafted):
    refused = drafted("broadcast", "edit", "B-1", "--fact", "doign=We are looking.", "--as", "Ana")
    assert refused.code == 4
    assert "did you mean doing?" in refused.err
    assert drafted("broadcast", "show", "--json").json["broadcasts"][0]["version"] == 1
    new = drafted(
        "broadcast", "draft", "--template", "holding-statement", "--audience", "customers", "--incident", "INC-1",
        "--fact", "bogus=1", "--as", "Ana",
    )  # fmt: skip
    assert new.code == 4
    assert "bogus is not asked for" in new.err


def test_show_says_when_what_is_released_leaves(approved):
    approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--at", "in 10m", "--as", "Olu")
    shown = approved("broadcast", "show", "B-1")
    assert f"release_at     {approved('broadcast', 'show', 'B-1', '--json').json['release_at']}" in shown.out
