"""Who got it and who did not, row by row, for CSV and JSON."""

import json
from collections.abc import Iterator
from typing import Any

from dispatcher.ledger import broadcasts, controls, recipients
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import broadcast_id
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.states import ControlState, DeliveryState, shown
from dispatcher.people import Right, require
from dispatcher.services.context import Context

COLUMNS = (
    "broadcast", "channel", "recipient", "name", "address", "locale", "state", "reason", "tries", "account",
    "provider_message_id", "attempted_at", "answered_at",
)  # fmt: skip


def rows(ctx: Context, actor: Person, ref: str, *, unreached: bool = False) -> Iterator[dict[str, Any]]:
    """Every delivery of a broadcast, or only those that did not provably reach anybody. Flat in memory."""
    require(actor, Right.EXPORT)
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        states = {channel: ControlState(row.state) for channel, row in controls.of(tx, broadcast.id).items()}
        frozen = {channel for channel, gate in controls.gates(tx).items() if gate.frozen_at is not None}
        numbers = recipients.batch_numbers(tx, broadcast.id, only_unreached=unreached)
    for no in numbers:
        with ctx.ledger.read() as tx:
            page = recipients.page(tx, broadcast.id, no)
        for row in page:
            if not unreached or row.state in recipients.UNREACHED:
                yield _told(broadcast.ref, row, states[row.channel], frozen=row.channel in frozen)


def _told(ref: str, row: Row[Any], control: ControlState, *, frozen: bool) -> dict[str, Any]:
    fields = json.loads(row.fields) if row.fields else {}
    address = {Channel.EMAIL: row.email, Channel.SMS: row.phone}.get(Channel(row.channel), row.own_account)
    started, finished = from_ms(row.started_at), from_ms(row.finished_at)
    values = (
        ref, row.channel, row.rid, fields.get("name", ""), address, row.locale or "",
        shown(DeliveryState(row.state), control, frozen=frozen), row.reason or "", row.tries, row.account or "",
        row.provider_message_id or "", started.isoformat() if started else "", finished.isoformat() if finished else "",
    )  # fmt: skip
    return dict(zip(COLUMNS, values, strict=True))
