"""Deliveries that a vendor took on and has said nothing of since, and how far we have asked after them."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import meta
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

OLDEST_MS = 10 * 24 * 3600 * 1000
"""Broadcasts that began earlier than this are asked after no more."""


def silent(tx: Tx, channel: str, step: int, now: int, limit: int) -> Sequence[Row[Any]]:
    """Accepted deliveries whose answer is `step` seconds old and about which this step has not asked yet, in order:
    id, account, part, provider_message_id, started_at and finished_at of the attempt, and what a look-up needs."""
    at, last = _cursor(tx, channel, step)
    return tx.all(
        "SELECT d.broadcast_id, d.seq, d.tries, a.id, a.account, a.part, a.provider_message_id, a.started_at,"
        " a.finished_at, b.no, b.rendition_id FROM control c"
        " JOIN batch b ON b.broadcast_id = c.broadcast_id AND b.channel = c.channel"
        " JOIN attempt a ON a.broadcast_id = b.broadcast_id AND a.no = b.no"
        f" {tx.beside('delivery', 'd', 'd.broadcast_id = b.broadcast_id AND d.seq = a.first_seq')}"
        " WHERE c.channel = :channel AND c.started_at > :oldest AND b.accepted > 0 AND d.state = 5 AND a.size = 1"
        " AND d.attempt_id = a.id"
        " AND a.finished_at <= :until"
        " AND (a.finished_at > :at OR (a.finished_at = :at AND a.id > :last)) ORDER BY a.finished_at, a.id LIMIT :n",
        channel=channel, oldest=now - OLDEST_MS, until=now - step * 1000, at=at, last=last, n=limit,
    )  # fmt: skip


def asked(tx: Tx, channel: str, step: int, row: Row[Any]) -> None:
    """This step has asked after everything up to this row."""
    meta.put(tx, f"asked/{channel}/{step}", f"{row.finished_at}:{row.id}")


def next_at(tx: Tx, channel: str) -> int:
    """When somebody shall look again (ms)."""
    return int(meta.get(tx, f"asked/{channel}") or 0)


def look_again(tx: Tx, channel: str, at: int) -> None:
    """Not before this instant (ms)."""
    meta.put(tx, f"asked/{channel}", str(at))


def _cursor(tx: Tx, channel: str, step: int) -> tuple[int, int]:
    at, _, last = (meta.get(tx, f"asked/{channel}/{step}") or "0:0").partition(":")
    return int(at), int(last)
