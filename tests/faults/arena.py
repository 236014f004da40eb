"""A battlefield on one machine: real workers, a real Redis-protocol server, a real ledger, vendors that lie.

The vendors write down for themselves what they took on. That record, not the ledger, says who was told.
"""

import threading
import time
from collections import Counter
from types import SimpleNamespace

import psutil

from dispatcher.embedded.broker import Broker
from dispatcher.embedded.procfile import parse
from dispatcher.ledger import audiences, broadcasts, controls, counts, planning, suppressions
from dispatcher.model.broadcast import Plan
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.rendition import Rendition
from dispatcher.rehearsal.stage import PROCESSES, Stage
from dispatcher.services import hold
from tests.faults import verdicts
from tests.faults.proxy import Proxy

LEASE, GRACE, TIMEOUT, SETTLE = 4, 1, 1.5, 3
ASK_AFTER = [4, 12]
OPTED_OUT = 10
"""So many people of each run had asked for no more before it began."""


OPENING = threading.Lock()
"""Two lanes of one process must not migrate ledgers at the same moment: the migrations' context is one for all
threads."""


class Arena(Stage):
    """Everything of a rehearsal, with short leases, hostile vendors and the ledger of the test's choice."""

    def __init__(
        self, folder, seed, *, database_url="", faults=None, events=None, wired="", broker_after=0.0, paces=None,
        processes=2, server=None, overrides=None, relay=False,
    ):  # fmt: skip
        """`paces`: deliveries a second that our own limits allow an account; `server`: a PostgreSQL that may be hurt;
        `broker_after`: seconds until there is a broker at all; `wired`: what is reached through a proxy, the
        `broker` or the `database`; `relay`: mail goes by SMTP."""
        super().__init__(folder, seed, patience=120)
        self.wired, self.broker_after, self.paces = wired, broker_after, paces or {}
        self.broker = self.proxy = None
        self.relay = relay
        self.server, self.asleep = server, []
        self.overrides = {"database_url": database_url, "workers.processes": processes} | (overrides or {})
        self.faults, self.events = faults or {}, events or {}

    def __enter__(self):
        with OPENING:
            return super().__enter__()

    def _sandbox_settings(self, port, record):
        told = super()._sandbox_settings(port, record) | {"faults": self.faults}
        if self.relay:
            told |= {"smtp_port": 0, "accounts": [*told["accounts"], {"name": "relay", "kind": "smtp"}]}
        return told | {"events": self.events} if self.events else told

    def _settings(self, port, redis_url):
        from dispatcher.settings import Settings

        base = super()._settings(port, redis_url)
        accounts = base.providers | self._relay()
        own = {
            "mode": "drill", "work_dir": str(self.folder), "anchor.path": str(self.folder / "anchor.json"),
            "redis_url": redis_url, "host": base.host, "port": port, "public_url": base.public_url,
            "workers.processes": 2, "log.level": "warning", "dispatch.lease_seconds": LEASE,
            "dispatch.grace_seconds": GRACE, "dispatch.retry.first_seconds": 0.3, "dispatch.retry.longest_seconds": 2,
            "dispatch.breaker.open_seconds": 1, "dispatch.breaker.failures": 50,
            "dispatch.ask_after_seconds": ASK_AFTER,
            **{f"dispatch.settle_seconds.{c}": SETTLE for c in ("email", "sms", "social")},
            "providers": {name: block | self._account(name) for name, block in accounts.items()},
        }  # fmt: skip
        return Settings.load(overrides=own | self.overrides | self._by_wire(), env={})

    def _relay(self):
        block = {"kind": "smtp", "sender": "news@example.com"}
        return {"relay": block | {"base_url": self.vendors.urls["relay"]}} if self.relay else {}

    def _by_wire(self):
        """The address of a database behind the proxy. Storms and the sampler go straight to it."""
        if self.wired != "database":
            return {}
        self.proxy = Proxy(self.server.socket)
        self._ends.callback(self.proxy.close)
        name = self.overrides["database_url"].partition("?")[0].rpartition("/")[2]
        return {"database_url": f"postgresql://tests@127.0.0.1:{self.proxy.port}/{name}"}

    def _account(self, name):
        return {"timeout": TIMEOUT} | ({"per_second": self.paces[name]} if name in self.paces else {})

    def _broker(self):
        """A broker within reach of the storms, behind a proxy if asked, or one that is only started later."""
        self.broker = Broker(self.folder / "broker")
        self._ends.callback(self.broker.stop)
        if self.broker_after:
            later = threading.Timer(self.broker_after, self.broker.start)
            later.start()
            self._ends.callback(later.join)
        else:
            self.broker.start()
        if self.wired != "broker":
            return self.broker
        self.proxy = Proxy(self.broker.socket)
        self._ends.callback(self.proxy.close)
        return SimpleNamespace(redis_url=f"redis://127.0.0.1:{self.proxy.port}/0")

    @property
    def ledger_url(self):
        """Where the ledger is, without any proxy."""
        return self.overrides["database_url"] or f"sqlite:///{self.folder / 'ledger.db'}"

    def children(self):
        """Pids of the worker's pool processes."""
        pid = self.pids().get("worker")
        try:
            return [child.pid for child in psutil.Process(pid).children()] if pid else []
        except psutil.NoSuchProcess:
            return []

    def owners(self):
        """Pids of processes that have an open intent now, those that a kill should catch, with how many deliveries."""
        try:
            with self.ctx.ledger.read() as tx:
                rows = tx.all("SELECT owner, sending FROM batch WHERE owner IS NOT NULL AND sending > 0")
        except Exception:
            return Counter()
        found = Counter()
        for row in rows:
            found[int(row.owner.rpartition("/")[2])] += row.sending
        return found

    def halt(self):
        """End web, worker and beat; the vendors, the broker and the ledger stay."""
        self._supervisors.pop().stop()

    def go_on(self):
        """Start web, worker and beat again."""
        env = self.ctx.settings.child_environment()
        self._run(parse(PROCESSES, env), env)

    def at_work(self, broadcast):
        """Whether anything of it is still to be done; None: the ledger cannot be asked."""
        try:
            with self.ctx.ledger.read() as tx:
                return _still_to_do(tx, broadcast) > 0
        except Exception:
            return None

    def share_done(self, broadcast):
        """The share of its deliveries that need nothing more; 0 while the ledger cannot be asked."""
        try:
            with self.ctx.ledger.read() as tx:
                planned = sum(row.planned for row in counts.by_channel(tx, broadcast).values())
                return 1 - _still_to_do(tx, broadcast) / planned
        except Exception:
            return 0.0

    def broadcast(
        self, people, *, channels=("email", "sms"), policy=Policy.AT_MOST_ONCE, size=20, expires=3600, ring=True,
        release_in=0.0, mode="drill", phone_every=1, first=1,
    ):  # fmt: skip
        """Plan and release a broadcast to invented people, through the real planner; its id. One in `phone_every` has
        a telephone; `first` is the number of the first of them."""
        hold.guard(self.ctx)  # as `send` does
        now = to_ms(self.ctx.clock.now())
        kinds = [Channel(c) for c in channels]
        mail = "relay" if self.relay else "sendgrid"
        names = {Channel.EMAIL: (mail,), Channel.SMS: ("twilio",), Channel.SOCIAL: ("x",)}
        accounts, sizes = {c: names[c] for c in kinds}, dict.fromkeys(kinds, size)
        plan = Plan(tuple(kinds), accounts, sizes, expires, dict.fromkeys(kinds, policy))
        with self.ctx.ledger.write() as tx:
            version = audiences.open_version(
                tx, "people", fields=[], source="test", region="", imported_by=None, now=now
            ).id
            tx.insert(
                "recipient",
                ("version_id", "rid", "email", "phone", "locale", "fields"),
                (
                    (version, i, f"p{i}@example.com", _phone(i) if i % phone_every == 0 else None, None, "{}")
                    for i in range(first, first + people)
                ),
            )
            audiences.seal(tx, version)
            gone = [
                suppressions.Wanted(Channel.EMAIL, f"p{i}@example.com", "all", "opt_out")
                for i in range(1, OPTED_OUT + 1)
            ]
            suppressions.add(tx, gone, source="test", by=None, now=now)
            stem = f"{now}{version}"
            made = broadcasts.add(
                tx,
                {
                    "template_id": "t", "title": "t", "purpose": "service", "severity": "major", "mode": mode,
                    "state": "approved", "version": 1, "audience_version_id": version, "facts": "[]",
                    "plan": broadcasts.canonical(plan.as_dict()), "code": stem, "nonce": stem, "author_id": 1,
                    "created_at": now,
                },
            )  # fmt: skip
            texts = {"subject": "drill", "html": "<p>drill</p>", "text": "drill", "post.1": f"drill {stem}"}
            parts = {Channel.EMAIL: ("subject", "html", "text"), Channel.SMS: ("text",), Channel.SOCIAL: ("post.1",)}
            ids = broadcasts.replace_renditions(
                tx, made, [Rendition(c, "en", "", {name: texts[name] for name in parts[c]}) for c in kinds]
            )
            no = 0
            for c in kinds:
                controls.add(tx, made, c, rank=1, policy=policy, request_size=size, scope="all", changed_at=now)
                if c is Channel.SOCIAL:
                    no = planning.expand_accounts(tx, made, c, ids[(c, "en", "")], ["x"], no)
                else:
                    no = planning.expand(tx, made, version, ["all"], planning.Group(c, ids[(c, "en", "")], (None,)), no)
            due = now + int(release_in * 1000)
            controls.move(tx, made, "released", now, release_at=due, expires_at=due + expires * 1000)
            broadcasts.change(tx, made, state="released", release_at=due, expires_at=due + expires * 1000)
        for c in kinds if ring else ():
            self.ctx.doorbell.ring(c)
        return made

    def opt_out(self, people):
        """These ask for no more, in the middle of everything."""
        wanted = [suppressions.Wanted(Channel.EMAIL, f"p{i}@example.com", "all", "opt_out") for i in people]
        with self.ctx.ledger.write() as tx:
            suppressions.add(tx, wanted, source="test", by=None, now=to_ms(self.ctx.clock.now()))

    def open_work(self):
        """Deliveries under way or intended."""
        try:
            with self.ctx.ledger.read() as tx:
                return int(tx.scalar("SELECT coalesce(sum(sending), 0) FROM batch") or 0)
        except Exception:
            return 0


