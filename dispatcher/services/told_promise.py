"""The next time that frozen words tell readers: they may not go out once it has passed, and hardly just before."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from dispatcher.errors import NotFound, Refused
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.promise import PromiseKind
from dispatcher.model.template import Profile
from dispatcher.services import promises
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding

SHORT = timedelta(minutes=5)
"""A promise that falls due sooner after the send is broken before anybody can keep it."""


def of(ctx: Context, tx: Tx, broadcast: Broadcast) -> datetime | None:
    """The time of the next word as the text has it: its own, else what was promised when the words were frozen (now,
    for a draft). None where the text tells none."""
    try:
        template = ctx.catalogue.get(broadcast.template_id)
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
        raise Refused(
            f"{broadcast.ref} promises the next update by {promises.said(ctx, told)}, which will have passed.",
            why="The words were frozen with that time; readers would get a promise that is broken already.",
            mend=(
                f"Promise a later time: dispatcher incident promise INC-{broadcast.incident_id} 'in 30m'",
                f"then dispatcher broadcast edit {broadcast.ref}, or draft it anew, and have it approved",
            ),
            code="E-PROMISE",
        )


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """What `check` and `approve` say of it, were it sent now."""
    told, now = of(ctx, tx, broadcast), ctx.clock.now()
    if told is None or broadcast.release_at is not None:
        return
    if told <= now and broadcast.digest is not None:
        what = f"It promises the next update by {promises.said(ctx, told)}, which has passed."
        yield Finding(
            "E-PROMISE", "error", what, "Its words were frozen with that time.", "Promise anew, then edit it."
        )
    elif now < told < now + SHORT:
        what = f"It promises the next update by {promises.said(ctx, told)}, in less than 5 minutes."
        yield Finding("I-PROMISE", "info", what, "", "Promise a time that can still be kept.")
