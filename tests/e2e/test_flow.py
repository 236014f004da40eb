"""The main job by the command line alone, live against pretend vendors: from an empty folder to "this is who got it".

Real processes throughout: the vendors, a private broker, web, worker and beat under `up`, and one process per command.
"""

import csv
import io
import json

import psutil
import pytest

from dispatcher import resources
from dispatcher.model.states import TERMS
from dispatcher.rehearsal.population import COLUMNS, people, write_list
from dispatcher.sandbox.record import judge
from tests.e2e.house import open_house
from tests.e2e.processes import end, family, left_of, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
COUNT = 120
NOBODY = "+447700900192"  # the pretend Twilio refuses it in its answer: a failure that no event has to bring
EXAMPLE = resources.shipped("templates") / "messages" / "holding-statement" / "example.toml"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with open_house(tmp_path_factory.mktemp("flow")) as opened:
        yield opened


@pytest.fixture(scope="module")
def sent(house):
    """Everything from the first person to the end of the broadcast; what `send --wait` printed."""
    run = house.run
    for name, role in (("Ada", "admin"), ("Ana", "author"), ("Ben", "approver"), ("Olu", "operator")):
        admin = "" if name == "Ada" else "Ada"
        run("person", "add", name, "--role", role, "--level", "director", who=admin)
        run("person", "token", name, "--to", f"{name}.token", who=admin)
    write_people(house.folder / "people.csv")
    run("audience", "import", "people.csv", "--into", "customers", "--confirm-rows", COUNT + 1, who="Ana")
    first = next(one for one in people(COUNT, 5) if one.email and one.phone)
    run("suppression", "add", first.email, "--reason", "opt_out", who="Ana")
    opened = run("incident", "open", "Orders stopped", "--severity", "major", "--next-update", "in 30m", who="Ana")
    incident = opened.stdout.strip()
    run("fact", "set", incident, "--facts", EXAMPLE, who="Ana")
    drafted = run(
        "broadcast",
        "draft",
        "--template",
        "holding-statement",
        "--audience",
        "customers",
        "--incident",
        incident,
        who="Ana",
    )
    ref = drafted.stdout.strip()
    size = house.json("broadcast", "check", ref)["audience_size"]
    run("broadcast", "preview", ref)
    run("broadcast", "submit", ref, who="Ana")
    run("broadcast", "send", ref, "--confirm-audience", size, who="Olu", code=5)
    run("broadcast", "approve", ref, who="Ana", code=5)
    run("broadcast", "approve", ref, who="Ben")
    run("broadcast", "send", ref, "--confirm-audience", size + 1, who="Olu", code=6)
    words = (
        "broadcast",
        "send",
        ref,
        "--confirm-audience",
        size,
        "--undo",
        1,
        "--wait",
        "--timeout",
        "100s",
        "--plain",
    )
    return ref, size, run(*words, who="Olu", code=7)


def write_people(path):
    """The invented people, and one whose number cannot exist."""
    write_list(path, COUNT, 5)
    with path.open("a", newline="") as file:
        csv.DictWriter(file, COLUMNS).writerow({"name": "Nobody", "phone": NOBODY, "locale": "en-GB"})


def test_the_send_says_that_this_is_live_against_a_test_endpoint(house, sent):
    _, size, done = sent
    assert "LIVE · TEST ENDPOINT" in (house.folder / "up.log").read_text()
    assert "LIVE · TEST ENDPOINT" in done.stderr
    assert f"To {size} people" in done.stderr
    assert "did not reach anybody" in done.stderr
    assert "B-1 released" in done.stdout


def test_every_sum_adds_up_and_agrees_with_the_vendors(house, sent):
    ref, size, _ = sent
    view = until(lambda: settled(house, ref), "every event")
    for terms in (view["total"], *view["channels"].values()):
        assert terms["planned"] == sum(terms[term] for term in TERMS)
    assert (view["mode"], view["state"], view["approved_by"], view["audience_size"]) == ("live", "done", ["Ben"], size)
    assert view["channels"]["email"]["suppressed"] == 1
    assert view["channels"]["email"]["delivered"] > COUNT * 0.8
    tally = judge(house.record)
    assert tally.duplicates == {}
    assert tally.by_account["sendgrid"] == view["channels"]["email"]["planned"] - 1
    assert house.json("ledger", "check")["reconciles"]


def settled(house, ref):
    view = house.json("broadcast", "show", ref)
    quiet = view["channels"]["email"]["accepted"] + view["channels"]["sms"]["accepted"]
    silent = sum(one.email.startswith("silent") + one.phone.endswith("194") for one in people(COUNT, 5))
    return view if quiet <= silent else None


def test_who_did_not_get_it_is_exported_row_by_row(house, sent):
    """People whom no channel reached: one whose mail is suppressed and whose text arrived is none of them."""
    ref, _, _ = sent
    until(lambda: settled(house, ref), "every event")
    everybody = list(csv.DictReader(io.StringIO(house.run("broadcast", "export", ref, who="Olu").stdout)))
    missed = list(csv.DictReader(io.StringIO(house.run("broadcast", "export", ref, "--unreached", who="Olu").stdout)))
    total = house.json("broadcast", "show", ref)["total"]
    assert len(everybody) == total["planned"]
    reached = {row["recipient"] for row in everybody if row["state"] in {"accepted", "delivered"}}
    assert {row["recipient"] for row in missed} == {row["recipient"] for row in everybody} - reached
    assert f"'{NOBODY}" in {row["address"] for row in missed}  # no spreadsheet takes it for a formula
    assert {row["reason"] for row in everybody if row["state"] == "suppressed"} == {"opt_out"}


def test_bounces_and_complaints_have_become_suppressions(house, sent):
    reasons = {one["reason"] for one in house.json("suppression", "list")["counts"]}
    assert "opt_out" in reasons
    assert reasons & {"hard_bounce", "invalid", "spam_report"}


def test_the_report_says_live_and_test_endpoint_in_every_heading(house, sent):
    path = house.folder / house.json("broadcast", "report", sent[0])["report"]
    html = path.read_text()
    assert html.count("LIVE · TEST ENDPOINT") >= 8
    assert "DRILL" not in html


def test_watch_ends_where_the_broadcast_has_ended(house, sent):
    lines = house.run("broadcast", "watch", sent[0], "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["done"]


def test_no_secret_and_no_address_stands_on_a_command_line_or_in_a_log(house, sent):
    commands = [" ".join(one.cmdline()) for one in family(house.up.pid)]
    secrets = [
        "SG.sandbox",
        "sandbox-token",
        "sandbox-bearer",
        *((house.folder / f"{n}.token").read_text().strip() for n in ("Ada", "Olu")),
    ]
    logged = "".join(p.read_text(errors="replace") for p in house.folder.rglob("*.log"))
    for secret in secrets:
        assert not any(secret in command for command in commands)
        assert secret not in logged


def test_up_leaves_nothing_behind(house, sent):
    relatives = family(house.up.pid)
    assert {"web", "worker", "beat"} <= {word for one in relatives for word in named(one)}
    end(house.up)
    assert left_of(relatives) == []


def named(process):
    try:
        line = " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return set()
    return {word for word, mark in (("web", "dispatcher.web"), ("worker", "worker"), ("beat", "beat")) if mark in line}