def _phone(number):
    return f"+1202{2_000_000 + number:07d}"


def settled(arena, broadcast, seconds, *, unknown=()):
    """Wait until nothing is waiting or under way, and on channels `unknown` the vendor was asked about everybody
    who is; whether that came."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if arena.at_work(broadcast) is False and not _unknown(arena, broadcast, unknown):
            return True
        time.sleep(0.3)
    return False


def _still_to_do(tx, broadcast):
    """Who waits where it has expired or was stopped is done with."""
    closed = verdicts.closed_channels(tx, broadcast)
    rows = counts.by_channel(tx, broadcast).items()
    return sum(row.sending + (0 if channel in closed else row.waiting + row.fallback) for channel, row in rows)


def _unknown(arena, broadcast, channels):
    """How many still wait for the vendor's word. Of whom it has no trace stays listed, by policy."""
    if not channels:
        return 0
    try:
        with arena.ctx.ledger.read() as tx:
            return tx.scalar(
                "SELECT count(*) FROM delivery d"
                " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / 1000"
                f" WHERE d.broadcast_id = :b AND d.state = 4 AND b.channel IN ({', '.join(map(repr, channels))})"
                " AND (d.reason IS NULL OR d.reason NOT LIKE 'left by policy%')",
                b=broadcast,
            )
    except Exception:
        return 1
