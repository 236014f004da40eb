"""How an order of release reads: its waves, and how many people go with its lead. Nothing here changes anything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.ledger import broadcasts, waves
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast, broadcast_id, broadcast_ref
from dispatcher.model.clock import from_ms
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Wave:
    """One step. `ref` is empty for a person's own work, as publishing a page is. `state`: planned, waiting, open, out
    or skipped."""

    no: int
    name: str
    ref: str
    state: str
    reason: str = ""
    opened_at: datetime | None = None
    out_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def listing(ctx: Context, ref: str) -> tuple[str, list[Wave]]:
    """The lead's ref and its waves, by the ref of any of them."""
    with ctx.ledger.read() as tx:
        found = broadcasts.get(tx, broadcast_id(ref))
        place = waves.place(tx, found.id)
        lead = place.lead_id if place is not None else found.id
        return broadcast_ref(lead), told_of(tx, lead)


def order_of(tx: Tx, broadcast: Broadcast) -> tuple[list[Wave], int]:
    """The waves in which this broadcast goes, and how many people its send releases to."""
    place = waves.place(tx, broadcast.id)
    return (told_of(tx, place.lead_id) if place is not None else []), people(tx, broadcast)


def people(tx: Tx, lead: Broadcast) -> int:
    """The size that is confirmed when the lead is sent: over all its waves."""
    others = [broadcasts.get(tx, one) for one in waves.members(tx, lead.id)]
    return (lead.audience_size or 0) + sum(one.audience_size or 0 for one in others)


def told_of(tx: Tx, lead_id: int) -> list[Wave]:
    """The waves of a lead, in order."""
    return [
        Wave(r.no, r.name, ref_of(r), r.state, r.reason, from_ms(r.opened_at), from_ms(r.out_at))
        for r in waves.of(tx, lead_id)
    ]


def ref_of(row: Row[Any]) -> str:
    """The broadcast of a wave; empty for a person's own work."""
    return broadcast_ref(row.broadcast_id) if row.broadcast_id is not None else ""
