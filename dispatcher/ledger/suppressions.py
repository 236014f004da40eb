"""Who must not be contacted: by channel, canonical address and scope, with the reason."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row

from dispatcher.ledger.engine import Tx


def add(tx: Tx, rows: Iterable[Sequence[Any]]) -> int:
    """(channel, address, scope, reason, note, source, created_by, created_at); how many were new."""
    return tx.change_each(
        "INSERT INTO suppression (channel, address, scope, reason, note, source, created_by, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        list(rows),
    )


def lift(tx: Tx, channel: str, address: str, *, person_id: int | None, reason: str, now: int) -> int:
    """End every active suppression of an address on a channel, keeping the record; how many."""
    return tx.change(
        "UPDATE suppression SET removed_at = :now, removed_by = :person, removed_reason = :reason"
        " WHERE channel = :channel AND address = :address AND removed_at IS NULL",
        now=now, person=person_id, reason=reason, channel=channel, address=address,
    )  # fmt: skip


def active(tx: Tx, *, after_id: int = 0, limit: int = 1000) -> Sequence[Row[Any]]:
    """Active ones in order of id, a page at a time."""
    return tx.all(
        "SELECT * FROM suppression WHERE removed_at IS NULL AND id > :after ORDER BY id LIMIT :limit",
        after=after_id, limit=limit,
    )  # fmt: skip


def count(tx: Tx) -> dict[tuple[str, str], int]:
    """Active ones by channel and reason."""
    rows = tx.all(
        "SELECT channel, reason, count(*) AS n FROM suppression WHERE removed_at IS NULL GROUP BY channel, reason"
    )
    return {(row.channel, row.reason): row.n for row in rows}
