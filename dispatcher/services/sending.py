"""Releases an approved broadcast, with an undo window that is held in the ledger, before anything is queued."""

from datetime import datetime, timedelta

from dispatcher.errors import ConfirmationWrong, IllegalTransition, LedgerHeld, NotPermitted, Refused, TooLate
from dispatcher.ledger import broadcasts
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.people import PROGRAM, Right, door_of, require
from dispatcher.services import (
    drafting,
    hold,
    marketing,
    preapproval,
    releasing,
    retracted,
    sign_off,
    source,
    succession,
    told_promise,
    wave_order,
    waves,
)
from dispatcher.services.context import Context
from dispatcher.services.digests import require_unaltered


def send(
    ctx: Context,
    actor: Person,
    ref: str,
    *,
    confirm_audience: int,
    at: datetime | None = None,
    undo: int | None = None,
    despite: str = "",
) -> Broadcast:
    """Release at `at` (aware), or after `undo` seconds. `confirm_audience` is the size that the person typed;
    `despite` the reason to let promotion go although an incident is open."""
    require(actor, Right.SEND)
    return _release(ctx, actor, ref, confirm_audience, at, undo, despite)


def send_unattended(ctx: Context, ref: str) -> Broadcast:
    """What the program may send by itself: an instance of a pre-approval whose terms say so, with the undo window."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        terms = preapproval.require_still(ctx, tx, broadcast)
    if terms is None or not terms.unattended:
        raise NotPermitted(
            f"The program may not send {broadcast.ref}.",
            why="No pre-approval lets it go unattended.",
            mend=f"An operator: dispatcher broadcast send {broadcast.ref}",
        )
    return _release(ctx, PROGRAM, ref, broadcast.audience_size or 0, None, None)


def _release(
    ctx: Context,
    actor: Person,
    ref: str,
    confirm_audience: int,
    at: datetime | None,
    undo: int | None,
    despite: str = "",
) -> Broadcast:
    if why := hold.guard(ctx):
        raise LedgerHeld(
            "This ledger is on hold and sends nothing.", why=why, mend="dispatcher hold show, then hold release."
        )
    if not despite.strip():
        marketing.hold_back(ctx, ref)
    now = ctx.clock.now()
    window = ctx.settings.dispatch.undo_seconds if undo is None else undo
    release = max(at or now, now) + timedelta(seconds=0 if at and at > now else window)
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        _require_ready(ctx, tx, broadcast, confirm_audience)
        told_promise.require_all_ahead(ctx, tx, broadcast, release)
        marketing.require_free(ctx, tx, actor, broadcast, despite)
        succession.require_newest(ctx, tx, broadcast)
        released = (waves.start if waves.leads(tx, broadcast) else releasing.release)(ctx, tx, broadcast, release)
        broadcasts.note_act(
            tx, "sent", to_ms(now), person_id=actor.id, door=door_of(actor), broadcast_id=broadcast.id,
            detail=f"{confirm_audience} people, release {release.isoformat(timespec='seconds')}",
        )  # fmt: skip
    releasing.ring_what_is_due(ctx, released, now)
    return released


def undo(ctx: Context, actor: Person, ref: str) -> Broadcast:
    """Take a release back while its window is open. Nothing was queued, so nothing can slip out."""
    require(actor, Right.PAUSE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        if broadcast.state is not BroadcastState.RELEASED:
            if broadcast.state is BroadcastState.APPROVED and waves.take_back(tx, broadcast):
                broadcasts.note_act(tx, "undone", now, person_id=actor.id, broadcast_id=broadcast.id)
                return broadcast
            raise IllegalTransition(f"{broadcast.ref} is {broadcast.state}; there is nothing to undo.")
        if releasing.has_begun(tx, broadcast, now):
            raise TooLate(
                f"The undo window of {broadcast.ref} is over.", mend=f"dispatcher broadcast stop {broadcast.ref}"
            )
        releasing.take_back(ctx, tx, broadcast)
        waves.take_back(tx, broadcast)
        broadcasts.note_act(tx, "undone", now, person_id=actor.id, broadcast_id=broadcast.id)
        return broadcasts.get(tx, broadcast.id)


def _require_ready(ctx: Context, tx: Tx, broadcast: Broadcast, confirmed: int) -> None:
    if broadcast.state is not BroadcastState.APPROVED:
        _refuse_state(broadcast)
    waves.require_alone(tx, broadcast, "send")
    bound = require_unaltered(tx, broadcast)
    waves.require_ready(tx, broadcast)
    if missing := sign_off.missing(ctx, tx, broadcast, source.standing(ctx, broadcast), bound):
        raise NotPermitted(
            f"{broadcast.ref} needs another approval.", why=f"Missing: {', '.join(missing)}.",
            mend=f"dispatcher broadcast approve {broadcast.ref}",
        )  # fmt: skip
    if shut := drafting.gates_shut(tx, broadcast.plan.channels):
        raise Refused(
            f"The channel {shut[0]} is frozen.", mend=f"dispatcher channel thaw {shut[0]}, or draft without it."
        )
    preapproval.require_still(ctx, tx, broadcast, lock=True)
    retracted.require_none(ctx, tx, broadcast)
    _require_loopback(ctx, broadcast)
    if confirmed != (people := wave_order.people(tx, broadcast)):
        raise ConfirmationWrong(
            f"{confirmed} is not the size of this audience; nothing was sent.",
            why=f"{broadcast.ref} goes to {people} people{' in all its waves' * waves.leads(tx, broadcast)}.",
            mend=f"Look at dispatcher broadcast show {broadcast.ref}, then type its number of people.",
        )


def _refuse_state(broadcast: Broadcast) -> None:
    before = {BroadcastState.DRAFT, BroadcastState.SUBMITTED, BroadcastState.RETURNED}
    if broadcast.state in before:
        raise NotPermitted(
            f"{broadcast.ref} is {broadcast.state}; it is not approved.",
            mend=f"dispatcher broadcast {'approve' if broadcast.state is BroadcastState.SUBMITTED else 'submit'} "
            f"{broadcast.ref}",
        )
    raise IllegalTransition(
        f"{broadcast.ref} is {broadcast.state}; it was sent or ended already.",
        mend=f"dispatcher broadcast show {broadcast.ref}",
    )


def _require_loopback(ctx: Context, broadcast: Broadcast) -> None:
    """A drill may only use accounts on this machine, whatever the settings have become since it was drafted."""
    if broadcast.mode is not Mode.DRILL:
        return
    names = [name for some in broadcast.plan.accounts.values() for name in some]
    for name in names:
        if name in ctx.accounts and not ctx.accounts[name].is_loopback:
            raise Refused(f"A drill cannot use {name}: it is not on this machine.", mend="Point it at the sandbox.")
