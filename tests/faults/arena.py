"""A battlefield on one machine: real workers, a real Redis-protocol server, a real ledger, vendors that lie.

The vendors write down for themselves what they took on. That record, not the ledger, says who was told.
"""

import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

import psutil

from dispatcher.embedded.broker import Broker
from dispatcher.ledger import broadcasts, controls, counts, planning
from dispatcher.model.broadcast import Plan
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.rendition import Rendition
from dispatcher.model.states import DeliveryState, shown
from dispatcher.rehearsal.stage import Stage
from dispatcher.sandbox.record import judge, lines
from tests.faults.proxy import Proxy

LEASE, GRACE, TIMEOUT, SETTLE = 4, 1, 1.5, 3


class Arena(Stage):
    """Everything of a rehearsal, with short leases, hostile vendors and the ledger of the test's choice."""

    def __init__(
        self, folder, seed, *, database_url="", faults=None, events=None, proxied=False, broker_after=0.0, **overrides
    ):
        super().__init__(folder, seed, patience=90)
        self.proxied, self.broker_after = proxied, broker_after
        self.broker = self.proxy = None
        self.overrides = {"database_url": database_url} | overrides
        self.faults, self.events = faults or {}, events or {}

    def _sandbox_settings(self, port, record):
        told = super()._sandbox_settings(port, record)
        return told | {"faults": self.faults, "events": self.events} if self.events else told | {"faults": self.faults}

    def _settings(self, port, redis_url):
        from dispatcher.settings import Settings

        base = super()._settings(port, redis_url)
        own = {
            "mode": "drill", "work_dir": str(self.folder), "anchor.path": str(self.folder / "anchor.json"),
            "redis_url": redis_url, "host": base.host, "port": port, "public_url": base.public_url,
            "workers.processes": 2, "log.level": "warning", "dispatch.lease_seconds": LEASE,
            "dispatch.grace_seconds": GRACE, "dispatch.retry.first_seconds": 0.3, "dispatch.retry.longest_seconds": 2,
            "dispatch.breaker.open_seconds": 1, "dispatch.breaker.failures": 50,
            **{f"dispatch.settle_seconds.{c}": SETTLE for c in ("email", "sms", "social")},
            "providers": {name: block | {"timeout": TIMEOUT} for name, block in base.providers.items()},
        }  # fmt: skip
        return Settings.load(overrides=own | self.overrides, env={})

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
        if not self.proxied:
            return self.broker
        self.proxy = Proxy(self.broker.socket)
        self._ends.callback(self.proxy.close)
        return SimpleNamespace(redis_url=f"redis://127.0.0.1:{self.proxy.port}/0")

    def children(self):
        """Pids of the worker's pool processes."""
        pid = self.pids().get("worker")
        try:
            return [child.pid for child in psutil.Process(pid).children()] if pid else []
        except psutil.NoSuchProcess:
            return []

    def redis_path(self):
        return self.ctx.settings.redis_url

    def broadcast(
        self, people, *, channels=("email", "sms"), policy=Policy.AT_MOST_ONCE, size=20, expires=3600, ring=True
    ):
        """Plan and release a broadcast to invented people, through the real planner; its id."""
        now = to_ms(self.ctx.clock.now())
        kinds = [Channel(c) for c in channels]
        names = {Channel.EMAIL: ("sendgrid",), Channel.SMS: ("twilio",), Channel.SOCIAL: ("x",)}
        accounts, sizes = {c: names[c] for c in kinds}, dict.fromkeys(kinds, size)
        plan = Plan(tuple(kinds), accounts, sizes, expires, dict.fromkeys(kinds, policy))
        with self.ctx.ledger.write() as tx:
            version = int(tx.scalar("SELECT coalesce(max(version_id), 0) + 1 FROM recipient"))
            tx.insert(
                "recipient",
                ("version_id", "rid", "email", "phone", "locale", "fields"),
                (
                    (version, i, f"p{i}@example.com", f"+1202{2_000_000 + i:07d}", None, "{}")
                    for i in range(1, people + 1)
                ),
            )
            stem = f"{now}{version}"
            made = broadcasts.add(
                tx,
                {
                    "template_id": "t", "title": "t", "purpose": "service", "severity": "major", "mode": "drill",
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
            controls.move(tx, made, "released", now, release_at=now, expires_at=now + expires * 1000)
            broadcasts.change(tx, made, state="released", release_at=now, expires_at=now + expires * 1000)
        for c in kinds if ring else ():
            self.ctx.doorbell.ring(c)
        return made

    def open_work(self):
        """Requests under way or intended: what a kill now would catch."""
        try:
            with self.ctx.ledger.read() as tx:
                return int(tx.scalar("SELECT coalesce(sum(sending), 0) FROM batch") or 0)
        except Exception:
            return 0


@dataclass
class Sampler(threading.Thread):
    """Reads the sums in one snapshot, at least five times a second, all through a run."""

    arena: Arena
    broadcast: int
    samples: int = 0
    wrong: list = field(default_factory=list)
    missed: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self):
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self):
        while not self.done.wait(0.1):
            try:
                with self.arena.ctx.ledger.read() as tx:
                    rows = counts.by_channel(tx, self.broadcast)
            except Exception:
                self.missed += 1
                continue
            self.samples += 1
            for channel, row in rows.items():
                terms = sum(getattr(row, state.name.lower()) for state in DeliveryState)
                if terms != row.planned:
                    self.wrong.append((channel, tuple(row)))


