"""The people of an audience with their addresses, for a copy that is kept away from this machine."""

from collections.abc import Iterator
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

PAGE = 5_000


def pages(tx: Tx, version_id: int) -> Iterator[list[Row[Any]]]:
    """Every recipient by id, a page at a time, each with whether mail and texts to them are suppressed."""
    after = 0
    while True:
        found = list(
            tx.all(
                "SELECT r.rid, r.email, r.phone, r.locale, r.fields,"
                " CASE WHEN e.address IS NULL THEN 0 ELSE 1 END AS no_email,"
                " CASE WHEN p.address IS NULL THEN 0 ELSE 1 END AS no_phone FROM recipient r"
                " LEFT JOIN (SELECT DISTINCT address FROM suppression WHERE channel = 'email' AND scope = 'all'"
                " AND removed_at IS NULL) e ON e.address = r.email"
                " LEFT JOIN (SELECT DISTINCT address FROM suppression WHERE channel = 'sms' AND scope = 'all'"
                " AND removed_at IS NULL) p ON p.address = r.phone"
                " WHERE r.version_id = :v AND r.rid > :after ORDER BY r.rid LIMIT :page",
                v=version_id, after=after, page=PAGE,
            )
        )  # fmt: skip
        if not found:
            return
        yield found
        after = found[-1].rid
