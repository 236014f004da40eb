"""Deliveries one by one, for people to read: paged by batch, each page its own short transaction."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH

UNREACHED = (1, 2, 0, 4, 7, 8, 9)
"""Stored states of people whom the message has not provably reached."""


def batch_numbers(tx: Tx, broadcast_id: int, *, only_unreached: bool = False) -> list[int]:
    """Batches in order; with `only_unreached` those that hold somebody who was not reached."""
    where = " AND accepted + delivered < size" if only_unreached else ""
    rows = tx.all(f"SELECT no FROM batch WHERE broadcast_id = :b{where} ORDER BY no", b=broadcast_id)
    return [row.no for row in rows]


def reached_in(tx: Tx, broadcast_id: int, no: int) -> list[int]:
    """The people of one batch whom the message has provably reached. Our own accounts, which are 0, are no people."""
    rows = tx.all(
        "SELECT rid FROM delivery WHERE broadcast_id = :b AND seq BETWEEN :lo AND :hi AND state IN (5, 6) AND rid > 0",
        b=broadcast_id, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
    )  # fmt: skip
    return [row.rid for row in rows]


def page(tx: Tx, broadcast_id: int, no: int) -> Sequence[Row[Any]]:
    """Every delivery of one batch with its recipient and last attempt, or the intent for it."""
    return tx.all(
        "SELECT d.seq, d.rid, d.state, d.tries, d.reason, b.channel, b.account AS own_account,"
        " r.email, r.phone, r.locale,"
        " r.fields, coalesce(a.account, i.account) AS account, coalesce(a.started_at, i.started_at) AS started_at,"
        " a.finished_at, a.provider_message_id, a.outcome FROM delivery d"
        " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = :no"
        " JOIN broadcast o ON o.id = d.broadcast_id"
        f" {lookups.recipients(tx, left=True)} {lookups.attempts(tx, left=True)} {lookups.intents(tx)}"
        " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi ORDER BY d.seq",
        b=broadcast_id, no=no, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
    )  # fmt: skip


def of_person(tx: Tx, column: str, address: str, limit: int = 200) -> Sequence[Row[Any]]:
    """Every delivery to one address (`column` is email or phone), the newest first."""
    return tx.all(
        "SELECT d.broadcast_id, d.seq, d.state, d.reason, b.channel FROM recipient r"
        " JOIN broadcast o ON o.audience_version_id = r.version_id"
        " JOIN delivery d ON d.broadcast_id = o.id AND d.rid = r.rid"
        f" JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / {BATCH}"
        f" WHERE r.{column} = :address ORDER BY d.broadcast_id DESC LIMIT :limit",
        address=address, limit=limit,
    )  # fmt: skip
