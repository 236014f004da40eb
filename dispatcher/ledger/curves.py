"""What a report draws: how many got how far after how long, and how many people were reached at all.

Instants are put into steps, so that a curve has at most about a thousand points whatever the size of the broadcast.
"""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

_POINTS = 1000


def accepted(tx: Tx, broadcast_id: int, since: int) -> Sequence[Row[Any]]:
    """channel, wait (ms after `since`), n: from attempts, so by request and not by delivery.

    Of a thread the first part counts: it stands alone.
    """
    last = tx.scalar("SELECT max(finished_at) FROM attempt WHERE broadcast_id = :b AND accepted > 0", b=broadcast_id)
    return tx.all(
        "SELECT b.channel, (a.finished_at - :since) / :step * :step AS wait, sum(a.accepted) AS n FROM attempt a"
        " JOIN batch b ON b.broadcast_id = a.broadcast_id AND b.no = a.no"
        " WHERE a.broadcast_id = :b AND a.part = 1 AND a.accepted > 0"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        b=broadcast_id, since=since, step=_step(last, since),
    )  # fmt: skip


def delivered(tx: Tx, broadcast_id: int, since: int) -> Sequence[Row[Any]]:
    """wait (ms after `since`), n: when the vendors' word came in, by whole seconds, the later end of each."""
    last = tx.scalar("SELECT max(at) FROM arrival WHERE broadcast_id = :b", b=broadcast_id)
    return tx.all(
        "SELECT (at - :since) / :step * :step AS wait, sum(n) AS n FROM arrival WHERE broadcast_id = :b"
        " GROUP BY 1 ORDER BY 1",
        b=broadcast_id, since=since, step=_step(last, since),
    )  # fmt: skip


def _step(last: int | None, since: int) -> int:
    return max(1, ((last or since) - since) // _POINTS)


def people_reached(tx: Tx, broadcast_id: int) -> int:
    """Distinct people with a delivery that a vendor accepted or delivered; accounts of our own are no people."""
    found = tx.scalar(
        f"SELECT count(DISTINCT d.rid) FROM batch b {lookups.deliveries(tx)}"
        " WHERE b.broadcast_id = :b AND b.channel NOT IN ('social', 'chat') AND d.state IN (5, 6)",
        b=broadcast_id,
    )
    return int(found or 0)


def by_rendition(tx: Tx, broadcast_id: int) -> dict[int, int]:
    """Deliveries planned for each rendition."""
    rows = tx.all(
        "SELECT rendition_id, sum(size) AS n FROM batch WHERE broadcast_id = :b GROUP BY rendition_id",
        b=broadcast_id,
    )
    return {row.rendition_id: int(row.n) for row in rows}
