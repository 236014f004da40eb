"""Answers "did you really send this?" for the short code that every message carries.

It says what was sent, when and by which channels, and never to whom; a code that is not ours looks the same whether it
was mistyped or invented, and nothing lists codes.
"""

from dataclasses import dataclass
from datetime import datetime

from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Mode
from dispatcher.model.states import BroadcastState
from dispatcher.services.context import Context
from dispatcher.services.drafting import CODE_LETTERS

LONGEST = 32
SENT = frozenset(
    {
        BroadcastState.RELEASED, BroadcastState.PAUSED, BroadcastState.STOPPED, BroadcastState.EXPIRED,
        BroadcastState.DONE,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verified:
    """What may be said about a message of ours. `drill`: it was an exercise."""

    title: str
    sent_at: datetime
    channels: tuple[str, ...]
    drill: bool
    stopped: bool


def verify(ctx: Context, typed: str) -> Verified | None:
    """The broadcast behind a code as people type it (any case, spaces and dashes), if it has gone out."""
    code = "".join(char for char in typed.upper()[:LONGEST] if char in CODE_LETTERS)
    if not code:
        return None
    with ctx.ledger.read() as tx:
        found = broadcasts.by_code(tx, code)
    if found is None or found.state not in SENT or found.release_at is None or found.release_at > ctx.clock.now():
        return None
    channels = tuple(str(channel) for channel in found.plan.channels)
    return Verified(
        found.title, found.release_at, channels, found.mode is Mode.DRILL, found.state is BroadcastState.STOPPED
    )
