"""Answers "did you really send this?" for the short code that every message carries.

It says what was sent, when and by which channels, and never to whom; a code that is not ours looks the same whether it
was mistyped or invented, and nothing lists codes.
"""

from dispatcher.ledger import broadcasts
from dispatcher.model.states import BroadcastState
from dispatcher.reporting.public.publication import Sent
from dispatcher.services import publishing
from dispatcher.services.context import Context
from dispatcher.services.drafting import CODE_LETTERS

LONGEST = 32
SENT = frozenset(
    {
        BroadcastState.RELEASED, BroadcastState.PAUSED, BroadcastState.STOPPED, BroadcastState.EXPIRED,
        BroadcastState.DONE,
    }
)  # fmt: skip


def verify(ctx: Context, typed: str) -> Sent | None:
    """The broadcast behind a code as people type it (any case, spaces and dashes), if it has gone out."""
    code = "".join(char for char in typed.upper()[:LONGEST] if char in CODE_LETTERS)
    if not code:
        return None
    with ctx.ledger.read() as tx:
        found = broadcasts.by_code(tx, code)
    if found is None or found.state not in SENT or found.release_at is None or found.release_at > ctx.clock.now():
        return None
    return publishing.sent(found)
