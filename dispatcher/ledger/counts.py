"""Sums over batches, never over deliveries: the same cost at a thousand recipients and at a million."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.claims import COUNTERS, STATES
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH


def by_channel(tx: Tx, broadcast_id: int) -> dict[str, Row[Any]]:
    """Per channel: planned, and one number per stored state."""
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTERS)
    rows = tx.all(
        f"SELECT channel, sum(size) AS planned, {sums} FROM batch WHERE broadcast_id = :b GROUP BY channel",
        b=broadcast_id,
    )
    return {row.channel: row for row in rows}


def reasons(tx: Tx, broadcast_id: int, most: int | None = None) -> Sequence[Row[Any]]:
    """Why deliveries were suppressed, failed or are unknown: channel, state, reason, n.

    Reads only batches that have such, and no more than the first `most` of each channel: then some stay unexplained.
    """
    return tx.all(
        "SELECT b.channel, d.state, d.reason, count(*) AS n FROM (SELECT broadcast_id, no, channel,"
        " row_number() OVER (PARTITION BY channel ORDER BY no) AS place FROM batch"
        " WHERE broadcast_id = :b AND (suppressed > 0 OR failed > 0 OR unknown > 0)) b"
        f" {lookups.deliveries(tx)} WHERE (CAST(:most AS INTEGER) IS NULL OR b.place <= :most) AND d.state IN (1, 4, 7)"
        " GROUP BY b.channel, d.state, d.reason ORDER BY b.channel, d.state, count(*) DESC",
        b=broadcast_id, most=most,
    )  # fmt: skip


def wrong_batches(tx: Tx, broadcast_id: int) -> list[tuple[int, str, int, int]]:
    """Recount everything from rows: (batch, counter, stored, counted) wherever they differ."""
    sums = ", ".join(f"sum(CASE state WHEN {int(state)} THEN 1 ELSE 0 END) AS {state.name.lower()}" for state in STATES)
    rows = tx.all(
        f"SELECT b.no, b.size, c.counted, {', '.join(f'b.{n} AS s_{n}, c.{n} AS c_{n}' for n in COUNTERS)} FROM batch b"
        f" LEFT JOIN (SELECT seq / {BATCH} AS no, count(*) AS counted, {sums} FROM delivery WHERE broadcast_id = :b"
        f" GROUP BY seq / {BATCH}) c ON c.no = b.no WHERE b.broadcast_id = :b ORDER BY b.no",
        b=broadcast_id,
    )
    wrong = [(row.no, "size", row.size, row.counted or 0) for row in rows if row.size != (row.counted or 0)]
    for row in rows:
        found = row.as_dict()
        wrong += [
            (row.no, name, found[f"s_{name}"], found[f"c_{name}"] or 0)
            for name in COUNTERS
            if found[f"s_{name}"] != (found[f"c_{name}"] or 0)
        ]
    return wrong


def accepted_over_time(tx: Tx, broadcast_id: int) -> Sequence[Row[Any]]:
    """For the reach curve: channel, second (ms, rounded down), accepted; from attempts, not deliveries."""
    return tx.all(
        "SELECT b.channel, a.finished_at / 1000 * 1000 AS at, sum(a.accepted) AS accepted FROM attempt a"
        " JOIN batch b ON b.broadcast_id = a.broadcast_id AND b.no = a.no"
        " WHERE a.broadcast_id = :b AND a.accepted > 0"
        " GROUP BY b.channel, a.finished_at / 1000 ORDER BY 2",
        b=broadcast_id,
    )
