"""A newer word takes the place of an older one: refused too late, written down at release, taken back by undo."""

from datetime import datetime

from dispatcher.errors import Refused, TooLate
from dispatcher.ledger import broadcasts, superseding, sweeps
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_ref
from dispatcher.model.clock import to_ms
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Profile
from dispatcher.services.context import Context

_PASSING = frozenset({Profile.UPDATE, Profile.CLOSING})


def passing(ctx: Context, tx: Tx) -> frozenset[str]:
    """Templates whose words are void once there is newer news, whatever template tells that.

    The people of every other one must read it even so. One that cannot be read now is what it was when words were last
    frozen from it.
    """
    known = broadcasts.profiles(tx) | ctx.catalogue.profiles()
    return frozenset(one for one, profile in known.items() if profile in _PASSING)


def require_newest(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """Return unless a newer broadcast that makes this one void is out or about to be."""
    superseding.lock(tx, broadcast.id)
    if later := superseding.newer(tx, broadcast.id, passing(ctx, tx)):
        raise Refused(
            f"{broadcast.ref} is older than {broadcast_ref(later[-1])}, which was sent.",
            why="Older news must not come after newer.",
            mend=f"dispatcher broadcast reject {broadcast.ref}, or draft it anew with today's facts.",
            code="E-OLD",
        )


def take_over(ctx: Context, tx: Tx, broadcast: Broadcast, at: datetime) -> None:
    """From `at` on nothing of what this broadcast makes void is handed over. The caller holds the line's lock."""
    now = to_ms(ctx.clock.now())
    for one in superseding.supersede(tx, broadcast.id, to_ms(at), now, passing(ctx, tx)):
        detail = f"by {broadcast.ref} from {at.isoformat(timespec='seconds')}"
        broadcasts.note_act(tx, "superseded", now, door="program", broadcast_id=one, detail=detail)


def give_way(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """This broadcast does not go out after all: what it would have ended goes on."""
    now = to_ms(ctx.clock.now())
    superseding.lock(tx, broadcast.id)
    for one in superseding.lift(tx, broadcast.id, now, passing(ctx, tx)):
        broadcasts.note_act(
            tx, "goes on", now, door="program", broadcast_id=one, detail=f"{broadcast.ref} was taken back"
        )


def require_not_over(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """Return unless a newer broadcast has ended this one."""
    by = superseding.over(tx, broadcast.id, to_ms(ctx.clock.now()))
    if by is not None:
        raise TooLate(
            f"{broadcast.ref} is superseded by {broadcast_ref(by)}.", mend="Draft an update for those it did not reach."
        )


def settle(ctx: Context, now: int) -> None:
    """Broadcasts of which a newer one has ended the rest are stopped."""
    with ctx.ledger.read() as tx:
        over = superseding.ended(tx)
    for row in over:
        with ctx.ledger.write() as tx:
            found = broadcasts.get(tx, row.id, lock=True)
            if found.state not in (BroadcastState.RELEASED, BroadcastState.PAUSED):
                continue
            sweeps.leave_repeats(tx, row.id)
            broadcasts.move(tx, found, BroadcastState.STOPPED)
            broadcasts.note_act(
                tx, "stopped", now, door="program", broadcast_id=row.id, detail=f"superseded by {broadcast_ref(row.by)}"
            )
