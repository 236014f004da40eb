"""The smaller nouns, each on a real ledger."""

import io
import json
import shutil

import pytest

from dispatcher import resources
from tests.cli.conftest import PEOPLE


def test_people_are_listed_with_their_roles_and_never_with_a_token(staffed):
    token = staffed("person", "token", "Ana", "--as", "Ada", "--json").json["token"]
    listed = staffed("person", "list", "--json")
    assert {p["name"]: (p["roles"], p["has_token"]) for p in listed.json["people"]} == {
        "Ada": (["admin"], False),
        "Ana": (["author"], True),
        "Ben": (["approver"], False),
        "Olu": (["operator"], False),
    }
    assert token not in listed.out
    assert staffed("person", "remove", "Olu", "--as", "Ada").code == 0
    assert "Olu" not in staffed("person", "list").out
    assert staffed("person", "add", "Zed", "--role", "king", "--as", "Ada").code == 2


def test_an_import_tells_what_it_read_and_masks_what_it_shows(staffed, people_csv):
    made = staffed("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana")
    assert made.out == "customers, version 1, is imported: 4 people.\n"
    assert "4 rows" in made.err
    shown = staffed("audience", "show", "customers").out
    assert "a…@example.com" in shown
    assert "ana.jones@example.com" not in shown
    assert staffed("audience", "list", "--json").json["audiences"][0]["size"] == 4
    again = staffed(
        "audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana", "--json"
    ).json
    assert (again["version"], again["unchanged"]) == (1, True)


def test_one_bad_cell_imports_nobody(staffed, site):
    path = site / "bad.csv"
    path.write_text(PEOPLE + "Bad,Bad,not-an-address,12,en\n")
    answer = staffed("audience", "import", path, "--into", "customers", "--region", "GB", "--as", "Ana")
    assert answer.code == 4
    assert "line 6, column email" in answer.err
    assert staffed("audience", "list", "--json").json == {"audiences": []}
    told = staffed("audience", "import", path, "--into", "customers", "--region", "GB", "--as", "Ana", "--json")
    assert {error["column"] for error in told.json["errors"]} == {"email", "phone"}
    kept = staffed(
        "audience", "import", path, "--into", "c", "--region", "GB", "--leave-out-bad", "--as", "Ana", "--json"
    )
    assert kept.code == 0, kept.err


def test_the_number_of_rows_can_be_confirmed_and_a_dry_run_stores_nothing(staffed, people_csv):
    base = ("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana")
    assert staffed(*base, "--dry-run", "--json").json["rows"] == 4
    assert staffed(*base, "--confirm-rows", 5).code == 6
    assert staffed("audience", "list", "--json").json == {"audiences": []}
    assert staffed(*base, "--confirm-rows", 4).code == 0
    assert staffed("audience", "remove", "customers", "--as", "Ana").code == 0
    assert "No audience yet" in staffed("audience", "list").out


def test_columns_can_be_named(staffed, site):
    path = site / "odd.csv"
    path.write_text("Who,Write to\nAna,ana@example.com\n")
    made = staffed(
        "audience", "import", path, "--into", "odd", "--map", "Who=name", "--map", "Write to=email", "--as", "Ana"
    )
    assert made.code == 0, made.err
    assert staffed("audience", "import", path, "--into", "odd", "--map", "Who", "--as", "Ana").code == 2


def test_suppressions_are_added_counted_imported_and_lifted_with_a_reason(staffed, site):
    assert staffed("suppression", "add", "gone@example.com", "--reason", "opt_out", "--as", "Ana").code == 0
    (site / "out.csv").write_text("email,phone\nx@example.com,+447700900111\nbroken,\n")
    done = staffed("suppression", "import", site / "out.csv", "--as", "Ana", "--json")
    assert done.json == {"rows": 2, "added": 2, "held_already": 0, "errors": 1}
    counts = staffed("suppression", "list", "--json").json["counts"]
    assert {(c["channel"], c["count"]) for c in counts} == {("email", 2), ("sms", 1)}
    assert "gone@example.com" not in staffed("suppression", "list").out
    assert "gone@example.com" in staffed("suppression", "list", "--addresses").out
    assert staffed("suppression", "remove", "gone@example.com", "--as", "Olu").code == 2
    assert staffed("suppression", "remove", "gone@example.com", "--reason", "asked by phone", "--as", "Olu").code == 0


