"""Settles what is unknown: by the vendor's own word after the settle time, else by the policy that was approved.

A look-up before the settle time proves nothing (the call may still be under way, the vendor's list may lag), and a
wall clock that has just stepped does not say how much time has passed (`clockwatch`). At most once leaves a delivery
listed; at least once sends it again and says so.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.ledger import anomalies, attempts, broadcasts, claims, copies, sweeps
from dispatcher.ledger import codes as code_rows
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted, Outcome, OutcomeUnknown, Rejected
from dispatcher.model.states import DeliveryState
from dispatcher.provider import AnswersQueries
from dispatcher.services import clockwatch, codes
from dispatcher.services.context import Context
from dispatcher.services.envelopes import Sealer
from dispatcher.services.outcomes import state_after

ROWS = 100
AT_ONCE = 8
PATIENCE = 4
"""Settle times after which a vendor that cannot be asked is asked no longer, and the policy decides."""
LEFT = "left by policy: told at most once"

log = get(__name__)


def due_channels(ctx: Context) -> set[str]:
    """Channels with unknown deliveries whose settle time is over."""
    return {str(channel) for channel in Channel if _due(ctx, channel, 1)}


async def settle(ctx: Context, channel: Channel, stopping: Callable[[], bool] = lambda: False) -> int:
    """Ask about, or decide, up to ROWS unknown deliveries of a channel, or until `stopping`; how many were dealt with.

    Some at a time. Of whom the vendor cannot say now, which is not the same as having no trace, it is asked again
    later, and they hold up nobody else; a vendor that answers about none of them is left alone.
    """
    clockwatch.look(ctx)
    rows, done = _due(ctx, channel, ROWS), 0
    for start in range(0, len(rows), AT_ONCE):
        if stopping():
            break
        some = rows[start : start + AT_ONCE]
        answers = await asyncio.gather(*(look_up(ctx, channel, row) for row in some))
        told = [(row, answer) for row, answer in zip(some, answers, strict=True) if _says(ctx, channel, row, answer)]
        for row, answer in told:
            _decide(ctx, row, answer)
        if not told:
            break
        done += len(told)
    return done


def _says(ctx: Context, channel: Channel, row: Row[Any], answer: Outcome | None) -> bool:
    return not isinstance(answer, OutcomeUnknown) or _overdue(ctx, channel, row)


def _overdue(ctx: Context, channel: Channel, row: Row[Any]) -> bool:
    waited = to_ms(ctx.clock.now()) - row.started_at
    return bool(waited > PATIENCE * ctx.settings.dispatch.settle_seconds[channel] * 1000)


def _due(ctx: Context, channel: Channel, limit: int) -> Sequence[Row[Any]]:
    settle_ms = ctx.settings.dispatch.settle_seconds[channel] * 1000
    before = to_ms(ctx.clock.now()) - settle_ms
    with ctx.ledger.read() as tx:
        rows = sweeps.unknown_due(tx, channel, before, limit)
        return () if rows and clockwatch.forbids(ctx, tx, settle_ms) else rows


async def look_up(ctx: Context, channel: Channel, row: Row[Any]) -> Outcome | None:
    """The vendor's word about one delivery; None if it has no trace of it or cannot be asked."""
    account = ctx.accounts.get(row.account)
    if account is None or not isinstance(account.provider, AnswersQueries):
        return None
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, row.broadcast_id)
        rendition = broadcasts.rendition(tx, row.rendition_id)
        proved = attempts.accepted_parts(tx, row.broadcast_id, row.no)
        with tx.together() as line:
            batch = claims.rows(line, row.broadcast_id, row.no, broadcast.audience_version_id, channel)
            bound = code_rows.of_batch(line, row.broadcast_id, row.no)
        mine = codes.filled([one for one in batch() if one.seq == row.seq], bound())
    sealer = Sealer(ctx.ledger_id, row.broadcast_id, broadcast.purpose)
    envelope = sealer.seal(mine, row.part, proved.get(row.part - 1), [row.tries])[0]
    return await account.provider.lookup(rendition, envelope, since=from_ms(row.started_at))


def _decide(ctx: Context, row: Row[Any], answer: Outcome | None) -> None:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        if not sweeps.still_unknown(tx, row):
            return  # somebody else has settled it meanwhile, or an event has
        if isinstance(answer, Accepted):
            more = row.part < len(broadcasts.rendition(tx, row.rendition_id).posts)
            state = state_after(answer, more_parts=more)
            attempts.prove_attempt(tx, row.broadcast_id, row.no, row.attempt_id, answer.provider_message_id)
            _settle(tx, row, state, None)
        elif isinstance(answer, Rejected):
            _settle(tx, row, DeliveryState.FAILED, answer.reason)
        elif row.policy == Policy.AT_LEAST_ONCE and row.control == "released" and row.expires_at > now:
            copies.send_again(tx, row.broadcast_id, [row.seq], DeliveryState.UNKNOWN, sweeps.LOST)
            anomalies.add(
                tx, "possible repeat", sweeps.LOST, now, account=row.account, broadcast_id=row.broadcast_id, seq=row.seq
            )
        else:
            sweeps.explain_rows(tx, row.broadcast_id, [row.seq], LEFT)


def _settle(tx: Tx, row: Row[Any], to: DeliveryState, reason: str | None) -> None:
    sweeps.settle_rows(tx, row.broadcast_id, [row.seq], DeliveryState.UNKNOWN, to, reason)
