"""The release itself, the same for a person's send and for a wave whose turn has come."""

from datetime import datetime, timedelta

from dispatcher.ledger import broadcasts, controls
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.services import succession
from dispatcher.services.context import Context


def release(ctx: Context, tx: Tx, broadcast: Broadcast, at: datetime) -> Broadcast:
    """Let it go at `at`, and end what it makes void. The caller has checked everything and holds the locks."""
    now, due = to_ms(ctx.clock.now()), to_ms(at)
    until = to_ms(at + timedelta(seconds=broadcast.plan.expires_after))
    controls.move(tx, broadcast.id, ControlState.RELEASED, now, release_at=due, expires_at=until)
    broadcasts.move(tx, broadcast, BroadcastState.RELEASED, release_at=due, expires_at=until)
    succession.take_over(ctx, tx, broadcast, at)
    return broadcasts.get(tx, broadcast.id)


def has_begun(tx: Tx, broadcast: Broadcast, now: int) -> bool:
    """Whether its undo window is over, or something of it was handed over."""
    rows = controls.of(tx, broadcast.id).values()
    return any(row.started_at is not None or row.release_at is None or row.release_at <= now for row in rows)


def take_back(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """It is approved and not sent. The caller holds its lock and knows that nothing of it has begun."""
    now = to_ms(ctx.clock.now())
    controls.move(tx, broadcast.id, ControlState.PLANNED, now, release_at=None, expires_at=None)
    broadcasts.move(tx, broadcast, BroadcastState.APPROVED, release_at=None, expires_at=None)
    succession.give_way(ctx, tx, broadcast)


def ring_what_is_due(ctx: Context, broadcast: Broadcast, now: datetime) -> None:
    """Ring at once what is due at once; the tick rings the rest."""
    if broadcast.release_at is not None and to_ms(broadcast.release_at) <= to_ms(now):
        for channel in broadcast.plan.channels:
            ctx.doorbell.ring(channel)