@dataclass
class Verdict:
    """What a run came to. `lost`: neither told nor accounted for. `twice`: told more than once without a flag."""

    planned: int = 0
    lost: int = 0
    twice: int = 0
    flagged: int = 0
    unknown: int = 0
    false_accepts: int = 0
    wrong_sums: int = 0
    samples: int = 0
    kills: int = 0
    kills_that_hit: int = 0
    seconds: float = 0.0
    states: dict = field(default_factory=dict)
    finished: bool = True

    @property
    def good(self):
        return self.finished and not (self.lost or self.twice or self.false_accepts or self.wrong_sums)

    def line(self):
        return (
            f"planned {self.planned} lost {self.lost} twice {self.twice} flagged {self.flagged} unknown {self.unknown} "
            f"false accepts {self.false_accepts} wrong sums {self.wrong_sums}/{self.samples} "
            f"kills {self.kills_that_hit}/{self.kills} {self.seconds:.0f}s {self.states}"
        )


def settled(arena, broadcast, seconds):
    """Wait until nothing is waiting or under way; whether that came in time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with arena.ctx.ledger.read() as tx:
                rows = counts.by_channel(tx, broadcast)
            if all(row.waiting + row.sending + row.fallback == 0 for row in rows.values()):
                return True
        except Exception:
            pass
        time.sleep(0.3)
    return False


def verdict_of(arena, broadcast, sampler=None, *, finished=True):
    """Hold the ledger against the vendors' own record."""
    tally = judge(arena.vendors.record)
    prefix = f"{arena.ctx.ledger_id}.{broadcast}."
    told = {key: n for key, n in tally.counts.items() if key.startswith(prefix)}
    with arena.ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT d.seq, d.state, b.channel FROM delivery d JOIN batch b ON b.broadcast_id = d.broadcast_id"
            " AND b.no = d.seq / 1000 WHERE d.broadcast_id = :b",
            b=broadcast,
        )
        flagged = {
            row.seq
            for row in tx.all(
                "SELECT seq FROM anomaly WHERE broadcast_id = :b AND kind = 'possible repeat'", b=broadcast
            )
        }
        wrong = counts.wrong_batches(tx, broadcast)
    found = Verdict(planned=len(rows), finished=finished)
    states = Counter()
    for row in rows:
        state = DeliveryState(row.state)
        states[state.name.lower()] += 1
        times = told.get(f"{prefix}{row.seq}", 0)
        if row.channel == "social":
            continue
        if times > 1 and row.seq not in flagged:
            found.twice += 1
        if times == 0 and state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
            found.false_accepts += 1
        if times > 0 and state in (DeliveryState.WAITING, DeliveryState.CANCELLED, DeliveryState.EXPIRED):
            found.lost += 1
        if state in (DeliveryState.WAITING, DeliveryState.SENDING) and finished:
            found.lost += 1
    found.states, found.unknown, found.flagged = dict(states), states["unknown"], len(flagged)
    found.wrong_sums = len(wrong) + (len(sampler.wrong) if sampler else 0)
    found.samples = sampler.samples if sampler else 0
    return found


def last_request_began(arena):
    """Monotonic time of the last request any vendor saw begin."""
    return max((line.began for line in lines(arena.vendors.record)), default=0.0)


def dice(seed):
    return random.Random(seed)


def words(verdict):
    return json.dumps(verdict.__dict__, default=str)


__all__ = ["Arena", "Sampler", "Verdict", "settled", "shown", "verdict_of"]
