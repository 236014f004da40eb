"""Pause, stop and freeze, with two groups of workers of separate homes on one PostgreSQL, measured by when the vendors
saw requests; and the correction, which goes to exactly those who have the words or may have them."""

import tempfile
import time
from pathlib import Path

from dispatcher.ledger import derived
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Level, Person, Role
from dispatcher.sandbox.record import lines
from dispatcher.services import control
from tests.faults.arena import Arena
from tests.faults.scenarios import CALM
from tests.faults.verdicts import verdict_of

OPERATOR = Person(0, "Operator", roles=frozenset({Role.OPERATOR}), level=Level.COMMS_LEAD)
LIMIT = 2.0
WAYS = ("stop", "pause", "freeze")
SAME = {Channel.EMAIL: [Channel.EMAIL], Channel.SMS: [Channel.SMS]}


class Second(Arena):
    """A further group of workers: a home of its own, the first one's vendors."""

    def __init__(self, folder, first, url):
        super().__init__(folder, 0, database_url=url)
        self.first = first

    def _vendors(self, port):
        self._secret = self.first._secret
        return self.first.vendors


def two_groups(seed, url, *, times, people=1000):
    """Whether no request began more than 2 s after any of `times` stops and every correction was exact."""
    began, late, wrong, told = time.monotonic(), [], [], 0
    with tempfile.TemporaryDirectory(prefix="first-") as here, tempfile.TemporaryDirectory(prefix="second-") as there:
        with Arena(Path(here), seed, database_url=url, faults=CALM) as first:
            first.await_web()
            with Second(Path(there), first, url) as second:
                second.await_web()
                for number in range(times):
                    after, planned, found = _one(first, WAYS[number % 3], people)
                    late.append(after)
                    told += planned
                    wrong += found
    words = f"{times} stops of {told}, last request {max(late):.2f} s after, wrong: {wrong[:2] or 'none'}"
    return max(late) <= LIMIT and not wrong, words, time.monotonic() - began


def _one(arena, way, people):
    made = arena.broadcast(people)
    until = time.monotonic() + 60
    while arena.open_work() == 0 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.5)
    _halt(arena, way, f"B-{made}")
    stopped = time.monotonic()
    time.sleep(LIMIT + 2)
    prefix = f"{arena.ctx.ledger_id}.{made}."
    seen = [line for line in lines(arena.vendors.record) if (line.key or "").startswith(prefix)]
    found = verdict_of(arena, made, finished=False)
    wrong = [f"{way} of B-{made}: {found.line()}"] if found.twice or found.false_accepts or found.wrong_sums else []
    wrong += [] if found.states.get("waiting") else [f"{way} of B-{made}: nobody was left whom it could hold back"]
    if way == "stop":
        wrong += [found.line()] if found.lost else []
        wrong += _correction(
            arena, made, {int(line.key.rpartition(".")[2]) for line in seen if line.kind == "accepted"}
        )
    else:
        _go_on_and_end(arena, way, made)
    return max((line.began for line in seen), default=stopped) - stopped, found.planned, wrong


def _halt(arena, way, ref):
    if way == "freeze":
        for channel in SAME:
            control.freeze(arena.ctx, OPERATOR, channel, "an account in strange hands")
    else:
        (control.stop if way == "stop" else control.pause)(arena.ctx, OPERATOR, ref, reason="told wrongly")


def _go_on_and_end(arena, way, made):
    """Nothing of it shall run beside the next one."""
    control.stop(arena.ctx, OPERATOR, f"B-{made}", reason="over")
    for channel in SAME if way == "freeze" else ():
        control.thaw(arena.ctx, OPERATOR, channel, "mended")


def _correction(arena, made, told):
    """Whom a correction would go to, against the vendors' record: all who were told, and beyond them only unknown."""
    ctx = arena.ctx
    with ctx.ledger.write() as tx:
        version = derived.people(
            tx, f"correction {made}", [made], derived.REACHED, SAME, by=None, now=to_ms(ctx.clock.now())
        )
    with ctx.ledger.read() as tx:
        kept = tx.all("SELECT rid, email, phone FROM recipient WHERE version_id = :v", v=version.id)
        rows = tx.all(
            "SELECT d.seq, d.state, b.channel, r.email, r.phone FROM delivery d JOIN batch b"
            " ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / 1000 JOIN broadcast o ON o.id = d.broadcast_id"
            " JOIN recipient r ON r.version_id = o.audience_version_id AND r.rid = d.rid WHERE d.broadcast_id = :b",
            b=made,
        )
    offered = {address for row in kept for address in (row.email, row.phone) if address}
    reached = {_address(row) for row in rows if row.seq in told and row.state != 7}
    unknown = {_address(row) for row in rows if row.state == 4}
    missing, strange = reached - offered, offered - reached - unknown
    return [f"correction of B-{made}: {len(missing)} missing, {len(strange)} too many"] if missing or strange else []


def _address(row):
    return row.email if row.channel == "email" else row.phone