def test_an_incident_from_open_to_close(staffed):
    opened = staffed("incident", "open", "Sign-in fails", "--severity", "major", "--as", "Ana")
    assert opened.out == "INC-1\n"
    assert staffed("incident", "promise", "INC-1", "in 30m", "--as", "Ana").code == 0
    assert staffed("incident", "promise", "INC-1", "2020-01-01T00:00Z", "--as", "Ana").code == 2
    updated = staffed(
        "incident", "update", "INC-1", "--phase", "monitoring", "--note", "a fix is out", "--as", "Ana", "--json"
    )
    assert updated.json["phase"] == "monitoring"
    shown = staffed("incident", "show", "INC-1")
    assert "a fix is out" in shown.out
    assert "DRILL" in shown.out
    assert staffed("incident", "list", "--json").json["incidents"][0]["ref"] == "INC-1"
    assert staffed("incident", "close", "INC-1", "--lesson", "test the rollback", "--as", "Ana").code == 0
    assert staffed("incident", "list", "--json").json == {"incidents": []}
    assert len(staffed("incident", "list", "--all", "--json").json["incidents"]) == 1


def test_facts_have_a_state_a_source_and_a_history(staffed):
    staffed("incident", "open", "Sign-in fails", "--as", "Ana")
    put = ("fact", "set", "INC-1")
    assert (
        staffed(
            *put, "problem=Nobody can sign in.", "--source", "operations", "--state", "believed", "--as", "Ana"
        ).code
        == 0
    )
    assert (
        staffed(*put, "problem=Some cannot sign in.", "problem@fr=Certains clients ne peuvent pas.", "--as", "Ana").code
        == 0
    )
    assert staffed(*put, "our_own=kept", "--as", "Ana").code == 4
    assert staffed(*put, "our_own=kept", "--kind", "line", "--as", "Ana").code == 0
    assert staffed(*put, "doing", "--state", "unknown", "--as", "Ana").code == 0
    assert staffed(*put, "--as", "Ana").code == 2
    listed = staffed("fact", "list", "INC-1", "--json").json["facts"]
    assert {(f["name"], f["locale"], f["state"]) for f in listed} == {
        ("problem", None, "confirmed"),
        ("problem", "fr", "confirmed"),
        ("our_own", None, "confirmed"),
        ("doing", None, "unknown"),
    }
    assert len(staffed("fact", "list", "INC-1", "--name", "problem", "--history", "--json").json["facts"]) == 3
    gone = staffed("fact", "retract", "INC-1", "problem", "--reason", "it was the network", "--as", "Ana", "--json")
    assert gone.json["told_by"] == []
    assert "retracted" in staffed("fact", "list", "INC-1").out


def test_a_channel_is_frozen_for_everybody_and_thawed(approved):
    assert approved("channel", "freeze", "sms", "--as", "Olu").code == 2
    assert approved("channel", "freeze", "sms", "--reason", "account in strange hands", "--as", "Olu").code == 0
    listed = {c["channel"]: c["state"] for c in approved("channel", "list", "--json").json["channels"]}
    assert listed == {"email": "open", "sms": "frozen", "social": "open", "chat": "open"}
    assert "account in strange hands" in approved("channel", "list").out
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 4
    assert approved("channel", "thaw", "sms", "--as", "Olu").code == 0
    assert approved("channel", "probe", "twilio", "--as", "Olu").code in (0, 4)


def test_the_ledger_is_recounted(approved):
    checked = approved("ledger", "check", "--json")
    assert checked.code == 0
    assert checked.json == {"broadcasts": 1, "differences": [], "reconciles": True}


def test_a_wrong_counter_is_found_and_is_no_success(approved, site):
    from dispatcher.ledger.engine import Ledger

    ledger = Ledger(f"sqlite:///{site / 'work' / 'ledger.db'}")
    with ledger.write() as tx:
        tx.change("UPDATE batch SET waiting = waiting - 1 WHERE no = 0")
    ledger.close()
    checked = approved("ledger", "check", "--json")
    assert checked.code == 1
    assert checked.json["differences"][0]["counter"] == "waiting"
    assert checked.error["code"] == "E-SUM"


def test_a_ledger_that_is_not_held_says_so(staffed):
    assert staffed("hold", "show", "--json").json == {"held": False, "why": None}
    assert staffed("hold", "release", "--as", "Olu").code == 2


def test_a_ledger_behind_its_anchor_sends_nothing_until_a_person_releases_it(approved, site):
    anchor = site / "state" / "anchor.json"
    assert approved("hold", "show").code == 0
    entries = json.loads(anchor.read_text())
    anchor.write_text(json.dumps({name: {**entry, "attempt": 99} for name, entry in entries.items()}))
    assert approved("hold", "show", "--json").json["held"] is True
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 8
    assert approved("hold", "release", "--reason", "compared with the vendor", "--as", "Olu").code == 0
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--as", "Olu").code == 0


