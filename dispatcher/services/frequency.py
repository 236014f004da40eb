"""Who has been told so much lately that another message is read by nobody: a warning before it goes out."""

from collections.abc import Iterator
from datetime import timedelta

from dispatcher.ledger import measures
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Purpose, Severity
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """Nothing for promotion, which has a limit of its own, nor for life-safety, where a repeat beats a miss."""
    most, days = ctx.settings.dispatch.service_most, ctx.settings.dispatch.service_days
    if not most or broadcast.purpose is Purpose.PROMOTIONAL or broadcast.severity is Severity.LIFE_SAFETY:
        return
    since = to_ms(ctx.clock.now() - timedelta(days=days))
    for channel in broadcast.plan.channels:
        people, top = measures.told_often(tx, broadcast.id, channel, since, most) if channel.counts_people else (0, 0)
        if people:
            what = f"{people:,} of these people had {most} messages or more within {days * 24:g} hours, up to {top}."
            mend = "Say more in one message, or in fewer."
            yield Finding("W-OFTEN", "warning", what, "Who gets too many reads none.", mend, str(channel))
