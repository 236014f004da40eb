"""Signed notices to the organisation's own systems (Standard Webhooks), delivered from rows of the ledger.

Every notice is delivered at least once, under an id that stays the same on every try, so a receiver can drop repeats:
it may come twice when an answer was lost or a worker died in between, and notices may overtake each other. It is tried
for five days with growing pauses; what nobody took is listed and can be sent again by a person.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger import broadcasts, incidents, outward
from dispatcher.ledger.broadcasts import canonical
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.incident import Incident, Visibility, incident_ref
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.policy.reach import reach
from dispatcher.services.context import Context, is_loopback
from dispatcher.settings.public import Outward
from dispatcher.wire import Answer, Wire, WireError

GIVEN_UP_MS = 5 * 24 * 3600 * 1000
KEPT_MS = 30 * 24 * 3600 * 1000
FIRST_SECONDS, FACTOR, LONGEST_SECONDS, JITTER = 5.0, 4.0, 12 * 3600.0, 0.2
"""Pauses: 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 6 h, then 12 h each, give or take a fifth."""
AT_ONCE = 20
LEASE_MARGIN_MS = 30_000
ANSWER_CAP = 4096
GONE = 410

_OF_INCIDENTS: Mapping[str, str] = {
    "opened": "incident.opened",
    "phase changed": "incident.changed",
    "severity changed": "incident.changed",
    "visibility changed": "incident.changed",
    "promised": "incident.promised",
    "closed": "incident.closed",
}
_OF_BROADCASTS: Mapping[str, str] = {
    "submitted": "broadcast.submitted",
    "approved": "broadcast.approved",
    "sent": "broadcast.sent",
    "stopped": "broadcast.stopped",
    "done": "broadcast.done",
}
VERBS = (*_OF_INCIDENTS, *_OF_BROADCASTS)

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is listed. `state` is due, done or given up; `why` the last answer, or why there was none."""

    id: int
    destination: str
    type: str
    state: str
    made_at: datetime
    tries: int
    due_at: datetime | None
    why: str


# --- from acts to notices


def plan(ctx: Context, now: int) -> None:
    """A row for everything that happened since and that a destination is to be told. The tick calls it."""
    for name, to in _enabled(ctx).items():
        with ctx.ledger.read() as tx:
            known, newest = outward.seen(tx, name), outward.newest_act(tx)
            acts = outward.untold(tx, name, max(known[0], known[1] - outward.OVERLAP), VERBS) if known else []
            made = [made for made in (_notice(tx, to, act) for act in acts) if made is not None]
        if made or known is None or newest - known[1] >= outward.OVERLAP // 2:
            with ctx.ledger.write() as tx:
                outward.begin(tx, name)
                for act, kind, mode, body in made:
                    outward.add(tx, name, act.id, kind, mode, body, now)
                outward.mark_seen(tx, name, newest)
    _give_up_old(ctx, now)


