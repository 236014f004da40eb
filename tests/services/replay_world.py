"""A whole house for replays: everybody who writes, approves and sends, three channels, the public tree on disk, and a
clock that goes on from one hour to the next while the tick looks."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.compose.preview.frames import plain
from dispatcher.ledger import audiences, broadcasts, people
from dispatcher.ledger import promises as promise_rows
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.states import BroadcastState
from dispatcher.services import (
    accounting,
    approval,
    checking,
    drafting,
    incidents,
    overriding,
    reminders,
    sending,
    status_tree,
    ticking,
)
from tests.services.world import World

CREW = {
    "Ana": ((Role.AUTHOR,), Level.COMMS),
    "Ben": ((Role.AUTHOR,), Level.COMMS),
    "Lea": ((Role.APPROVER,), Level.COMMS_LEAD),
    "Dora": ((Role.APPROVER,), Level.DIRECTOR),
    "Dino": ((Role.APPROVER,), Level.DPO),
    "Lou": ((Role.APPROVER,), Level.LEGAL),
    "Olu": ((Role.OPERATOR,), Level.COMMS),
}
HOUSE = {
    "organisation.domain": "example.com",
    "organisation.time_zone": "Europe/London",
    "organisation.dpo_name": "Dino Example",
    "organisation.dpo_email": "dpo@example.com",
    "organisation.press_email": "press@example.com",
    "public_url": "https://alerts.example.com",
}
ON_ONE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""A replay is long: one of each incident runs on both databases, the others on the one that is quicker."""
SMS_FROM = 900_000
"""Fictitious numbers begin here: +447700900000."""


def minutes(n):
    return timedelta(minutes=n)


def hours(n):
    return timedelta(hours=n)


def days(n):
    return timedelta(days=n)


