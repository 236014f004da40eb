"""This program as it runs: private broker, web, worker, beat and a ledger; only the vendor is a sink."""

import json
import time
import urllib.request
from pathlib import Path

import psutil

from dispatcher.embedded.procfile import Program
from dispatcher.ledger import broadcasts, controls, counts, people, planning
from dispatcher.ledger.planning import Group
from dispatcher.model.broadcast import Plan
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.person import Person, Role
from dispatcher.model.rendition import Rendition, Slot, SlotForm
from dispatcher.rehearsal.stage import Stage, Vendors, _bare_environment
from dispatcher.sandbox.control import Control
from dispatcher.sandbox.signatures import MailSigner
from dispatcher.settings import Settings

ACCOUNTS = {Channel.EMAIL: ("sendgrid",), Channel.SMS: ("twilio",)}
EXPIRES = 3600
WEIGH_SECONDS = 1.0
RENDITIONS = {
    Channel.EMAIL: Rendition(
        Channel.EMAIL, "en", "",
        {
            "subject": "A drill", "text": "Hello 1x7f2k9a, this is a drill. " * 12,
            "html": "<p>Hello 2x7f2k9b, this is a drill and nothing more.</p>" * 30,
        },
        (Slot("1x7f2k9a", "name", SlotForm.TEXT, "you"), Slot("2x7f2k9b", "name", SlotForm.HTML, "you")),
    ),
    Channel.SMS: Rendition(
        Channel.SMS, "en", "", {"text": "Hello 3x7f2k9c, this is a drill and nothing more. Example Ltd"},
        (Slot("3x7f2k9c", "name", SlotForm.TEXT, "you"),),
    ),
}  # fmt: skip


