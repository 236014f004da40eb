"""The tasks. Each looks at the ledger, does what is due for about two seconds, and rings again for the rest."""

from dispatcher.doorbell import APPLY_EVENTS, DRAIN, TELL_OUTWARD, TICK
from dispatcher.services import dispatch, events, outward, signals, ticking
from workers.app import app, here
from workers.schedule import SECONDS

TURNS = 5
"""So many times `dispatch.drain_seconds` a drain goes on. Then what stands around it has its turn: what is unknown is
settled, and the silent are asked after."""


@app.task(name=DRAIN)
def drain(channel: str) -> None:
    """Claim and hand over the due batches of one channel, or go on with it."""
    child = here()
    child.make_way(channel)
    turn, over, seconds = child.turn(channel), child.drain.is_over, TURNS * child.ctx.settings.dispatch.drain_seconds
    drained = child.drain.attend(
        channel, turn, lambda: dispatch.drain(child.ctx, channel, seconds=seconds, stopping=over)
    )
    if drained is None or drained.more or turn.gave_way:
        child.ctx.doorbell.ring(channel)


@app.task(name=APPLY_EVENTS)
def apply_events() -> None:
    """Apply the provider events and the signals that were stored."""
    child = here()
    ctx = child.ctx
    # a drain's calls would die with the worker, and somebody innocent be blamed
    more = events.apply(ctx, make_way=lambda: child.make_way(""))
    if any([more, signals.apply(ctx)]):
        ctx.doorbell.ring_events()


@app.task(name=TELL_OUTWARD)
def tell_outward() -> None:
    """Deliver notices to our own systems."""
    child = here()
    if child.loop.run(outward.deliver(child.ctx)):
        child.ctx.doorbell.ring_outward()


@app.task(name=TICK)
def tick() -> None:
    """Ring what is due: releases, retries, expired leases, reminders."""
    child = here()
    now = child.ctx.clock.monotonic()
    if now - child.ticked_at >= SECONDS / 2:
        child.ticked_at = now
        ticking.tick(child.ctx)
