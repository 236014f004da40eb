"""Joins into large tables that look up each row by its key, whatever a database's statistics say.

A list is imported, a broadcast planned, and both are used long before anybody counts their rows again. PostgreSQL then
takes them for nearly empty, and reads all of one list for each delivery of a batch.
"""

from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import BATCH


def deliveries(tx: Tx) -> str:
    """Behind `batch b`: each delivery of the batch, as `d`."""
    bounds = f"d.broadcast_id = b.broadcast_id AND d.seq BETWEEN b.no * {BATCH} AND b.no * {BATCH} + {BATCH - 1}"
    return tx.beside("delivery", "d", bounds)


def recipients(tx: Tx, delivery: str = "d", *, left: bool = False) -> str:
    """Behind `broadcast o` and the delivery: its recipient, as `r`."""
    key = f"r.version_id = o.audience_version_id AND r.rid = {delivery}.rid"
    return tx.beside("recipient", "r", key, left=left, single=True)


def intents(tx: Tx) -> str:
    """Behind `delivery d` and its last attempt `a`: the intent, as `i`, while there is no attempt yet."""
    key = (
        f"i.broadcast_id = d.broadcast_id AND i.no = d.seq / {BATCH} AND d.attempt_id BETWEEN i.first_id AND i.last_id"
        " AND a.id IS NULL AND d.attempt_id IS NOT NULL"  # so that nobody is looked for who was never intended
    )
    return tx.beside("intent", "i", key, left=True)


def attempts(tx: Tx, *, left: bool = False) -> str:
    """Behind `delivery d`: its last attempt, as `a`."""
    key = f"a.broadcast_id = d.broadcast_id AND a.no = d.seq / {BATCH} AND a.id = d.attempt_id"
    return tx.beside("attempt", "a", key, left=left, single=True)
