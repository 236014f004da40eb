"""A small real world for the services: a real ledger, a clock that can be moved, a vendor
whose answers a test writes down beforehand. The vendor is the only pretended part."""

import asyncio
import dataclasses
import secrets
from collections import deque
from datetime import UTC, datetime, timedelta

from dispatcher.bootstrap import build
from dispatcher.ledger import attempts, broadcasts, claims, controls, counts, planning
from dispatcher.model.broadcast import Fallback, Plan
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted, OutcomeUnknown
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.rendition import Rendition
from dispatcher.provider import ProviderSettings
from dispatcher.services import dispatch, hold
from dispatcher.services.context import Account
from dispatcher.settings import Settings

OPERATOR = Person(1, "Operator", roles=frozenset({Role.OPERATOR}), level=Level.COMMS_LEAD)


class MovedClock:
    """Now is what the test says; monotonic follows it."""

    def __init__(self):
        self.moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.ran = 0.0

    def now(self):
        return self.moment

    def monotonic(self):
        return self.ran

    def pass_by(self, seconds):
        self.moment += timedelta(seconds=seconds)
        self.ran += seconds


class Vendor:
    """Answers from a script: each entry is an outcome for everybody, a list, or a function of the envelopes."""

    name = "scripted"
    Settings = ProviderSettings

    def __init__(self, channel, most=1000):
        self.channel = channel
        self.recipients_per_request = most
        self.script = deque()
        self.told = []
        self.calls = []
        self.found = {}
        self.unscripted = frozenset()
        """Addresses whose calls are always taken and use nothing of the script up."""

    async def send(self, rendition, envelopes, *, expires_at):
        addresses = [e.address for e in envelopes]
        self.calls.append(addresses)
        scripted = self.script and not self.unscripted.issuperset(addresses)
        entry = self.script.popleft() if scripted else None
        if callable(entry):
            entry = entry(envelopes)
        if entry is None:
            entry = Accepted(f"m{len(self.calls)}")
        answers = entry if isinstance(entry, list) else [entry] * len(envelopes)
        self.told += [(e.address, e.part) for e, a in zip(envelopes, answers, strict=True) if isinstance(a, Accepted)]
        await asyncio.sleep(0)
        return answers

    async def lookup(self, rendition, envelope, *, since):
        return self.found.get(envelope.address)


