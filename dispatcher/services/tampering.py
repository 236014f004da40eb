"""A batch that is not what was approved: its channel is stopped and the difference is shown."""

from dispatcher.ledger import anomalies, broadcasts, claims, controls, sweeps
from dispatcher.ledger.claims import Claim
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.services.context import Context

log = get(__name__)
WHY = "The recipients of a batch are not those that were approved."


def stop(ctx: Context, claim: Claim) -> None:
    """Stop this broadcast's channel: nothing of the batch was sent."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        controls.halt(tx, claim.broadcast_id, claim.channel, WHY, now)
        sweeps.leave_repeats(tx, claim.broadcast_id, claim.channel)
        anomalies.add(tx, "tampered batch", f"batch {claim.no}", now, broadcast_id=claim.broadcast_id)
        broadcasts.note_act(
            tx, "stopped", now, door="program", broadcast_id=claim.broadcast_id, channel=claim.channel, detail=WHY
        )
        claims.release(tx, claim, 0, claim.tries)
    log.error("tampered_batch", broadcast=claim.broadcast_id, batch=claim.no)
