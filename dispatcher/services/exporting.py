"""Who got it and who did not, row by row, for CSV and JSON."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from dispatcher.ledger import anomalies, broadcasts, controls, recipients
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH, broadcast_id
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.states import ControlState, DeliveryState, shown
from dispatcher.people import Right, require
from dispatcher.services.context import Context

COLUMNS = (
    "broadcast", "channel", "recipient", "name", "address", "locale", "state", "reason", "tries", "account",
    "provider_message_id", "attempted_at", "answered_at", "possible_repeats",
)  # fmt: skip


class Reached:
    """The people whom a broadcast has provably reached on any channel."""

    def __init__(self, ctx: Context, broadcast: int) -> None:
        self._marks = bytearray()
        with ctx.ledger.read() as tx:
            numbers = recipients.batch_numbers(tx, broadcast)
        for no in numbers:
            with ctx.ledger.read() as tx:
                self._mark(recipients.reached_in(tx, broadcast, no))

    def _mark(self, rids: Sequence[int]) -> None:
        self._marks.extend(bytes(max(0, max(rids, default=0) + 1 - len(self._marks))))
        for rid in rids:
            self._marks[rid] = 1

    def __contains__(self, rid: int) -> bool:
        return rid < len(self._marks) and bool(self._marks[rid])


def rows(ctx: Context, actor: Person, ref: str, *, unreached: bool = False) -> Iterator[dict[str, Any]]:
    """Every delivery of a broadcast, or only those of people whom no channel has provably reached. A byte a person in
    memory, and no more."""
    require(actor, Right.EXPORT)
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        states = {channel: ControlState(row.state) for channel, row in controls.of(tx, broadcast.id).items()}
        frozen = {channel for channel, gate in controls.gates(tx).items() if gate.frozen_at is not None}
        numbers = recipients.batch_numbers(tx, broadcast.id, only_unreached=unreached)
    reached = Reached(ctx, broadcast.id) if unreached else None
    for no in numbers:
        with ctx.ledger.read() as tx:
            page = recipients.page(tx, broadcast.id, no)
            again = anomalies.repeats(tx, broadcast.id, no * BATCH, no * BATCH + BATCH - 1)
        for row in page:
            if reached is None or (row.state in recipients.UNREACHED and row.rid not in reached):
                gate = row.channel in frozen
                yield _told(broadcast.ref, row, states[row.channel], again.get(row.seq, 0), frozen=gate)


def _told(ref: str, row: Row[Any], control: ControlState, again: int, *, frozen: bool) -> dict[str, Any]:
    fields = json.loads(row.fields) if row.fields else {}
    address = {Channel.EMAIL: row.email, Channel.SMS: row.phone}.get(Channel(row.channel), row.own_account)
    started, finished = from_ms(row.started_at), from_ms(row.finished_at)
    values = (
        ref, row.channel, row.rid, fields.get("name", ""), address, row.locale or "",
        shown(DeliveryState(row.state), control, frozen=frozen), row.reason or "", row.tries, row.account or "",
        row.provider_message_id or "", started.isoformat() if started else "", finished.isoformat() if finished else "",
        again,
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
