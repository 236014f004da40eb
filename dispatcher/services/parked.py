"""Vendors' posts that could not be applied: kept as they came, shown, and applied again when a person says so."""

import json
from dataclasses import dataclass
from datetime import datetime

from dispatcher.errors import NotFound
from dispatcher.ledger import broadcasts, events
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Parked:
    """One post. `why` names no address."""

    id: int
    account: str
    received_at: datetime
    tries: int
    why: str


def listing(ctx: Context, limit: int) -> list[Parked]:
    """The newest first."""
    with ctx.ledger.read() as tx:
        rows = events.parked(tx, limit)
    return [Parked(row.id, row.account, from_ms(row.received_at), row.tries, row.error or "") for row in rows]


def retry(ctx: Context, actor: Person, account: str, post: int | None = None) -> int:
    """Have posts of an account, or one of them, applied again; how many. What was applied before changes nothing."""
    require(actor, Right.SETTLE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        count = events.reopen(tx, account, post, now)
        if not count:
            raise NotFound(f"No post of {account!r} is parked.", mend="dispatcher event list shows what is.")
        detail = json.dumps({"account": account, "posts": count})
        broadcasts.note_act(tx, "events applied again", now, person_id=actor.id, detail=detail)
    ctx.doorbell.ring_events()
    return count
