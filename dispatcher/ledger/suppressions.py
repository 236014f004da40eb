"""Addresses that must not be contacted, with reason and scope. Rows are ended, never deleted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Line, Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel

SCOPES = ("all", "promotional")
"""`all` holds for every purpose; `promotional` leaves service messages allowed."""

_COLUMNS = "id, channel, address, scope, reason, note, source, created_by, created_at, removed_at, removed_reason"


@dataclass(frozen=True, slots=True)
class Suppression:
    """`address` is canonical; `source` says by which door it came (person, import, an account's name)."""

    id: int
    channel: Channel
    address: str
    scope: str
    reason: str
    note: str
    source: str
    created_by: int | None
    created_at: datetime | None
    removed_at: datetime | None = None
    removed_reason: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A suppression to be made."""

    channel: Channel
    address: str
    scope: str
    reason: str
    note: str = ""


def add(tx: Tx, wanted: Sequence[Wanted], *, source: str, by: int | None, now: int) -> int:
    """Suppress addresses; those that are suppressed already stay as they are. How many are new."""
    columns = {"channel": "text", "address": "text", "scope": "text", "reason": "text", "note": "text"}
    return tx.change(
        "INSERT INTO suppression (channel, address, scope, reason, note, source, created_by, created_at)"
        " SELECT x.channel, x.address, x.scope, x.reason, x.note, :source, CAST(:by AS BIGINT), CAST(:now AS BIGINT)"
        f" FROM {tx.rows_of(columns)} x WHERE true ON CONFLICT DO NOTHING",
        source=source, by=by, now=now,
        rows=tx.pack((one.channel, one.address, one.scope, one.reason, one.note) for one in wanted),
    )  # fmt: skip


def remove(
    tx: Tx, channel: Channel, address: str, scope: str | None, *, reason: str, by: int | None, now: int
) -> list[Suppression]:
    """End what holds for an address, in one scope or all of them; what was ended."""
    ended = tx.all(
        "UPDATE suppression SET removed_at = :now, removed_by = :by, removed_reason = :reason"
        " WHERE channel = :channel AND address = :address AND removed_at IS NULL"
        f" AND (CAST(:scope AS TEXT) IS NULL OR scope = :scope) RETURNING {_COLUMNS}",
        channel=channel, address=address, scope=scope, reason=reason, by=by, now=now,
    )  # fmt: skip
    return [_suppression(row) for row in ended]


def of_address(tx: Tx, channel: Channel, address: str) -> list[Suppression]:
    """Everything ever recorded about an address, the newest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM suppression WHERE channel = :channel AND address = :address ORDER BY id DESC",
        channel=channel, address=address,
    )  # fmt: skip
    return [_suppression(row) for row in rows]


def page(tx: Tx, *, channel: Channel | None = None, after: int = 0, limit: int = 100) -> list[Suppression]:
    """Those that hold, in the order in which they came, after an id."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM suppression WHERE removed_at IS NULL AND id > :after"
        " AND (CAST(:channel AS TEXT) IS NULL OR channel = :channel) ORDER BY id LIMIT :limit",
        channel=channel, after=after, limit=limit,
    )  # fmt: skip
    return [_suppression(row) for row in rows]


def counts(tx: Tx) -> dict[tuple[str, str, str], int]:
    """How many hold, by channel, scope and reason."""
    rows = tx.all(
        "SELECT channel, scope, reason, count(*) AS n FROM suppression WHERE removed_at IS NULL"
        " GROUP BY channel, scope, reason ORDER BY channel, scope, reason"
    )
    return {(row.channel, row.scope, row.reason): row.n for row in rows}


def of_deliveries(tx: Tx, broadcast_id: int, state: int) -> set[int]:
    """Deliveries of a broadcast in this state whose address has asked for no more, or bounced for good: their seqs."""
    address = "CASE b.channel WHEN 'email' THEN r.email ELSE r.phone END"
    rows = tx.all(
        "SELECT DISTINCT d.seq FROM delivery d"
        f" JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / {BATCH}"
        " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
        " JOIN broadcast o ON o.id = d.broadcast_id"
        f" {lookups.recipients(tx)}"
        f" JOIN suppression s ON s.channel = b.channel AND s.address = {address}"
        " AND s.removed_at IS NULL AND (s.scope = 'all' OR s.scope = c.scope)"
        " WHERE d.broadcast_id = :b AND d.state = :state",
        b=broadcast_id, state=state,
    )  # fmt: skip
    return {row.seq for row in rows}


def among(line: Line, channel: Channel, scope: str, addresses: Sequence[str]) -> Callable[[], dict[str, str]]:
    """Those of the addresses that get nothing of this scope, and why: read anew before each intent."""
    tx = line.tx
    rows = line.all(
        f"SELECT s.address, s.reason FROM {tx.words} {tx.beside('suppression', 's', _HOLDS)}"
        " WHERE s.scope IN ('all', :scope)",
        words=tx.pack_words(addresses), channel=channel, scope=scope,
    )  # fmt: skip
    return lambda: {row.address: row.reason for row in rows()}


_HOLDS = "s.channel = :channel AND s.address = x.word AND s.removed_at IS NULL"

_PROVED = {"b": "int", "seq": "int", "reason": "text", "heard_at": "int"}


def suppress_addresses(tx: Tx, proved: Sequence[tuple[int, int, str, int]], source: str, now: int) -> None:
    """Write the addresses of deliveries (broadcast_id, seq, reason, heard_at) as suppressed.

    One already there stays as it is. One that a person lifted for the same reason after this was heard (ms) stays
    lifted; what else was heard nobody has judged yet.
    """
    tx.change(
        "INSERT INTO suppression (channel, address, scope, reason, source, created_at)"
        " SELECT DISTINCT b.channel, CASE b.channel WHEN 'email' THEN r.email ELSE r.phone END,"
        " CASE x.reason WHEN 'unsubscribed' THEN 'promotional' ELSE 'all' END, x.reason, :source, :now"
        f" FROM {tx.looked_up(_PROVED, 'delivery', 'd.broadcast_id = x.b AND d.seq = x.seq')}"
        f" JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / {BATCH}"
        " JOIN broadcast o ON o.id = d.broadcast_id"
        f" {lookups.recipients(tx)}"
        " WHERE b.channel IN ('email', 'sms') AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.channel = b.channel"
        " AND s.address = CASE b.channel WHEN 'email' THEN r.email ELSE r.phone END AND s.reason = x.reason"
        " AND s.removed_at > x.heard_at AND s.removed_at <= :now)"
        " ON CONFLICT DO NOTHING",
        source=source, now=now, rows=tx.pack(proved),
    )  # fmt: skip


def _suppression(row: Row[Any]) -> Suppression:
    return Suppression(
        id=row.id,
        channel=Channel(row.channel),
        address=row.address,
        scope=row.scope,
        reason=row.reason,
        note=row.note,
        source=row.source,
        created_by=row.created_by,
        created_at=from_ms(row.created_at),
        removed_at=from_ms(row.removed_at),
        removed_reason=row.removed_reason or "",
    )