class World:
    """Context, clock and vendors of one test."""

    def __init__(self, tmp_path, url="", **settings):
        self.clock = MovedClock()
        overrides = {
            "work_dir": str(tmp_path),
            "database_url": url,
            "anchor.path": str(tmp_path / "out" / "anchor.json"),
        }
        self.settings = Settings.load(overrides=overrides | settings, env={})
        self.vendors = {}
        self.ctx = build(self.settings, clock=self.clock)

    def add_account(self, name, channel, most=1000, **settings):
        vendor = Vendor(channel, most)
        own = ProviderSettings(base_url="http://127.0.0.1:9", in_flight=settings.pop("in_flight", 8), **settings)
        self.vendors[name] = vendor
        accounts = dict(self.ctx.accounts) | {name: Account(name, "scripted", channel, vendor, own)}
        self.ctx = dataclasses.replace(self.ctx, accounts=accounts)
        dispatch.ensure_accounts(self.ctx)
        return vendor

    def audience(self, people, *, version=1, no_email=(), no_phone=()):
        rows = (
            (
                version, i, None if i in no_email else f"p{i}@example.com",
                None if i in no_phone else f"+4477009{i:05d}", "en", f'{{"name":"P{i}"}}',
            )
            for i in range(1, people + 1)
        )  # fmt: skip
        with self.ctx.ledger.write() as tx:
            tx.insert("recipient", ("version_id", "rid", "email", "phone", "locale", "fields"), rows)

    def broadcast(
        self, channels, accounts, *, version=1, size=200, policy=Policy.AT_MOST_ONCE, fallback=None, posts=("one",),
        mode="drill", expires=3600,
    ):  # fmt: skip
        """An approved broadcast, planned by the real planner, not yet released; its id."""
        now = to_ms(self.clock.now())
        kinds = [Channel(c) for c in channels]
        plan = Plan(
            tuple(kinds), {c: tuple(accounts[c]) for c in kinds}, dict.fromkeys(kinds, size), expires,
            dict.fromkeys(kinds, policy), (fallback,) if fallback else (),
        )  # fmt: skip
        with self.ctx.ledger.write() as tx:
            made = broadcasts.add(tx, _row(plan, version, mode, now))
            ids = broadcasts.replace_renditions(tx, made, [_rendition(c, posts) for c in kinds])
            no = 0
            for c in kinds:
                waits = fallback is not None and fallback.channel is c
                controls.add(
                    tx, made, c, rank=1, policy=policy, request_size=size, scope="all", changed_at=now,
                    fallback_for=fallback.instead_of if waits else None,
                    fallback_after=fallback.after_seconds * 1000 if waits else None,
                )  # fmt: skip
                if c is Channel.SOCIAL:
                    no = planning.expand_accounts(tx, made, c, ids[(c, "en", "")], accounts[c], no)
                else:
                    group = planning.Group(c, ids[(c, "en", "")], ("en", None), fallback=waits)
                    no = planning.expand(tx, made, version, ["all"], group, no)
        return made

    def release(self, broadcast, *, after=0):
        hold.guard(self.ctx)  # as `send` does, so that a ledger with a release always has its anchor
        now = to_ms(self.clock.now()) + after * 1000
        with self.ctx.ledger.write() as tx:
            found = broadcasts.get(tx, broadcast)
            expires = now + found.plan.expires_after * 1000
            controls.move(tx, broadcast, "released", now, release_at=now, expires_at=expires)
            broadcasts.change(tx, broadcast, state="released", release_at=now, expires_at=expires)

    def claimed(self, channel):
        """The next batch, in the hands of a worker that is not heard of again unless the test speaks for it."""
        now = to_ms(self.clock.now())
        with self.ctx.ledger.write() as tx:
            return claims.claim(tx, channel, "silent", now, 0, 60_000)

    def intended(self, claim, account, first, last):
        """One call for deliveries `first` to `last` of the batch is intended, and not made; the request."""
        now = to_ms(self.clock.now())
        with self.ctx.ledger.write() as tx:
            [attempt] = attempts.attempt_ids(tx, 1)
            request = attempts.Request(attempt, first, last, last - first + 1, now)
            assert attempts.intend(tx, claim, account, [request], now, now + 60_000)
        return request

    def drain(self, channel, *, rounds=20):
        """Drain until nothing is due at this moment."""

        async def run():
            for _ in range(rounds):
                done = await dispatch.drain(self.ctx, channel, seconds=1e9)
                if not done.more:
                    return

        asyncio.run(run())

    def sums(self, broadcast, channel):
        """Stored counters that are not zero; the recount must agree."""
        with self.ctx.ledger.read() as tx:
            assert counts.wrong_batches(tx, broadcast) == []
            row = counts.by_channel(tx, broadcast)[channel]
        return {name: n for name, n in row.as_dict().items() if n and name != "channel"}


def _row(plan, version, mode, now):
    stem = secrets.token_hex(8)
    return {
        "template_id": "t", "title": "t", "purpose": "service", "severity": "major", "mode": mode, "state": "approved",
        "version": 1, "audience_version_id": version, "facts": "[]", "plan": broadcasts.canonical(plan.as_dict()),
        "code": stem, "nonce": stem, "author_id": 1, "created_at": now,
    }  # fmt: skip


def _rendition(channel, posts):
    if channel is Channel.SOCIAL:
        parts = {f"post.{i}": text for i, text in enumerate(posts, start=1)}
    else:
        parts = {"text": "hello", "subject": "s", "html": "<p>hello</p>"}
    return Rendition(channel, "en", "", parts)


UNKNOWN = OutcomeUnknown("answer lost")
SMS_AFTER_EMAIL = Fallback(Channel.SMS, Channel.EMAIL, 600)
