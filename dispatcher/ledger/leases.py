"""Leases of workers that fell silent, and deliveries on which workers fall: what a crash leaves behind.

A crash before the intent leaves deliveries waiting, a crash after it leaves them unknown. Two crashes in a row with
one batch make the next worker careful: it writes down each delivery as the suspect before it touches it, and takes
it alone. So a third crash has a name. A batch of which somebody may be blamed at the next crash is fragile: its worker
has nothing else under way: 1 until it is given back in peace, 2 for good, as somebody in it was lost so often.
"""

from collections.abc import Callable, Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.claims import CAREFUL_AFTER, Claim, recount
from dispatcher.ledger.engine import Line, Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH

QUARANTINED = "quarantined: {n} workers crashed on it"


def any_expired(tx: Tx, before: int) -> bool:
    """Whether some worker has been silent since before this instant."""
    return tx.one("SELECT 1 FROM batch WHERE owner IS NOT NULL AND lease_until < :t LIMIT 1", t=before) is not None


def expired(tx: Tx, before: int) -> list[tuple[int, int]]:
    """Batches whose worker has been silent since before this instant: (broadcast_id, no)."""
    suffix = "" if tx.is_sqlite else " FOR UPDATE SKIP LOCKED"
    found = tx.all(
        f"SELECT broadcast_id, no FROM batch WHERE owner IS NOT NULL AND lease_until < :before"
        f" ORDER BY broadcast_id, no LIMIT 200{suffix}",
        before=before,
    )
    return [(row.broadcast_id, row.no) for row in found]


def break_lease(tx: Tx, broadcast_id: int, no: int, now: int, quarantine_after: int) -> int:
    """Take a silent worker's batch away. What it was handing over is unknown, never unsent; how many those are."""
    tx.change(
        "UPDATE batch SET owner = NULL, lease_until = NULL, fence = fence + 1, crashes = crashes + 1"
        " WHERE broadcast_id = :b AND no = :no",
        b=broadcast_id, no=no,
    )  # fmt: skip
    lost = tx.change(
        "UPDATE delivery SET state = 4, reason = 'the worker stopped during the call'"
        " WHERE broadcast_id = :b AND seq BETWEEN :lo AND :hi AND state = 3",
        b=broadcast_id, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
    )  # fmt: skip
    close_open(tx, broadcast_id, no, now)
    _quarantine_suspect(tx, broadcast_id, no, quarantine_after)
    _quarantine_often_lost(tx, broadcast_id, no, quarantine_after)
    tx.change(
        "UPDATE batch SET fragile = CASE WHEN :lost > 0 THEN 2 WHEN fragile = 0 THEN 1 ELSE fragile END"
        " WHERE broadcast_id = :b AND no = :no AND (crashes >= :crashes OR :lost > 0)",
        b=broadcast_id, no=no, crashes=CAREFUL_AFTER, lost=len(_lost(tx, broadcast_id, no, quarantine_after - 1)),
    )  # fmt: skip
    recount(tx, broadcast_id, no, no)
    return lost


def close_open(tx: Tx, broadcast_id: int, no: int, now: int) -> None:
    """Attempts of which only the intent speaks, and the deliveries that name them, are lost. An event may have proved
    some of those deliveries meanwhile."""
    tx.change(
        "INSERT INTO attempt (broadcast_id, no, id, first_seq, last_seq, size, part, account, started_at, finished_at,"
        " outcome) SELECT d.broadcast_id, i.no, d.attempt_id, min(d.seq), max(d.seq), count(*), i.part, i.account,"
        f" i.started_at, :now, 'lost' FROM delivery d {lookups.attempts(tx, left=True)} {lookups.intents(tx)}"
        " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi AND a.id IS NULL AND i.no IS NOT NULL"
        " GROUP BY d.broadcast_id, i.no, d.attempt_id, i.part, i.account, i.started_at",
        now=now, b=broadcast_id, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
    )  # fmt: skip


def suspect(tx: Tx, claim: Claim, seq: int) -> bool:
    """A careful worker is about to touch this delivery. False: the batch is no longer its own."""
    return bool(
        tx.change(
            "UPDATE batch SET crashes = CASE WHEN suspect IS NULL OR suspect = :seq THEN crashes ELSE 0 END,"
            " suspect = :seq WHERE broadcast_id = :b AND no = :no AND fence = :fence AND owner IS NOT NULL",
            seq=seq, b=claim.broadcast_id, no=claim.no, fence=claim.fence,
        )
    )  # fmt: skip


def fragile(line: Line, broadcast_id: int, no: int, lost_before: int) -> Callable[[], set[int]]:
    """Deliveries that were under way in so many crashes that they go alone from now on."""
    found = line.all(
        "SELECT first_seq, last_seq FROM attempt WHERE broadcast_id = :b AND no = :no AND outcome = 'lost'",
        b=broadcast_id, no=no,
    )  # fmt: skip
    return lambda: _so_often(found(), lost_before)


def _lost(tx: Tx, broadcast_id: int, no: int, least: int) -> set[int]:
    with tx.together() as line:
        found = fragile(line, broadcast_id, no, least)
    return found()


def _so_often(lost: Sequence[Row[Any]], least: int) -> set[int]:
    """Places that stand in at least so many of the losses."""
    times: dict[int, int] = {}
    for row in lost if len(lost) >= least else ():
        for seq in range(row.first_seq, row.last_seq + 1):
            times[seq] = times.get(seq, 0) + 1
    return {seq for seq, count in times.items() if count >= least}


def _quarantine_suspect(tx: Tx, broadcast_id: int, no: int, limit: int) -> None:
    """Before the intent: certainly not sent, and the worker fell on it again and again."""
    tx.change(
        "UPDATE delivery SET state = 7, reason = :why WHERE broadcast_id = :b AND state = 0 AND seq ="
        " (SELECT suspect FROM batch WHERE broadcast_id = :b AND no = :no AND crashes >= :limit)",
        why=QUARANTINED.format(n=limit), b=broadcast_id, no=no, limit=limit,
    )  # fmt: skip
    tx.change(
        "UPDATE batch SET crashes = 0 WHERE broadcast_id = :b AND no = :no AND crashes >= :limit"
        " AND suspect IS NOT NULL",
        b=broadcast_id, no=no, limit=limit,
    )  # fmt: skip


def _quarantine_often_lost(tx: Tx, broadcast_id: int, no: int, limit: int) -> None:
    """At the call: handed over so many times, the last time alone, and no worker lived to tell."""
    for seq in sorted(_lost(tx, broadcast_id, no, limit)):
        tx.change(
            "UPDATE delivery SET state = 7, reason = :why WHERE broadcast_id = :b AND seq = :seq AND state = 4"
            " AND EXISTS (SELECT 1 FROM attempt a WHERE a.broadcast_id = :b AND a.no = :no"
            " AND a.id = delivery.attempt_id AND a.size = 1 AND a.outcome = 'lost')",
            why=QUARANTINED.format(n=limit), b=broadcast_id, no=no, seq=seq,
        )  # fmt: skip
