"""The next time that frozen words tell readers: they may not go out once it has passed, and hardly just before.

What goes with a lead in waves is held against it with its lead, and once more when its own turn comes; what waits for a
person after an outage, when that person lets it go.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from dispatcher.errors import NotFound, Refused
from dispatcher.ledger import broadcasts, waves
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.promise import PromiseKind
from dispatcher.model.template import Profile
from dispatcher.services import promises, source
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding

SHORT = timedelta(minutes=5)
"""A promise that falls due sooner after the send is broken before anybody can keep it."""


def of(ctx: Context, tx: Tx, broadcast: Broadcast) -> datetime | None:
    """The time of the next word as the text has it: its own, else what was promised when the words were frozen (now,
    for a draft). None where the text tells none."""
    try:
        template = source.standing(ctx, broadcast)
    except NotFound:
        return None
    if broadcast.incident_id is None or template.profile is not Profile.UPDATE:
        return None
    if broadcast.next_update_at is not None:
        return broadcast.next_update_at
    circle = promises.circle_of(template, rows.audience_of(tx, broadcast.id))
    when = broadcast.submitted_at or ctx.clock.now()
    stood = [
        one
        for one in rows.of(tx, broadcast.incident_id)
        if one.clock == circle and one.kind is PromiseKind.PROMISE and one.made_at <= when
        and (one.settled_at is None or one.settled_at > when)
    ]  # fmt: skip
    return stood[-1].due_at if stood else None


def require_ahead(ctx: Context, tx: Tx, broadcast: Broadcast, at: datetime) -> None:
    """Return unless the words promise the next update for a time that has passed when they go out."""
    told = of(ctx, tx, broadcast)
    if told is not None and told <= at:
        passed = "has passed" if told <= ctx.clock.now() else "will have passed by then"
        raise Refused(
            f"{broadcast.ref} promises the next update by {promises.said(ctx, told)}, which {passed}.",
            why="The words were frozen with that time; readers would get a promise that is broken already.",
            mend=f"dispatcher broadcast stop {broadcast.ref}, and draft it anew." if broadcast.release_at
            else f"dispatcher broadcast edit {broadcast.ref} --next-update 'in 30m', and have it approved anew.",
            code="E-PROMISE",
        )  # fmt: skip


def require_all_ahead(ctx: Context, tx: Tx, lead: Broadcast, at: datetime) -> None:
    """The same for a broadcast and all that goes with it, which cannot go out sooner."""
    for one in _together(tx, lead):
        require_ahead(ctx, tx, one, at)


def soon_over(ctx: Context, ref: str, at: datetime | None = None) -> list[str]:
    """A sentence for each broadcast that goes with this one, itself first, whose promise falls due minutes after `at`
    (by default now)."""
    moment = at or ctx.clock.now()
    with ctx.ledger.read() as tx:
        found = [(one.ref, of(ctx, tx, one)) for one in _together(tx, broadcasts.get(tx, broadcast_id(ref)))]
        return [_soon(ctx, name, told) for name, told in found if told is not None and _is_soon(told, moment)]


def _together(tx: Tx, lead: Broadcast) -> list[Broadcast]:
    return [lead, *(broadcasts.get(tx, number) for number in waves.members(tx, lead.id))]


def _is_soon(told: datetime, at: datetime) -> bool:
    return at < told < at + SHORT


def _soon(ctx: Context, ref: str, told: datetime) -> str:
    return f"{ref} promises the next update by {promises.said(ctx, told)}, less than 5 minutes after it goes out."


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """What `check` and `approve` say of it, were it sent now."""
    told, now = of(ctx, tx, broadcast), ctx.clock.now()
    if told is None or broadcast.release_at is not None:
        return
    if told <= now and broadcast.digest is not None:
        what = f"It promises the next update by {promises.said(ctx, told)}, which has passed."
        mend = f"dispatcher broadcast edit {broadcast.ref} --next-update 'in 30m'"
        yield Finding("E-PROMISE", "error", what, "Its words were frozen with that time.", mend)
    elif _is_soon(told, now):
        mend = f"Promise what can be kept: dispatcher broadcast edit {broadcast.ref} --next-update 'in 30m'"
        yield Finding("I-PROMISE", "info", _soon(ctx, broadcast.ref, told), "", mend)
