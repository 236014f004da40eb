"""Since when something waits or is unknown, and when it is looked at next: read from batches that have any."""

from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row


def unknown(tx: Tx, broadcast_id: int, channel: str) -> Row[Any] | None:
    """Unknown deliveries of a channel: since, latest (ms of their attempts), left (by policy), requests, accounts."""
    return tx.one(
        "SELECT min(a.started_at) AS since, max(a.started_at) AS latest, count(DISTINCT a.id) AS requests,"
        " sum(CASE WHEN d.reason LIKE 'left by policy%' THEN 1 ELSE 0 END) AS left_alone FROM batch b"
        f" {lookups.deliveries(tx)} {lookups.attempts(tx)}"
        " WHERE b.broadcast_id = :b AND b.channel = :channel AND b.unknown > 0 AND d.state = 4",
        b=broadcast_id, channel=channel,
    )  # fmt: skip


def accounts_of_unknown(tx: Tx, broadcast_id: int, channel: str) -> list[str]:
    """Through which accounts the unknown deliveries of a channel were handed over."""
    rows = tx.all(
        f"SELECT DISTINCT a.account FROM batch b {lookups.deliveries(tx)} {lookups.attempts(tx)}"
        " WHERE b.broadcast_id = :b AND b.channel = :channel AND b.unknown > 0 AND d.state = 4 ORDER BY a.account",
        b=broadcast_id, channel=channel,
    )  # fmt: skip
    return [row.account for row in rows]


def neighbours(tx: Tx, broadcast_id: int, channel: str, since: int, latest: int) -> tuple[int, int]:
    """Deliveries handed over within ten minutes of the unknown ones, and how many of them the vendor spoke about."""
    row = tx.one(
        "SELECT sum(b.accepted + b.delivered + b.failed) AS answered, sum(b.delivered + b.failed) AS spoken"
        " FROM batch b"
        " WHERE b.broadcast_id = :b AND b.channel = :channel AND EXISTS (SELECT 1 FROM attempt a"
        " WHERE a.broadcast_id = b.broadcast_id AND a.no = b.no AND a.started_at BETWEEN :from_ AND :to_)",
        b=broadcast_id, channel=channel, from_=since - 600_000, to_=latest + 600_000,
    )  # fmt: skip
    return (int(row.answered or 0), int(row.spoken or 0)) if row is not None else (0, 0)


def pending(tx: Tx, broadcast_id: int, channel: str) -> Row[Any] | None:
    """Batches that wait: next_due (ms; 0 is now), tries (the most vain rounds), held_by (workers at it)."""
    return tx.one(
        "SELECT min(CASE WHEN owner IS NULL THEN due_at END) AS next_due, max(tries) AS tries, count(owner) AS held_by"
        " FROM batch WHERE broadcast_id = :b AND channel = :channel AND waiting > 0",
        b=broadcast_id, channel=channel,
    )  # fmt: skip
