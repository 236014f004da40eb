"""What our own people must hear about a broadcast of ours, once for each occasion."""

from collections.abc import Iterable

from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.person import Person
from dispatcher.services import hold, staff
from dispatcher.services.context import Context


def prepare(ctx: Context) -> None:
    """To be called before a transaction that tells: a notice is released in it, and the anchor must stand before that,
    else the ledger would look like a lost copy of one that has sent."""
    hold.guard(ctx)


def tell(
    ctx: Context, tx: Tx, people: Iterable[Person], broadcast: Broadcast, occasion: str, subject: str, text: str
) -> None:
    """A notice to each of these people, in the transaction of what caused it; the tick carries it on."""
    notice = staff.Notice(
        subject=subject,
        text=text,
        key=f"{occasion}:{broadcast.id}:{(broadcast.digest or '')[:16]}",
        severity=broadcast.severity,
        mode=broadcast.mode,
        incident_id=broadcast.incident_id,
    )
    staff.tell_in(tx, ctx, people, notice)