def _give_up_old(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        if not outward.any_older(tx, now - GIVEN_UP_MS):
            return
    with ctx.ledger.write() as tx:
        count = outward.give_up_older(tx, now - GIVEN_UP_MS, now, "Nobody took it within five days.")
    if count:
        log.error("notices_given_up", notices=count)


def _enabled(ctx: Context) -> dict[str, Outward]:
    return {name: to for name, to in ctx.settings.outward.items() if to.enabled}


def _notice(tx: Tx, to: Outward, act: Row[Any]) -> tuple[Row[Any], str, str, str] | None:
    """What a destination is told about an act; None if nothing: not asked for, private, or a drill that would leave."""
    if act.broadcast_id is not None:
        kind = _OF_BROADCASTS.get(act.verb)
        told = _broadcast(tx, act.broadcast_id)
    else:
        kind = _OF_INCIDENTS.get(act.verb)
        told = _incident(incidents.get(tx, act.incident_id))
    if kind is None or kind not in to.acts or told is None:
        return None
    mode = str(told["mode"])
    if mode == Mode.DRILL and not is_loopback(to.url):
        return None
    body = {"type": kind, "timestamp": from_ms(int(act.at)).isoformat().replace("+00:00", "Z"), "data": told}
    return act, kind, mode, canonical(body)


def _incident(incident: Incident) -> dict[str, object] | None:
    """An incident as our own systems are told of it. A private one is for those who work on it alone."""
    if incident.visibility is Visibility.PRIVATE:
        return None
    until = incident.next_update_at
    return {
        "incident": incident.ref,
        "title": incident.title,
        "severity": incident.severity,
        "phase": incident.phase,
        "visibility": incident.visibility,
        "mode": incident.mode,
        "next_update_at": until.isoformat().replace("+00:00", "Z") if until else None,
    }


def _broadcast(tx: Tx, number: int) -> dict[str, object] | None:
    """A broadcast without its words and people. Tests and notices to our own people are nobody else's business."""
    found = broadcasts.get(tx, number)
    about = incidents.get(tx, found.incident_id) if found.incident_id else None
    if found.relation in ("test", "notice") or (about is not None and about.visibility is Visibility.PRIVATE):
        return None
    return {
        "broadcast": found.ref,
        "title": found.title,
        "purpose": found.purpose,
        "severity": found.severity,
        "mode": found.mode,
        "state": found.state,
        "channels": list(found.plan.channels),
        "audience_size": found.audience_size,
        "incident": incident_ref(found.incident_id) if found.incident_id else None,
    }


# --- from notices to answers


def is_due(ctx: Context) -> bool:
    """Whether a notice could be delivered now."""
    names = list(_enabled(ctx))
    if not names:
        return False
    with ctx.ledger.read() as tx:
        return outward.any_due(tx, names, to_ms(ctx.clock.now()))


async def deliver(ctx: Context) -> bool:
    """Try what is due, some at once; whether more is due. Each is claimed in the ledger before its call begins."""
    to = _enabled(ctx)
    now = to_ms(ctx.clock.now())
    longest = max((one.timeout for one in to.values()), default=0.0)
    with ctx.ledger.write() as tx:
        claimed = outward.claim(tx, list(to), now, now + int(longest * 1000) + LEASE_MARGIN_MS, AT_ONCE)
    await asyncio.gather(*(_try(ctx, to[row.destination], row) for row in claimed))
    return len(claimed) == AT_ONCE


async def _try(ctx: Context, to: Outward, row: Row[Any]) -> None:
    may_go = reach(to.networks, loopback_only=row.mode == Mode.DRILL)
    headers = signed(to.keys, message_id(ctx, row), ctx.clock.now(), row.body)
    try:
        async with Wire(may_go=may_go, limit=1) as wire:
            answer = await wire.request(
                "POST", to.url, headers=headers, timeout=to.timeout, body=row.body.encode(), answer_cap=ANSWER_CAP
            )
    except WireError as error:
        _later(ctx, row, str(error), None)
        return
    _judge(ctx, row, answer)


def _judge(ctx: Context, row: Row[Any], answer: Answer) -> None:
    """Only a 2xx is a yes: a redirect is not followed, and 410 asks us to stop."""
    now = ctx.clock.now()
    why = f"answered {answer.status}"
    if 200 <= answer.status < 300:
        with ctx.ledger.write() as tx:
            outward.answered(tx, row.id, to_ms(now), why)
    elif answer.status == GONE:
        log.error("notice_refused", destination=row.destination, notice=row.id, answer=answer.status)
        with ctx.ledger.write() as tx:
            outward.give_up(tx, row.id, row.lease_until, why)
    else:
        _later(ctx, row, why, answer.wait(now))


def _later(ctx: Context, row: Row[Any], why: str, asked: float | None) -> None:
    now = to_ms(ctx.clock.now())
    due = now + int(max(pause(row.tries, random.uniform(-JITTER, JITTER)), asked or 0.0) * 1000)  # noqa: S311
    log.warning("notice_not_taken", destination=row.destination, notice=row.id, tries=row.tries, why=why)
    with ctx.ledger.write() as tx:
        outward.again(tx, row.id, row.lease_until, due, why)


def pause(tries: int, shift: float) -> float:
    """Seconds until the next try after `tries` vain ones; `shift` is a share to add or take away."""
    return float(min(FIRST_SECONDS * FACTOR ** min(tries - 1, 20), LONGEST_SECONDS) * (1 + shift))


def message_id(ctx: Context, row: Row[Any]) -> str:
    """The same on every try, and another in every ledger and after every restore of one."""
    mark = hashlib.sha256(row.body.encode()).hexdigest()[:12]  # acts after a restore take numbers that were used before
    return f"msg_{ctx.ledger_id}_{row.act_id}_{mark}"


def signed(keys: Sequence[bytes], identity: str, at: datetime, body: str) -> dict[str, str]:
    """Headers by Standard Webhooks (spec 1.0.0, symmetric): one signature for each key, while one replaces another."""
    stamp = str(int(at.timestamp()))
    message = f"{identity}.{stamp}.{body}".encode()
    signatures = (base64.b64encode(hmac.digest(key, message, "sha256")).decode() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }


# --- for people


_STATES = {outward.DUE: "due", outward.DONE: "done", outward.DEAD: "given up"}


def listing(ctx: Context, *, given_up: bool = False, limit: int = 50) -> list[Notice]:
    """The newest notices; on demand only those that were given up."""
    with ctx.ledger.read() as tx:
        rows = outward.listed(tx, dead_only=given_up, limit=limit)
    return [
        Notice(
            row.id, row.destination, row.type, _STATES[row.state], from_ms(int(row.made_at)), row.tries,
            from_ms(int(row.due_at)) if row.state == outward.DUE else None, row.why,
        )
        for row in rows
    ]  # fmt: skip


def retry(ctx: Context, actor: Person, destination: str, number: int | None = None) -> int:
    """Send given-up notices of a destination again, or one of them; how many. Their ids stay."""
    require(actor, Right.SETTLE)
    if destination not in ctx.settings.outward:
        raise NotFound(f"No destination is called {destination!r}.", mend=f"Add a block [outward.{destination}].")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        count = outward.revive(tx, destination, number, now)
        detail = json.dumps({"destination": destination, "notices": count})
        broadcasts.note_act(tx, "notices sent again", now, person_id=actor.id, detail=detail)
    return count


def prune(ctx: Context, now: int) -> None:
    """Forget what was settled a month ago."""
    with ctx.ledger.write() as tx:
        outward.prune(tx, now - KEPT_MS)
