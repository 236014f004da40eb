"""Asks after messages that a vendor took on and of which no event came: callbacks can be lost.

Each is asked after at the ages that `dispatch.ask_after_seconds` names, then no more. What the vendor says is taken
as the event that was lost, so an event that comes after all changes nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.ledger import asking
from dispatcher.ledger.rows import Row
from dispatcher.model.clock import to_ms
from dispatcher.model.event import Event
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, OutcomeUnknown
from dispatcher.provider import TellsFates
from dispatcher.services import events, reconciling
from dispatcher.services.context import Context
from dispatcher.services.envelopes import key_of

ROWS = 40
AT_ONCE = 8
PAUSE_MS = 20_000
"""Between two looks that found nothing, or that a vendor did not answer."""
TURN_MS = 5_000
"""So long one worker has the turn."""


def due_channels(ctx: Context) -> set[str]:
    """Channels on which somebody shall ask now."""
    return {str(channel) for channel in Channel if _can_tell(ctx, channel) and _is_due(ctx, channel)}


async def ask(ctx: Context, channel: Channel, stopping: Callable[[], bool] = lambda: False) -> int:
    """Ask after up to ROWS silent deliveries for each age, if it is time and nobody else does; how many were."""
    if stopping() or not _can_tell(ctx, channel) or not _take_turn(ctx, channel):
        return 0
    full, done = False, 0
    for step in ctx.settings.dispatch.ask_after_seconds:
        with ctx.ledger.read() as tx:
            rows = asking.silent(tx, channel, step, to_ms(ctx.clock.now()), ROWS)
        answered = await _ask_all(ctx, channel, step, rows, stopping)
        done += answered
        full = full or answered == ROWS
    if not full and not stopping():
        with ctx.ledger.write() as tx:
            asking.look_again(tx, channel, to_ms(ctx.clock.now()) + PAUSE_MS)
    return done


def _can_tell(ctx: Context, channel: Channel) -> bool:
    return any(isinstance(account.provider, TellsFates) for account in ctx.on(channel))


def _is_due(ctx: Context, channel: Channel) -> bool:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        if asking.next_at(tx, channel) > now:
            return False
        steps = ctx.settings.dispatch.ask_after_seconds
        if any(asking.silent(tx, channel, step, now, 1) for step in steps):
            return True
    with ctx.ledger.write() as tx:
        asking.look_again(tx, channel, now + PAUSE_MS)
    return False


def _take_turn(ctx: Context, channel: Channel) -> bool:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        if asking.next_at(tx, channel) > now:
            return False
    with ctx.ledger.write() as tx:
        asking.look_again(tx, channel, now + TURN_MS)
    return True


async def _ask_all(
    ctx: Context, channel: Channel, step: int, rows: Sequence[Row[Any]], stopping: Callable[[], bool]
) -> int:
    """Ask in order, some at a time; stops where the vendor did not answer. How many were dealt with."""
    for start in range(0, len(rows), AT_ONCE):
        if stopping():
            return start
        some = rows[start : start + AT_ONCE]
        found = await asyncio.gather(*(_fate(ctx, channel, row) for row in some))
        answered = next((n for n, told in enumerate(found) if told is None), len(some))
        events.take(ctx, [event for told in found[:answered] for event in told or ()])
        if answered:
            with ctx.ledger.write() as tx:
                asking.asked(tx, channel, step, some[answered - 1])
        if answered < len(some):
            return start + answered
    return len(rows)


async def _fate(ctx: Context, channel: Channel, row: Row[Any]) -> Sequence[Event] | None:
    """None: the vendor did not answer. An account that is gone or cannot tell has nothing to say.

    A message of which only an event told us has no id here; it is looked up first.
    """
    account = ctx.accounts.get(row.account)
    if account is None or not isinstance(account.provider, TellsFates):
        return ()
    message = row.provider_message_id
    if message is None:
        found = await reconciling.look_up(ctx, channel, row)
        if not isinstance(found, Accepted):
            return None if isinstance(found, OutcomeUnknown) else ()
        message = found.provider_message_id
    key = key_of(ctx.ledger_id, row.broadcast_id, row.seq)
    return await account.provider.fate(message, key, row.tries)
