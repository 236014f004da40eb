"""A person decides: what stays unknown is sent again or left; what failed is tried again."""

from dispatcher.errors import Refused, TooLate
from dispatcher.ledger import anomalies, broadcasts, codes, controls, copies, suppressions, sweeps
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState, ControlState, DeliveryState
from dispatcher.people import Right, require
from dispatcher.services import succession
from dispatcher.services.context import Context

BY_PERSON = "sent again by a person"
LEFT_BY_PERSON = "left by policy: a person decided so"


def settle(ctx: Context, actor: Person, ref: str, decision: str, reason: str) -> int:
    """`resend` or `leave` every unknown delivery of a broadcast; how many that concerned."""
    require(actor, Right.SETTLE)
    if decision not in ("resend", "leave") or not reason.strip():
        raise Refused("A decision and a reason are needed.", mend="--unknown resend|leave --reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        seqs = sweeps.in_state(tx, broadcast.id, DeliveryState.UNKNOWN)
        if decision == "leave":
            sweeps.explain_rows(tx, broadcast.id, seqs, LEFT_BY_PERSON)
        elif seqs:
            _reopen(ctx, tx, broadcast)
            copies.send_again(tx, broadcast.id, seqs, DeliveryState.UNKNOWN, sweeps.LOST)
            for seq in seqs:
                anomalies.add(tx, "possible repeat", BY_PERSON, now, broadcast_id=broadcast.id, seq=seq)
        broadcasts.note_act(
            tx, f"unknown: {decision}", now, person_id=actor.id, broadcast_id=broadcast.id, detail=reason
        )
    _ring(ctx, broadcast)
    return len(seqs)


def retry(ctx: Context, actor: Person, ref: str) -> int:
    """Try those again that failed and have not asked for no more since; how many."""
    require(actor, Right.SETTLE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        seqs = sweeps.in_state(tx, broadcast.id, DeliveryState.FAILED)
        spared = suppressions.of_deliveries(tx, broadcast.id, DeliveryState.FAILED)
        seqs = sorted(set(seqs) - codes.given_back(tx, broadcast.id, seqs) - spared)
        if seqs:
            _reopen(ctx, tx, broadcast)
            copies.send_again(tx, broadcast.id, seqs, DeliveryState.FAILED, None)
        broadcasts.note_act(
            tx, "retried", now, person_id=actor.id, broadcast_id=broadcast.id, detail=f"{len(seqs)} failed"
        )
    _ring(ctx, broadcast)
    return len(seqs)


def _reopen(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """A finished broadcast goes on, inside its time."""
    if broadcast.expires_at is not None and broadcast.expires_at <= ctx.clock.now():
        raise TooLate(
            f"{broadcast.ref} is past its expiry.", mend="Draft a new broadcast for those who were not reached."
        )
    succession.require_not_over(ctx, tx, broadcast)
    if broadcast.state not in (BroadcastState.DONE, BroadcastState.RELEASED):
        raise Refused(f"{broadcast.ref} is {broadcast.state}.", mend="Only a sent broadcast can go on.")
    controls.move(tx, broadcast.id, ControlState.RELEASED, to_ms(ctx.clock.now()))
    if broadcast.state is BroadcastState.DONE:
        broadcasts.move(tx, broadcast, BroadcastState.RELEASED, closed_at=None)


def _ring(ctx: Context, broadcast: Broadcast) -> None:
    for channel in broadcast.plan.channels:
        ctx.doorbell.ring(channel)
