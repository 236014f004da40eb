"""What did not fit and must be seen by a person."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row


def add(
    tx: Tx,
    kind: str,
    detail: str,
    at: int,
    *,
    account: str | None = None,
    broadcast_id: int | None = None,
    seq: int | None = None,
) -> None:
    """Keep one. `detail` holds no address."""
    tx.change(
        "INSERT INTO anomaly (at, kind, account, broadcast_id, seq, detail)"
        " VALUES (:at, :kind, :account, :b, :seq, :detail)",
        at=at, kind=kind, account=account, b=broadcast_id, seq=seq, detail=detail,
    )  # fmt: skip


def of_broadcast(tx: Tx, broadcast_id: int) -> Sequence[Row[Any]]:
    """Open ones of a broadcast, counted by kind: kind, n, latest."""
    return tx.all(
        "SELECT kind, count(*) AS n, max(at) AS latest FROM anomaly WHERE broadcast_id = :b AND settled_at IS NULL"
        " GROUP BY kind ORDER BY kind",
        b=broadcast_id,
    )  # fmt: skip


def repeats(tx: Tx, broadcast_id: int, first: int, last: int) -> dict[int, int]:
    """Of deliveries `first`..`last`, those that may have come more than once: seq to how often they went again."""
    rows = tx.all(
        "SELECT seq, count(*) AS n FROM anomaly WHERE broadcast_id = :b AND settled_at IS NULL"
        " AND kind = 'possible repeat' AND seq BETWEEN :lo AND :hi GROUP BY seq",
        b=broadcast_id, lo=first, hi=last,
    )  # fmt: skip
    return {row.seq: row.n for row in rows}