class Field(Stage):
    """Enter it to have everything running. `latency` is the sink's, in seconds; `providers` adds to account blocks."""

    def __init__(self, folder, *, database_url="", latency=(0.0, 0.0), providers=None, **overrides):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder, 1, patience=60)
        self.signer = MailSigner()
        self._latency = latency
        self._blocks = providers or {}
        self._overrides = {"database_url": database_url, **overrides}
        self._weighed_at = float("-inf")

    def _vendors(self, port):
        ready = self.folder / "sink.port"
        argv = ("python", "-m", "benchmarks.sink", str(ready), *map(str, self._latency))
        self._run([Program("sink", argv)], _bare_environment() | {"PYTHONPATH": str(Path(__file__).parent.parent)})
        self._await("The sink", ready.exists)
        url = f"http://127.0.0.1:{ready.read_text()}"
        return Vendors(
            Control(url), self.folder / "none", self.signer.public_key, dict.fromkeys(("sendgrid", "twilio"), url)
        )

    def _accounts(self):
        blocks = {
            "sendgrid": {"api_key": "SG.bench", "sender": "news@example.com", "webhook_key": self.signer.public_key},
            "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": "bench", "sender": "+447700900999"},
        }
        return {
            name: block | {"base_url": self.vendors.urls[name]} | self._blocks.get(name, {})
            for name, block in blocks.items()
        }

    def _settings(self, port, redis_url):
        return Settings.load(overrides=self._told(port, redis_url) | self._overrides, env={})

    def _told(self, port, redis_url):
        """The program's own defaults, but for where things are."""
        return {
            "mode": "drill", "work_dir": str(self.folder), "anchor.path": str(self.folder / "anchor.json"),
            "redis_url": redis_url, "host": "127.0.0.1", "port": port, "public_url": f"http://127.0.0.1:{port}",
            "log.level": "warning", "providers": self._accounts(),
        }  # fmt: skip

    def operator(self):
        """Somebody who may stop, import and export."""
        person = Person(0, "bench", roles=frozenset({Role.OPERATOR}))
        with self.ctx.ledger.write() as tx:
            known = next((one for one in people.active(tx) if one.name == person.name), None)
            return known or people.add(tx, person, to_ms(self.ctx.clock.now()))

    @property
    def sink(self):
        return self.vendors.urls["sendgrid"]

    def count(self):
        """What the sink has seen since `zero`."""
        return ask(f"{self.sink}/count")

    def zero(self):
        ask(f"{self.sink}/zero", b"")

    def people(self, number):
        """An audience version of so many invented people; its id, far from those that imports are given."""
        with self.ctx.ledger.write() as tx:
            version = int(
                tx.scalar("SELECT coalesce(max(version_id), 1000000) + 1 FROM recipient WHERE version_id > 1000000")
            )
            rows = (
                (version, i, f"p{i}@example.com", f"+1202555{i:08d}", None, f'{{"name":"Person {i}"}}')
                for i in range(1, number + 1)
            )
            tx.insert("recipient", ("version_id", "rid", "email", "phone", "locale", "fields"), rows)
        return version

    def plan(self, version, channels, size=200):
        """An approved broadcast, planned by the real planner; (id, seconds that planning took)."""
        now = to_ms(self.ctx.clock.now())
        began = time.perf_counter()
        with self.ctx.ledger.write() as tx:
            made = self._broadcast(tx, version, channels, size, now)
            ids = broadcasts.replace_renditions(tx, made, [RENDITIONS[c] for c in channels])
            no = 0
            for channel in channels:
                controls.add(
                    tx,
                    made,
                    channel,
                    rank=1,
                    policy=Policy.AT_MOST_ONCE,
                    request_size=size,
                    scope="all",
                    changed_at=now,
                )
                no = planning.expand(tx, made, version, ["all"], Group(channel, ids[(channel, "en", "")], (None,)), no)
        return made, time.perf_counter() - began

    def _broadcast(self, tx, version, channels, size, now):
        plan = Plan(
            tuple(channels), {c: ACCOUNTS[c] for c in channels}, dict.fromkeys(channels, size), EXPIRES,
            dict.fromkeys(channels, Policy.AT_MOST_ONCE),
        )  # fmt: skip
        stem = str(time.time_ns())
        return broadcasts.add(tx, {
            "template_id": "t", "title": "A drill", "purpose": "service", "severity": "major", "mode": "drill",
            "state": "approved", "version": 1, "audience_version_id": version, "facts": "[]",
            "plan": broadcasts.canonical(plan.as_dict()), "code": stem, "nonce": stem, "author_id": 1,
            "created_at": now,
        })  # fmt: skip

    def release(self, broadcast, channels):
        """As sending does it: control rows, then the doorbell. Unix time of the release."""
        now = to_ms(self.ctx.clock.now())
        times = {"release_at": now, "expires_at": now + EXPIRES * 1000}
        with self.ctx.ledger.write() as tx:
            controls.move(tx, broadcast, "released", now, **times)
            broadcasts.change(tx, broadcast, state="released", **times)
        for channel in channels:
            self.ctx.doorbell.ring(channel)
        return now / 1000

    def sums(self, broadcast):
        with self.ctx.ledger.read() as tx:
            return counts.by_channel(tx, broadcast)

    def settled(self, broadcast, seconds=1800):
        """Wait until nothing is waiting or under way; peak PSS in MiB by process meanwhile."""
        until, peak = time.monotonic() + seconds, {}
        while time.monotonic() < until:
            over = all(row.waiting + row.sending + row.fallback == 0 for row in self.sums(broadcast).values())
            self.weigh(peak, now=over)
            if over:
                return peak
            time.sleep(0.25)
        raise TimeoutError(f"not settled within {seconds} s: {self.sums(broadcast)}")

    def weigh(self, peak, *, now=False):
        """Raise `peak` to what each process, with its children, holds: once in WEIGH_SECONDS, and `now`.

        A look takes some 60 ms of CPU for all of them, which what is measured has to do without.
        """
        if not now and time.monotonic() - self._weighed_at < WEIGH_SECONDS:
            return
        self._weighed_at = time.monotonic()
        for name, pid in self.pids().items():
            try:
                root = psutil.Process(pid)
                held = sum(p.memory_full_info().pss for p in [root, *root.children(recursive=True)]) / 2**20
            except psutil.Error:
                continue
            peak[name] = max(peak.get(name, 0.0), round(held, 1))

    def finished(self, broadcast):
        """Unix time of the last outcome in the ledger."""
        with self.ctx.ledger.read() as tx:
            return tx.scalar("SELECT max(finished_at) FROM attempt WHERE broadcast_id = :b", b=broadcast) / 1000

    def ledger_bytes(self):
        """Of the tables that grow with a broadcast, every index included."""
        with self.ctx.ledger.read() as tx:
            if tx.is_sqlite:
                return int(tx.scalar(
                    "SELECT (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size())"
                ))  # fmt: skip
            names = ("delivery", "batch", "attempt", "intent")
            return sum(int(tx.scalar(f"SELECT pg_total_relation_size('{name}')")) for name in names)


def ask(url, body=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as response:
        return json.loads(response.read())
