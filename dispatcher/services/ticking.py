"""The tick: once a second it looks what is due and rings. Any number may run; alone it can finish everything."""

from dispatcher.ledger import broadcasts, controls, events, leases, sweeps
from dispatcher.ledger import signals as ledger_signals
from dispatcher.ledger.engine import Tx
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.services import (
    alarms,
    asking,
    asking_for_yes,
    clockwatch,
    codes,
    hold,
    marketing,
    outward,
    reconciling,
    reminders,
    signals,
    status_tree,
    succession,
    waves,
)
from dispatcher.services.context import Context
from dispatcher.services.dispatch import ensure_accounts, lateness_ms

INBOX_KEPT_MS = 24 * 3600 * 1000

log = get(__name__)


def tick(ctx: Context) -> None:
    """Everything that is due now, each step in a transaction of its own.

    Deliveries come first. What stands around them (`_around`) cannot hold them up: its faults are raised at the end.
    """
    ensure_accounts(ctx)
    if hold.guard(ctx):
        return
    clockwatch.look(ctx)
    now = to_ms(ctx.clock.now())
    break_leases(ctx, now)
    _expire(ctx, now)
    succession.settle(ctx, now)
    waves.run(ctx, now)
    _mark_late(ctx, now)
    _fall_back(ctx, now)
    _finish(ctx, now)
    marketing.pause_running(ctx, now)
    _go_on(ctx, now)
    faults = _around(ctx, now)
    _ring(ctx, now)
    _prune(ctx, now)
    if faults:
        raise ExceptionGroup("not everything around the deliveries could be done", faults)


def _around(ctx: Context, now: int) -> list[Exception]:
    faults = []
    for step in (
        asking_for_yes.pass_on,
        codes.give_back,
        alarms.run,
        reminders.run,
        outward.plan,
        status_tree.publish_if_due,
    ):
        try:
            step(ctx, now)
        except Exception as error:  # noqa: BLE001 - raised by `tick` once the deliveries have had their turn
            faults.append(error)
    return faults


def break_leases(ctx: Context, now: int) -> int:
    """Batches of silent workers come back; what they were handing over is unknown. How many batches."""
    silent_since = now - int(ctx.settings.dispatch.grace_seconds * 1000)
    with ctx.ledger.read() as tx:
        if not leases.any_expired(tx, silent_since):
            return 0
    with ctx.ledger.write() as tx:
        found = leases.expired(tx, silent_since)
        limit = ctx.settings.dispatch.retry.quarantine_after
        lost = sum(leases.break_lease(tx, broadcast, no, now, limit) for broadcast, no in found)
    if found:
        log.warning("leases_broken", batches=len(found), unknown=lost)
    return len(found)


def _expire(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        if not controls.any_expired(tx, now):
            return
    with ctx.ledger.write() as tx:
        for broadcast_id, channel in controls.expire(tx, now):
            sweeps.leave_repeats(tx, broadcast_id, channel)
            broadcasts.note_act(tx, "expired", now, door="program", broadcast_id=broadcast_id, channel=channel)
            found = broadcasts.get(tx, broadcast_id)
            if sweeps.all_expired(tx, broadcast_id) and found.state is not BroadcastState.EXPIRED:
                broadcasts.move(tx, found, BroadcastState.EXPIRED)


def _mark_late(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        if not controls.any_late(tx, now - lateness_ms(ctx)):
            return
    with ctx.ledger.write() as tx:
        for broadcast_id, channel in controls.mark_late(tx, now, now - lateness_ms(ctx)):
            broadcasts.note_act(
                tx, "late: waits for a person", now, door="program", broadcast_id=broadcast_id, channel=channel
            )


def _fall_back(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        waiting = sweeps.fallbacks(tx)
    for control in waiting:
        with ctx.ledger.write() as tx:
            sweeps.release_fallbacks(tx, control, now)


def _finish(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        over = sweeps.finished(tx)
    for broadcast_id in over:
        with ctx.ledger.write() as tx:
            _close(tx, broadcast_id, now)


def _close(tx: Tx, broadcast_id: int, now: int) -> None:
    found = broadcasts.get(tx, broadcast_id, lock=True)
    if broadcast_id not in sweeps.finished(tx):
        return
    controls.move(tx, broadcast_id, ControlState.DONE, now)
    if found.state in (BroadcastState.RELEASED, BroadcastState.PAUSED):
        broadcasts.move(tx, found, BroadcastState.DONE, closed_at=now)
        broadcasts.note_act(tx, "done", now, door="program", broadcast_id=broadcast_id)


def _go_on(ctx: Context, now: int) -> None:
    with ctx.ledger.read() as tx:
        again = sweeps.unfinished(tx)
    for broadcast_id in again:
        with ctx.ledger.write() as tx:
            found = broadcasts.get(tx, broadcast_id, lock=True)
            controls.move(tx, broadcast_id, ControlState.RELEASED, now)
            if found.state is BroadcastState.DONE:
                broadcasts.move(tx, found, BroadcastState.RELEASED, closed_at=None)
                broadcasts.note_act(tx, "goes on", now, door="program", broadcast_id=broadcast_id)


def _ring(ctx: Context, now: int) -> None:
    lease = ctx.settings.dispatch.lease_seconds * 1000
    with ctx.ledger.read() as tx:
        channels = set(controls.due_channels(tx, now, now - lateness_ms(ctx)))
        news = events.anything_new(tx, now, lease) or ledger_signals.anything_new(tx, now)
    channels |= reconciling.due_channels(ctx) | asking.due_channels(ctx)
    for channel in sorted(channels):
        ctx.doorbell.ring(channel)
    if news:
        ctx.doorbell.ring_events()
    if outward.is_due(ctx):
        ctx.doorbell.ring_outward()


def _prune(ctx: Context, now: int) -> None:
    """Once an hour's worth of milliseconds at most: the first second of each."""
    if now // 1000 % 3600:
        return
    with ctx.ledger.write() as tx:
        events.prune(tx, now - INBOX_KEPT_MS)
    signals.prune(ctx)
    outward.prune(ctx, now)