class House(World):
    """`start` is when the incident begins (UTC)."""

    def __init__(self, tmp_path, name, start, url="", **settings):
        super().__init__(tmp_path, url, mode="live", **(HOUSE | {"organisation.name": name} | settings))
        self.start = self.clock.moment = start.astimezone(UTC)
        self.folder = tmp_path / "www" / "status"
        self.mail = self.add_account("mail", Channel.EMAIL)
        self.text = self.add_account("text", Channel.SMS, most=1)
        self.feed = self.add_account("feed", Channel.SOCIAL)
        self.crew = {name: self._hired(name, *given) for name, given in CREW.items()}
        self.mail.unscripted = frozenset(person.email for person in self.crew.values())
        self.ana, self.olu = self.crew["Ana"], self.crew["Olu"]
        reminders.set_rota(self.ctx, self.ana, [self.crew[name] for name in ("Ana", "Ben", "Lea", "Dora")])
        self.incident = ""
        self.heard = {}

    def _hired(self, name, roles, level):
        wanted = Person(0, name, email=f"{name.lower()}@example.org", roles=frozenset(roles), level=level)
        with self.ctx.ledger.write() as tx:
            return people.add(tx, wanted, to_ms(self.clock.now()))

    def listed(self, name, count, *, first=1, phones=True, **fields):
        """An audience `name` of so many people, numbered from `first`; a field may be a function of the number."""
        with self.ctx.ledger.write() as tx:
            version = audiences.open_version(
                tx, name, fields=["name", *fields], source="x", region="", imported_by=None, now=0
            )
            numbers = range(first, first + count)
            lines = (
                (
                    i, f"p{i}@example.com", f"+447700{SMS_FROM + i}" if phones else None, "en",
                    json.dumps({"name": f"P{i}"} | {key: value(i) for key, value in fields.items()}),
                )
                for i in numbers
            )  # fmt: skip
            return audiences.fill(tx, version.id, lines)

    # --- time

    def now(self):
        return self.clock.now()

    def until(self, moment, *, every=60):
        """The tick looks each `every` seconds; what it released goes out."""
        while self.now() < moment:
            self.clock.pass_by(min(every, (moment - self.now()).total_seconds()))
            self.look()

    def look(self, channels=("email",)):
        """One tick, and what it released: between the words of a replay only mail to our own people."""
        ticking.tick(self.ctx)
        for channel in channels:
            self.drain(channel)

    # --- words

    def drafted(self, template, audience="", facts=None, **more):
        raw = {(name, None): value for name, value in (facts or {}).items()}
        wanted = {"mode": Mode.LIVE, "incident": self.incident, "channels": [Channel.EMAIL], "audience": audience}
        return drafting.draft(self.ctx, self.ana, drafting.Draft(template, facts=raw, **wanted | more))

    def say(self, template, audience="", facts=None, *, passing=(), **more):
        """From the draft to the hand-over, with a yes of everybody whom it needs."""
        return self.sent(self.drafted(template, audience, facts, **more), passing=passing)

    def sent(self, made, *, passing=()):
        """A draft, submitted, approved and sent; `passing` are the warnings that an approver lets pass."""
        return self.released(self.approved(made, passing=passing))

    def released(self, ready):
        before = [len(one.told) for one in self.vendors.values()]
        out = sending.send(self.ctx, self.olu, ready.ref, confirm_audience=ready.audience_size or 0, undo=0)
        self.look(("email", "sms", "social"))
        self.look()
        ours = self.mail.unscripted
        new = [told for n, one in zip(before, self.vendors.values(), strict=True) for told in dict(one.told[n:])]
        self.heard[out.ref] = [address for address in new if address not in ours]
        return out

    def approved(self, made, *, passing=()):
        approval.submit(self.ctx, self.ana, made.ref)
        if passing:
            overriding.override(self.ctx, self.crew["Dora"], made.ref, passing, "We looked at it; it is right here.")
        return self.agreed(made)

    def agreed(self, made):
        """Everybody whose yes is missing gives it, each for their own level."""
        by_level = {person.level: person for person in self.crew.values() if Role.APPROVER in person.roles}
        for level in approval.lacking(self.ctx, made.ref):
            approval.approve(self.ctx, by_level[Level(level)], made.ref)
        with self.ctx.ledger.read() as tx:
            found = broadcasts.get(tx, made.id)
        assert found.state is BroadcastState.APPROVED, found.state
        return found

    def faults(self, made):
        """What blocks it, by code."""
        found = checking.check(self.ctx, made.ref).findings
        return {one.code for one in found if one.level == "error"}

    def warnings(self, made):
        return {one.code for one in checking.check(self.ctx, made.ref).findings if one.level == "warning"}

    def read(self, made, channel="email"):
        """The words of a broadcast as its readers get them."""
        with self.ctx.ledger.read() as tx:
            found = [one for one in broadcasts.renditions(tx, made.id).values() if one.channel == channel]
        return "\n".join(plain(one) for one in found)

    # --- what came of it

    def told(self, made):
        """Who the vendors took it for, customers and partners alike, none of our own; sorted."""
        return sorted(self.heard[made.ref])

    def view(self):
        return incidents.show(self.ctx, self.incident)

    def sums(self, made):
        """The terms that are not zero, by channel; they add up."""
        view = accounting.show(self.ctx, made.ref)
        assert view.reconciles, made.ref
        return {name: {t: n for t, n in one.terms.items() if n} for name, one in view.channels.items()}

    def ends(self, clock="customers"):
        """What became of the promises of one clock, in order."""
        with self.ctx.ledger.read() as tx:
            number = int(self.incident.removeprefix("INC-"))
            return [str(one.state) for one in promise_rows.of(tx, number) if one.clock == clock]

    def nudges(self, clock="customers"):
        """(step, minutes after the promise was due, person), in the order of time."""
        found = [r for r in reminders.listing(self.ctx, ended_too=True) if r.told_at and r.clock == clock]
        return [(r.step, (r.told_at - r.promised_at) / minutes(1), r.person) for r in found]

    def notices(self):
        """How many mails each of us had."""
        ours = {person.email: name for name, person in self.crew.items()}
        return Counter(ours[address] for address, _ in self.mail.told if address in ours)

    def public(self, path="api/v2/summary.json"):
        """A file of the tree that the public reads, as it is now."""
        status_tree.export(self.ctx, self.folder)
        text = (self.folder / path).read_text(encoding="utf-8")
        return json.loads(text) if path.endswith(".json") else text


def utc(*parts):
    """An instant in UTC; London is the house's own zone."""
    return datetime(*parts, tzinfo=UTC)
