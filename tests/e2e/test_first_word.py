"""From a signed signal at the web door to the first public word in the vendors' hands, in one run: how many keys two
people press at the desk, and what is told of it afterwards. Live, over real processes; the desk in a real terminal."""

import contextlib
import json
import os
import pty
import subprocess
import termios
import urllib.request
from datetime import UTC, datetime

import pytest

from tests.e2e.house import open_house
from tests.e2e.processes import DISPATCHER, end, environment, until
from tests.intake.samples import KEY
from tests.intake.table import SAMPLES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
PEOPLE = "email,phone,name\nana@example.com,+447700900101,Ana\nben@example.com,,Ben\ncy@example.com,,Cy\n"
REACHED = 3
MOST_KEYS = 8


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Two people who write and approve, an operator, customers, and a door for PagerDuty."""
    with open_house(tmp_path_factory.mktemp("first")) as made:
        for name, role in (("Ada", "admin"), ("Ana", "author"), ("Ben", "approver"), ("Olu", "operator")):
            admin = "" if name == "Ada" else "Ada"
            made.run("person", "add", name, "--role", role, "--level", "director", who=admin)
            made.run("person", "token", name, "--to", f"{name}.token", who=admin)
        (made.folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
        (made.folder / "key").write_text(KEY, encoding="utf-8")
        made.run("audience", "import", "people.csv", "--into", "customers", "--confirm-rows", REACHED, who="Ana")
        made.run("signal", "secret", "pagerduty", "pages", "--file", "key", who="Ada")
        yield made


def fire(house, ref):
    """PagerDuty tells of an incident; the door has answered when this returns."""
    sample = SAMPLES["pagerduty"]
    now = datetime.now(UTC)
    payload = sample.opened(ref, now)
    body = json.dumps(payload).encode()
    headers = {"Content-Type": "application/json"} | sample.headers(payload, body, now)
    post = urllib.request.Request(f"http://127.0.0.1:{house.port}/signals/pagerduty/pages", body, headers)
    with urllib.request.urlopen(post, timeout=60) as answer:
        assert answer.status < 300


class Desk:
    """`dispatcher desk` in a terminal of its own; counts the keys that are pressed."""

    def __init__(self, house, who):
        self.said, self.keys = "", 0
        self.master, slave = pty.openpty()
        words = [*DISPATCHER, "desk", "--token-file", str(house.folder / f"{who}.token")]
        self.process = subprocess.Popen(
            words, cwd=house.folder, env=environment(house.folder), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)

    def press(self, key, after):
        """One key, once these words are on the screen since the last one."""
        try:
            until(lambda: after in self._read() and self._listens(), f"{after!r} on the desk", within=30)
        except AssertionError as missed:
            missed.add_note(f"It said: {self.said}")
            raise
        self.said = ""
        os.write(self.master, key.encode())
        self.keys += 1

    def _read(self):
        os.set_blocking(self.master, False)
        with contextlib.suppress(OSError):  # nothing new, or the other side has ended: what it said stands
            self.said += os.read(self.master, 65_536).decode(errors="replace")
        return self.said

    def _listens(self):
        """It waits for one key; what is typed before that is thrown away."""
        return not termios.tcgetattr(self.master)[3] & termios.ICANON

    def leave(self, after):
        self.press("q", after)
        assert self.process.wait(60) == 0
        os.close(self.master)


@pytest.fixture
def at_desk(house):
    desks = []

    def sit(who):
        desks.append(Desk(house, who))
        return desks[-1]

    yield sit
    for desk in desks:
        end(desk.process)


def drafted(house, incident):
    """The draft that the playbook made of it."""
    shown = until(lambda: (v := house.json("incident", "show", incident))["broadcasts"] and v, "the draft")
    return next(ref for ref in shown["broadcasts"] if house.json("broadcast", "show", ref)["state"] == "draft")


def test_from_the_signal_to_the_first_word_in_eight_keys_and_two_people(house, at_desk):
    fire(house, "PKEYS")
    (incident,) = [one["ref"] for one in until(lambda: house.json("incident", "list")["incidents"], "the incident")]
    ref = drafted(house, incident)
    ana, ben = at_desk("Ana"), at_desk("Ben")
    for desk, step, state in ((ana, "submit", "submitted"), (ben, "approve", "approved")):
        if desk is ben:
            until(lambda: house.json("broadcast", "show", ref)["state"] == "submitted", "Ana's yes")
            desk.press("l", "any other key to look again")  # the desk was open before there was anything to approve
        desk.press("1", f"1  {ref}")
        if desk is ana:
            desk.press("c", "c to confirm it")  # what a machine told is believed until a person says so
        desk.press("y", f"y to {step} it")
        desk.leave(f"{ref} is {state}.")
    shown = house.json("broadcast", "show", ref)
    assert (shown["state"], shown["approved_by"], shown["mode"]) == ("approved", ["Ben"], "live")
    assert ana.keys + ben.keys <= MOST_KEYS, f"{ana.keys} + {ben.keys} keys"

    house.run("broadcast", "send", ref, "--confirm-audience", REACHED, "--undo", 0, "--wait", "--timeout", "100s",
              who="Olu")  # fmt: skip
    told = until(lambda: (v := house.json("incident", "show", incident))["first_word_minutes"] is not None and v, "it")
    assert 0 <= told["first_word_minutes"] <= 10
    assert told["people_reached"] == REACHED
    assert told["promises"]["missed"] == told["promises"]["kept"] == 0
    customers = next(one for one in told["clocks"] if one["clock"] == "customers" and one["state"] == "open")
    assert (customers["kind"], customers["told_by"]) == ("promise", ref)


def test_by_plain_commands_it_is_one_from_each_and_the_next_word_keeps_the_promise(house):
    """After the first word: one command drafts, one submits, one approves, one sends; the report tells how it went."""
    (incident,) = [one["ref"] for one in house.json("incident", "list")["incidents"]]
    news = {
        "summary": "Card payments work again. Online orders are still down.",
        "changed": "Card payments work again.",
        "services": "online orders:down; card payments:operational",
    }
    new = [word for name, value in news.items() for word in ("--fact", f"{name}={value}")]
    ref = house.json("incident", "still", incident, *new, "--channel", "email", who="Ana")["ref"]
    house.run("broadcast", "submit", ref, who="Ana")
    house.run("broadcast", "approve", ref, who="Ben")
    house.run("broadcast", "send", ref, "--confirm-audience", REACHED, "--undo", 0, "--wait", "--timeout", "100s",
              who="Olu")  # fmt: skip
    kept = until(lambda: (v := house.json("incident", "show", incident))["promises"]["kept"] and v, "the promise kept")
    assert (kept["promises"]["kept"], kept["promises"]["missed"], kept["people_reached"]) == (1, 0, REACHED)
    house.run("broadcast", "report", ref)
    page = next(house.folder.rglob(f"report-{ref}.html"))
    text = page.read_text(encoding="utf-8")
    first = f"first word after {kept['first_word_minutes']} min"
    assert f"{incident}: {first}; promises kept 1, missed 0, moved 0; {REACHED} people reached by any word" in text


def test_a_promise_that_passes_without_a_word_is_missed_and_stays_so_for_whoever_asks(house):
    """The real tick notices; timeline, reminders, public page and report tell of it, also after the late word."""
    (incident,) = [one["ref"] for one in house.json("incident", "list")["incidents"]]
    house.run("incident", "promise", incident, "in 5s", who="Ana")
    overdue = until(lambda: (v := house.json("incident", "show", incident))["promises"]["missed"] and v, "the miss")
    clock = next(one for one in overdue["clocks"] if one["clock"] == "customers" and one["state"] == "open")
    due = clock["due_at"]
    assert clock["missed_at"] > due
    assert "overdue" in house.run("incident", "show", incident).stdout
    steps = {one["step"] for one in house.json("reminder", "list", "--all")["reminders"] if one["promised_at"] == due}
    assert {"due", "late_5"} <= steps
    page = f"http://127.0.0.1:{house.port}/status/incidents/{incident}.html"
    with urllib.request.urlopen(page, timeout=60) as answer:
        assert datetime.fromisoformat(due).isoformat() in answer.read().decode()

    news = ("--fact", "changed=We have restarted the order system.", "--fact", "summary=Orders in our app work again.")
    ref = house.json("incident", "still", incident, *news, "--channel", "email", who="Ana")["ref"]
    house.run("broadcast", "submit", ref, who="Ana")
    house.run("broadcast", "approve", ref, who="Ben")
    house.run("broadcast", "send", ref, "--confirm-audience", REACHED, "--undo", 0, "--wait", "--timeout", "100s",
              who="Olu")  # fmt: skip
    told = until(lambda: settled(house.json("incident", "show", incident), due), "the late word")
    assert (told["promises"]["kept"], told["promises"]["missed"]) == (1, 1)
    verbs = [line["verb"] for line in told["timeline"]]
    assert verbs.index("promise missed") < verbs.index("promise kept late")
    house.run("broadcast", "report", ref)
    report = next(house.folder.rglob(f"report-{ref}.html")).read_text(encoding="utf-8")
    assert "promises kept 1, missed 1, moved " in report


def settled(shown, due):
    """What `incident show` tells, once the clock of that promise was settled by a word."""
    return shown if any(one["due_at"] == due and one["settled_by"] for one in shown["clocks"]) else None
