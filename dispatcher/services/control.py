"""Pause, resume, stop a broadcast; freeze and thaw a channel. Each changes one row per channel, whatever the size."""

from dispatcher.errors import IllegalTransition, Refused
from dispatcher.ledger import accounts, broadcasts, controls, sweeps
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.people import Right, require
from dispatcher.services import succession, told_promise
from dispatcher.services.context import Context

_BROADCAST = {
    ControlState.PAUSED: BroadcastState.PAUSED,
    ControlState.RELEASED: BroadcastState.RELEASED,
    ControlState.STOPPED: BroadcastState.STOPPED,
}


def pause(ctx: Context, actor: Person, ref: str, *, channel: Channel | None = None, reason: str = "") -> Broadcast:
    """Hold what is not under way. After it returns no call starts later than 2 seconds."""
    require(actor, Right.PAUSE)
    return _move(ctx, actor, ref, ControlState.PAUSED, channel, reason, "paused")


def resume(ctx: Context, actor: Person, ref: str, *, channel: Channel | None = None, reason: str = "") -> Broadcast:
    """Go on, also with a broadcast that came due late and waited for a person."""
    require(actor, Right.RESUME)
    moved = _move(ctx, actor, ref, ControlState.RELEASED, channel, reason, "resumed")
    for one in moved.plan.channels:
        ctx.doorbell.ring(one)
    return moved


def stop(ctx: Context, actor: Person, ref: str, *, channel: Channel | None = None, reason: str = "") -> Broadcast:
    """End it: what has not begun is cancelled. After it returns no call starts later than 2 seconds."""
    require(actor, Right.STOP)
    return _move(ctx, actor, ref, ControlState.STOPPED, channel, reason, "stopped")


def freeze(ctx: Context, actor: Person, channel: Channel, reason: str) -> None:
    """Close a channel for every broadcast, as when an account of ours is in strange hands."""
    require(actor, Right.FREEZE)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        if not controls.freeze(tx, channel, reason, now):
            raise IllegalTransition(f"{channel} is frozen already.")
        broadcasts.note_act(tx, "channel frozen", now, person_id=actor.id, channel=channel, detail=reason)


def thaw(ctx: Context, actor: Person, channel: Channel, reason: str = "") -> None:
    """Open a frozen channel again."""
    require(actor, Right.THAW)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        if not controls.thaw(tx, channel):
            raise IllegalTransition(f"{channel} is not frozen.")
        broadcasts.note_act(tx, "channel thawed", now, person_id=actor.id, channel=channel, detail=reason)
    ctx.doorbell.ring(channel)


def reopen(ctx: Context, actor: Person, account: str) -> None:
    """A stopped or broken account is mended: use it again."""
    require(actor, Right.THAW)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        if account not in accounts.states(tx):
            raise Refused(f"No account is called {account!r}.", mend="dispatcher channel list shows them.")
        accounts.reopen(tx, account, now)
        broadcasts.note_act(tx, "account reopened", now, person_id=actor.id, detail=account)


def _move(
    ctx: Context, actor: Person, ref: str, to: ControlState, channel: Channel | None, reason: str, verb: str
) -> Broadcast:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        _require_under_way(broadcast, verb)
        if to is ControlState.RELEASED:
            _require_promise_ahead(ctx, tx, broadcast)
            controls.forgive_lateness(tx, broadcast.id, now, channel)
        if not controls.move(tx, broadcast.id, to, now, channel=channel, reason=reason):
            raise IllegalTransition(
                f"Nothing of {broadcast.ref} can be {verb} now.", mend=f"dispatcher broadcast show {broadcast.ref}"
            )
        if to is ControlState.STOPPED:
            sweeps.leave_repeats(tx, broadcast.id, channel)
        rows = controls.of(tx, broadcast.id).values()
        left = {row.state for row in rows}
        if left == {ControlState.STOPPED} and all(row.started_at is None for row in rows):
            succession.give_way(ctx, tx, broadcast)
        if (left == {to} or to is ControlState.RELEASED) and broadcast.state is not _BROADCAST[to]:
            broadcasts.move(tx, broadcast, _BROADCAST[to])
        broadcasts.note_act(
            tx, verb, now, person_id=actor.id, broadcast_id=broadcast.id, channel=channel, detail=reason
        )
        return broadcasts.get(tx, broadcast.id)


def _require_promise_ahead(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """What has reached nobody does not begin with a promise that has passed; what has begun goes on."""
    if all(row.started_at is None for row in controls.of(tx, broadcast.id).values()):
        told_promise.require_ahead(ctx, tx, broadcast, ctx.clock.now())


def _require_under_way(broadcast: Broadcast, verb: str) -> None:
    if broadcast.state not in (BroadcastState.RELEASED, BroadcastState.PAUSED):
        raise IllegalTransition(
            f"{broadcast.ref} is {broadcast.state}; it cannot be {verb}.",
            mend=f"dispatcher broadcast show {broadcast.ref}",
        )
