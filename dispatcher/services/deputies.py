"""Deputies: who answers for an approver who is away, or who lets a question about an approval lie."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispatcher.errors import Refused, UsageError
from dispatcher.ledger import approvals, broadcasts
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.person import Person
from dispatcher.people import Right, may
from dispatcher.services import people
from dispatcher.services.context import Context


def name(ctx: Context, actor: Person | None, person: str, deputy: str, *, away_until: datetime | None = None) -> None:
    """`deputy` stands in for `person`; at once until `away_until`, else only once a question was left unanswered.

    A person names their own deputies, an admin everybody's.
    """
    now = ctx.clock.now()
    if away_until is not None and away_until <= now:
        raise UsageError("That time has passed.", mend="--away-until a later time, with its zone.")
    with ctx.ledger.write() as tx:
        principal, stand_in = people.known(tx, person), people.known(tx, deputy)
        if actor is None or actor.id != principal.id:
            people.require_manager(tx, actor)
        for one in (principal, stand_in):
            if not may(one, Right.APPROVE):
                raise Refused(f"{one.name} approves nothing.", mend="Name two persons with the role approver.")
        if principal.id == stand_in.id:
            raise UsageError("Nobody is their own deputy.", mend="Name another person.")
        approvals.set_deputy(tx, principal.id, stand_in.id, to_ms(away_until) if away_until else None)
        until = f", away until {away_until.isoformat(timespec='minutes')}" if away_until else ""
        by = actor.id if actor else None
        broadcasts.note_act(
            tx, "deputy named", to_ms(now), person_id=by, detail=f"{stand_in.name} for {principal.name}{until}"
        )


def remove(ctx: Context, actor: Person | None, person: str, deputy: str) -> None:
    """The deputy stands in no more."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        principal, stand_in = people.known(tx, person), people.known(tx, deputy)
        if actor is None or actor.id != principal.id:
            people.require_manager(tx, actor)
        if not approvals.remove_deputy(tx, principal.id, stand_in.id):
            raise Refused(f"{stand_in.name} is no deputy of {principal.name}.", mend="dispatcher person deputies")
        broadcasts.note_act(
            tx, "deputy removed", now, person_id=actor.id if actor else None,
            detail=f"{stand_in.name} for {principal.name}",
        )  # fmt: skip


def every(ctx: Context) -> list[Mapping[str, Any]]:
    """Who stands in for whom."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        rows = approvals.deputies(tx)
    return [
        {
            "person": row.person,
            "deputy": row.deputy,
            "away_until": from_ms(row.away_until) if (row.away_until or 0) > now else None,
        }
        for row in rows
    ]
