"""A real beat, web and worker under Debian's `faketime`: minutes pass in seconds, over the night London skips an hour.

What the reminders of a promise came to is read from the ledger; who was told, from a mail server of the test's own.
The clock of all processes is one file that the test writes: it runs fast, jumps ahead, and once steps back.
"""

import glob
import json
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from aiosmtpd.controller import Controller

from tests.e2e.processes import DISPATCHER, end, environment, start, until

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
pytestmark = [
    pytest.mark.faults,
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not LIBRARY, reason="faketime is not installed"),
]
BEGIN = datetime(2027, 3, 28, 0, 56, tzinfo=UTC)
"""Four minutes before 01:00 becomes 02:00 in London. It lies ahead: faketime cannot put some clocks back."""
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select([], [], [], max(0, seconds)) and None
"""
"""The library leaves the monotonic clock alone but breaks a sleep until an instant of it, which Python's is."""
SITE = """
mode = "drill"
work_dir = "work"
port = 0

[anchor]
path = "state/anchor.json"

[organisation]
time_zone = "Europe/London"

[workers]
processes = 1

[reminders]
late_minutes = [1, 2]

[providers.relay]
kind = "smtp"
base_url = "smtp://127.0.0.1:{port}"
sender = "care@example.com"
"""


class Postbox:
    """Takes every mail."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):
        self.mails.append((envelope.rcpt_tos[0], envelope.content.decode()))
        return "250 taken"


class Night:
    """Now, for every process that has the file."""

    def __init__(self, folder):
        self.file = folder / "now"
        self.at(BEGIN)

    def at(self, moment):
        self.moment = moment
        fresh = self.file.with_name("now.new")
        fresh.write_text(f"{moment.timestamp() - time.time():+.0f}\n")
        fresh.replace(self.file)

    def pass_by(self, seconds):
        self.at(self.moment + timedelta(seconds=seconds))


@pytest.fixture
def postbox():
    box = Postbox()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        box.port = probe.getsockname()[1]
    server = Controller(box, hostname="127.0.0.1", port=box.port)
    server.start()
    yield box
    server.stop()


def test_reminders_come_once_over_a_change_of_clocks_with_real_beat_and_worker(tmp_path, postbox):
    (tmp_path / "dispatcher.toml").write_text(SITE.format(port=postbox.port))
    (tmp_path / "sitecustomize.py").write_text(SLEEP)
    night = Night(tmp_path)
    env = environment(
        tmp_path, TZ="Europe/London", PYTHONPATH=str(tmp_path), LD_PRELOAD=LIBRARY, DONT_FAKE_MONOTONIC="1",
        FAKETIME_TIMESTAMP_FILE=str(night.file), FAKETIME_NO_CACHE="1",
    )  # fmt: skip

    def run(*argv):
        done = subprocess.run(
            [*DISPATCHER, *argv, "--json"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, f"{argv}: {done.stderr[-800:]}"
        return json.loads(done.stdout)

    for name in ("Ana", "Ben", "Cleo"):
        run("person", "add", name, "--role", "author", "--email", f"{name.lower()}@example.com")
    run("reminder", "rota", "Ana", "Ben", "Cleo", "--as", "Ana")
    run("incident", "open", "Orders", "--severity", "minor", "--next-update", "in 8m", "--as", "Ana")

    def told(count):
        found = run("reminder", "list", "--all", "--incident", "INC-1")["reminders"]
        mine = [one for one in found if one["clock"] == "customers" and one["told_at"]]
        return mine if len(mine) >= count and len(postbox.mails) >= count else None

    running = start([*DISPATCHER, "up", "--embedded"], cwd=tmp_path, env=env)
    try:
        for count, minutes in ((1, 7), (2, 9), (3, 10), (4, 11)):
            night.at(BEGIN + timedelta(minutes=minutes))
            until(lambda count=count: told(count), f"reminder {count}", within=90)
            night.pass_by(-45)
        night.pass_by(600)
        seen = told(4)
    finally:
        end(running)
    assert [one["step"] for one in seen] == ["early", "due", "late_1", "late_2"]
    for one in seen:
        assert one["told_at"] >= one["planned_at"], f"{one['step']} was early"
    planned = [datetime.fromisoformat(one["planned_at"]) for one in seen]
    assert [round((b - a) / timedelta(minutes=1), 1) for a, b in pairwise(planned)] == [2, 1, 1]
    assert seen[1]["promised_at"].startswith("2027-03-28T01:0"), "02:0x in London is 01:0x UTC by then"
    assert [one["told_to"] for one in seen] == ["Ana", "Ana", "Ben", "Cleo"]
    assert sorted(to for to, _ in postbox.mails) == [f"{n}@example.com" for n in ("ana", "ana", "ben", "cleo")]
    assert all("EXERCISE" in text for _, text in postbox.mails)