def test_reconcile_with_nothing_due(staffed):
    assert staffed("reconcile", "--json").json["settled"] == {"email": 0, "sms": 0, "social": 0, "chat": 0}


def test_up_without_a_broker_names_the_mend(site, run):
    answer = run("up")
    assert answer.code == 3
    assert "dispatcher up --embedded" in answer.err


def test_up_runs_what_the_procfile_names(site):
    from pathlib import Path

    from dispatcher.cli.up import SHIPPED, programs
    from dispatcher.embedded.procfile import load, parse

    root = Path(__file__).parents[2]
    assert parse(SHIPPED, {}) == load(root / "Procfile", {})
    (site / "Procfile").write_text("only: python -V\n")
    assert [p.name for p in programs({}, site)] == ["only"]
    assert [p.name for p in programs({}, site / "elsewhere")] == ["web", "worker", "beat"]


@pytest.mark.parametrize("noun", ["incident", "fact", "audience", "channel", "suppression"])
def test_nothing_heavy_is_asked_of_a_refused_call(run, noun):
    assert run(noun, "nonsense").code == 2


def test_templates_are_listed_shown_linted_and_tried(run):
    listed = {t["id"]: t for t in run("template", "list", "--json").json["templates"]}
    assert {"holding-statement", "outage-update", "apology-restoration", "data-breach"} <= set(listed)
    assert "must be confirmed" in run("template", "show", "data-breach").out
    linted = run("template", "lint", "holding-statement", "--json")
    assert linted.code == 0
    assert linted.json["passed"]
    assert run("template", "lint", "nonsense").code == 4
    tried = run("template", "try", "holding-statement", "--locale", "en", "--json").json["texts"]
    mail = next(text for text in tried if text["of"] == "email")
    assert mail["parts"]["subject"].startswith("[EXERCISE]")
    assert "⟨first_name⟩" in mail["parts"]["text"] or "⟨name⟩" in mail["parts"]["text"]


def test_a_broken_template_is_told_with_its_place_and_stops_no_other(run, site, monkeypatch):
    monkeypatch.setenv("DISPATCHER_TEMPLATES_DIR", str(site / "own"))
    shutil.copytree(resources.shipped("templates") / "messages", site / "own" / "messages")
    (site / "own" / "messages" / "holding-statement" / "sms.txt").write_text("{% if %}")
    linted = run("template", "lint", "--json")
    assert linted.code == 4
    verdicts = {one["template"]: one["passed"] for one in linted.json["templates"]}
    assert verdicts.pop("holding-statement") is False
    assert verdicts
    assert all(verdicts.values())
    assert "sms.txt" in run("template", "lint", "holding-statement").out


@pytest.mark.parametrize(("typed", "code"), [("4", 0), ("5", 6), ("all", 6)])
def test_in_a_terminal_the_number_of_rows_is_typed(staffed, people_csv, monkeypatch, typed, code):
    monkeypatch.setattr("dispatcher.cli.audience.is_terminal", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed + "\n"))
    answer = staffed("audience", "import", people_csv, "--into", "customers", "--region", "GB", "--as", "Ana")
    assert answer.code == code
    assert "4 were read" in answer.err


def test_roles_are_added_to_one_of_us_who_is_there(staffed):
    assert "person change Ana" in staffed("person", "add", "Ana", "--role", "approver", "--as", "Ada").err
    made = staffed("person", "change", "Ana", "--role", "author,operator", "--as", "Ada", "--json")
    assert made.json["roles"] == ["author", "operator"]


def test_the_rows_of_a_fact_are_words(staffed):
    staffed("incident", "open", "Shop", "--severity", "major", "--service", "Orders@Wales:down", "--as", "Ana")
    listed = staffed("fact", "list", "INC-1").out
    assert "Orders" in listed
    assert "down" in listed
    assert "{" not in listed


def test_posts_that_could_not_be_read_are_listed_and_applied_again(staffed):
    assert staffed("event", "list").out == "Every post could be applied.\n"
    assert staffed("event", "list", "--json").json == {"posts": []}
    refused = staffed("event", "retry", "sendgrid", "--as", "Olu")
    assert refused.code == 4
    assert "dispatcher event list" in refused.err
    assert staffed("event", "retry", "sendgrid", "--as", "Ana").code == 5
