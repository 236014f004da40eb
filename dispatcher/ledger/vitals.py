"""Figures of the whole ledger for whoever watches it: sums over batches of broadcasts that are not closed."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.claims import COUNTERS
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row


def broadcasts_by_state(tx: Tx) -> dict[str, int]:
    """How many broadcasts are in each state."""
    return {row.state: row.n for row in tx.all("SELECT state, count(*) AS n FROM broadcast GROUP BY state")}


def open_channels(tx: Tx) -> Sequence[Row[Any]]:
    """One row per channel, control state and freeze of unclosed broadcasts: channel, state, frozen, every counter."""
    sums = ", ".join(f"sum(b.{name}) AS {name}" for name in COUNTERS)
    return tx.all(
        f"SELECT c.channel, c.state AS control, CASE WHEN g.frozen_at IS NULL THEN 0 ELSE 1 END AS frozen, {sums}"
        " FROM broadcast o JOIN control c ON c.broadcast_id = o.id JOIN channel_gate g ON g.channel = c.channel"
        " JOIN batch b ON b.broadcast_id = c.broadcast_id AND b.channel = c.channel"
        " WHERE o.closed_at IS NULL GROUP BY 1, 2, 3"
    )


def due(tx: Tx, now: int, latest: int) -> Sequence[Row[Any]]:
    """Batches that could be claimed now, per channel: channel, n, since (ms, of the one that waits longest)."""
    return tx.all(
        "SELECT c.channel, count(*) AS n, min(CASE WHEN b.due_at > c.release_at THEN b.due_at ELSE c.release_at END)"
        " AS since FROM control c JOIN channel_gate g ON g.channel = c.channel"
        " JOIN batch b ON b.broadcast_id = c.broadcast_id AND b.channel = c.channel"
        " WHERE c.state = 'released' AND c.release_at <= :now AND c.expires_at > :now AND g.frozen_at IS NULL"
        " AND (c.started_at IS NOT NULL OR c.release_at >= :latest)"
        " AND b.waiting > 0 AND b.owner IS NULL AND b.due_at <= :now GROUP BY c.channel",
        now=now, latest=latest,
    )  # fmt: skip


def posts_waiting(tx: Tx) -> Row[Any]:
    """Stored posts that are not applied yet: n, since (ms; None without any)."""
    found = tx.one("SELECT count(*) AS n, min(received_at) AS since FROM inbox WHERE state = 0")
    assert found is not None
    return found
