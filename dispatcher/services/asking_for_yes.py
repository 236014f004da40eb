"""Asks approvers for their yes, and their deputies once the approvers let their time pass."""

from collections.abc import Sequence

from dispatcher.ledger import approvals, broadcasts, people
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.person import Person
from dispatcher.services import notices, sign_off
from dispatcher.services.context import Context


def pass_on(ctx: Context, now: int) -> None:
    """Tell the deputies of approvers who let their time pass: once for each question, however many ticks there are."""
    with ctx.ledger.read() as tx:
        waiting = approvals.unanswered(tx, now)
    for broadcast_id in waiting:
        with ctx.ledger.write() as tx:
            if approvals.pass_on(tx, broadcast_id, now):
                _tell_deputies(ctx, tx, broadcasts.get(tx, broadcast_id), now)


def _tell_deputies(ctx: Context, tx: Tx, broadcast: Broadcast, now: int) -> None:
    asked = {one.id: one for one in sign_off.approvers(tx, broadcast)}
    rows = [row for row in approvals.deputies(tx) if row.person_id in asked]
    names = ", ".join(f"{row.deputy} for {row.person}" for row in rows)
    words = f"to {names}" if names else "no approver has a deputy: dispatcher person deputy"
    broadcasts.note_act(
        tx, "approval not answered: passed on", now, door="program", broadcast_id=broadcast.id, detail=words
    )
    deputies = [people.get(tx, one) for one in dict.fromkeys(row.deputy_id for row in rows)]
    if deputies:
        tell_that_it_waits(ctx, tx, deputies, broadcast, "passed on")


def tell_that_it_waits(ctx: Context, tx: Tx, people: Sequence[Person], broadcast: Broadcast, occasion: str) -> None:
    """Ask these people for their yes."""
    text = (
        f"{broadcast.title}. {broadcast.audience_size or 0} people, {', '.join(broadcast.plan.channels)}.\n"
        f"Look: dispatcher broadcast preview {broadcast.ref}\nThen: dispatcher broadcast approve {broadcast.ref}"
    )
    notices.tell(ctx, tx, people, broadcast, occasion, f"{broadcast.ref} waits for your yes", text)
