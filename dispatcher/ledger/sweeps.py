"""What the tick does in sets: fallback, policy for the unknown, completion. Each statement is conditional, so any
number of ticks may run at once."""

import json
from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import attempts, claims, leases, lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH
from dispatcher.model.states import DeliveryState

FORGOTTEN = "may have been sent by a copy of this ledger that is lost"
STOPPED = "left by policy: ended before it was sent again"
LOST = "sent again, as its answer was lost: may have come twice"


def fallbacks(tx: Tx) -> Sequence[Row[Any]]:
    """Channels whose deliveries wait for another channel's: broadcast_id, channel, fallback_for, fallback_after."""
    return tx.all(
        "SELECT broadcast_id, channel, fallback_for, fallback_after, started_at FROM control c"
        " WHERE fallback_for IS NOT NULL AND state = 'released' AND EXISTS (SELECT 1 FROM batch b"
        " WHERE b.broadcast_id = c.broadcast_id AND b.channel = c.channel AND b.fallback > 0)"
    )


def release_fallbacks(tx: Tx, control: Row[Any], now: int) -> int:
    """Free those whose first channel failed or stayed silent too long; cancel the reached. How many moved."""
    silent = now - (control.fallback_after or 0)
    first = (
        "SELECT p.state, a.finished_at FROM delivery p JOIN batch pb"
        f" ON pb.broadcast_id = p.broadcast_id AND pb.no = p.seq / {BATCH} AND pb.channel = :first"
        f" LEFT JOIN attempt a ON a.broadcast_id = p.broadcast_id AND a.no = p.seq / {BATCH} AND a.id = p.attempt_id"
        " WHERE p.broadcast_id = :b AND p.rid = delivery.rid"
    )
    mine = (
        f" WHERE broadcast_id = :b AND state = 2 AND seq / {BATCH} IN"
        " (SELECT no FROM batch WHERE broadcast_id = :b AND channel = :channel AND fallback > 0)"
    )
    values = {"b": control.broadcast_id, "channel": control.channel, "first": control.fallback_for}
    numbers = [
        row.no
        for row in tx.all(
            "SELECT no FROM batch WHERE broadcast_id = :b AND channel = :channel AND fallback > 0 ORDER BY no",
            b=control.broadcast_id, channel=control.channel,
        )
    ]  # fmt: skip
    claims.lock_batches(tx, control.broadcast_id, numbers)
    freed = tx.change(
        f"UPDATE delivery SET state = 0, reason = NULL{mine} AND (NOT EXISTS ({first})"
        f" OR EXISTS (SELECT 1 FROM ({first}) x"
        " WHERE x.state IN (1, 7) OR (x.state = 5 AND x.finished_at < :silent)))",
        silent=silent, **values,
    )  # fmt: skip
    spared = tx.change(
        f"UPDATE delivery SET state = 9, reason = 'not needed: reached on the first channel'{mine}"
        f" AND EXISTS (SELECT 1 FROM ({first}) x WHERE x.state = 6)",
        **values,
    )
    for no in numbers if freed or spared else ():
        claims.recount(tx, control.broadcast_id, no, no)
    return freed + spared


def unknown_due(tx: Tx, channel: str, before: int, limit: int) -> Sequence[Row[Any]]:
    """Unknown deliveries whose attempt began before this instant, the oldest first, with what a look-up needs."""
    return tx.all(
        "SELECT d.broadcast_id, d.seq, d.rid, d.attempt_id, a.account, a.part, a.started_at, b.rendition_id, b.no,"
        " c.policy, c.state AS control, c.expires_at, d.tries FROM batch b"
        f" JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel {lookups.deliveries(tx)}"
        f" {tx.beside('attempt', 'a', 'a.broadcast_id = d.broadcast_id AND a.no = b.no AND a.id = d.attempt_id')}"
        " WHERE b.channel = :channel AND b.unknown > 0 AND d.state = 4 AND a.started_at <= :before"
        " AND (d.reason IS NULL OR d.reason NOT LIKE 'left by policy%') ORDER BY a.started_at LIMIT :limit",
        channel=channel, before=before, limit=limit,
    )  # fmt: skip


def still_unknown(tx: Tx, row: Row[Any]) -> bool:
    """Whether this delivery is still unknown by the very attempt that was read; its batch is locked from here on."""
    claims.lock_batches(tx, row.broadcast_id, [row.no])
    found = tx.one(
        "SELECT 1 FROM delivery WHERE broadcast_id = :b AND seq = :seq AND state = 4 AND attempt_id = :attempt",
        b=row.broadcast_id, seq=row.seq, attempt=row.attempt_id,
    )  # fmt: skip
    return found is not None


def doubt(tx: Tx, now: int) -> int:
    """A lost copy of this ledger may have sent whatever had been released: all that waits is unknown; how many.

    Each batch gets an attempt that stands for the one nobody remembers, so that vendors can be asked as usual.
    """
    begun = tx.all(
        "SELECT b.broadcast_id, b.no, b.channel, b.account, b.size, c.release_at, o.plan FROM batch b"
        " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
        " JOIN broadcast o ON o.id = b.broadcast_id"
        " WHERE c.state IN ('released', 'paused', 'late') AND c.release_at <= :now AND b.waiting + b.fallback > 0"
        " ORDER BY b.broadcast_id, b.no",
        now=now,
    )
    for batch in begun:
        _doubt_batch(tx, batch, now)
    return len(begun)


def _doubt_batch(tx: Tx, batch: Row[Any], now: int) -> None:
    claims.lock_batches(tx, batch.broadcast_id, [batch.no])
    leases.close_open(tx, batch.broadcast_id, batch.no, now)
    account = batch.account or next(iter(json.loads(batch.plan)["accounts"].get(batch.channel, ())), "")
    lo, hi = batch.no * BATCH, batch.no * BATCH + BATCH - 1
    [attempt] = attempts.attempt_ids(tx, 1)
    part = max(attempts.accepted_parts(tx, batch.broadcast_id, batch.no), default=0) + 1 if batch.account else 1
    tx.insert(
        "attempt",
        ("broadcast_id", "no", "id", "first_seq", "last_seq", "size", "part", "account", "started_at",
         "finished_at", "outcome", "reason"),
        [(batch.broadcast_id, batch.no, attempt, lo, lo + batch.size - 1, batch.size, part, account, batch.release_at,
          now, "doubted", FORGOTTEN)],
    )  # fmt: skip
    tx.change(
        "UPDATE delivery SET state = 4, tries = tries + 1, attempt_id = :attempt, reason = :why"
        " WHERE broadcast_id = :b AND seq BETWEEN :lo AND :hi AND state IN (0, 2)",
        attempt=attempt, why=FORGOTTEN, b=batch.broadcast_id, lo=lo, hi=hi,
    )  # fmt: skip
    claims.recount(tx, batch.broadcast_id, batch.no, batch.no)


def leave_repeats(tx: Tx, broadcast_id: int, channel: str | None = None) -> int:
    """What was to be sent again and now will not be is unknown again, not cancelled; how many."""
    which = " AND b.channel = :channel" if channel else ""
    found = tx.all(
        "SELECT DISTINCT d.seq FROM copy c JOIN delivery d ON d.broadcast_id = c.broadcast_id AND d.seq = c.seq"
        f" JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / {BATCH}"
        f" WHERE c.broadcast_id = :b AND c.state = 4 AND d.state = 0{which}",
        b=broadcast_id, **({"channel": channel} if channel else {}),
    )  # fmt: skip
    seqs = [row.seq for row in found]
    return settle_rows(tx, broadcast_id, seqs, DeliveryState.WAITING, DeliveryState.UNKNOWN, STOPPED) if seqs else 0


def in_state(tx: Tx, broadcast_id: int, state: DeliveryState) -> list[int]:
    """Every delivery of a broadcast in this state; reads only batches that have one."""
    rows = tx.all(
        f"SELECT d.seq FROM batch b {lookups.deliveries(tx)}"
        f" WHERE b.broadcast_id = :b AND b.{state.name.lower()} > 0 AND d.state = :state ORDER BY d.seq",
        b=broadcast_id, state=int(state),
    )  # fmt: skip
    return [row.seq for row in rows]


def settle_rows(
    tx: Tx, broadcast_id: int, seqs: Sequence[int], was: DeliveryState, to: DeliveryState, reason: str | None
) -> int:
    """Deliveries get another state by evidence, policy or a person; how many did."""
    numbers = sorted({seq // BATCH for seq in seqs})
    claims.lock_batches(tx, broadcast_id, numbers)
    moved = tx.change_by(
        "UPDATE delivery SET state = :to, reason = :why {r} WHERE broadcast_id = :b AND seq = r.one AND state = :was",
        {"one": "int"},
        [(seq,) for seq in seqs],
        b=broadcast_id,
        to=int(to),
        was=int(was),
        why=reason,
    )
    for no in numbers:
        claims.recount(tx, broadcast_id, no, no)
    return moved


def explain_rows(tx: Tx, broadcast_id: int, seqs: Sequence[int], reason: str) -> None:
    """Say why unknown deliveries stay so."""
    tx.change_by(
        "UPDATE delivery SET reason = :why {r} WHERE broadcast_id = :b AND seq = r.one AND state = 4",
        {"one": "int"},
        [(seq,) for seq in seqs],
        b=broadcast_id,
        why=reason,
    )


def finished(tx: Tx) -> list[int]:
    """Broadcasts of which nothing is left to hand over, no call is under way and nothing may have to go again.

    Of those that ended only where a channel is not closed yet: else they would be found by every tick for ever.
    """
    undecided = (
        f"SELECT 1 FROM delivery d WHERE d.broadcast_id = b.broadcast_id AND d.seq BETWEEN b.no * {BATCH}"
        f" AND b.no * {BATCH} + {BATCH - 1} AND d.state = 4"
        " AND (d.reason IS NULL OR d.reason NOT LIKE 'left by policy%')"
    )
    rows = tx.all(
        "SELECT o.id FROM broadcast o WHERE (o.state IN ('released', 'paused') OR o.state IN ('stopped', 'expired')"
        " AND EXISTS (SELECT 1 FROM control r WHERE r.broadcast_id = o.id AND r.state = 'released')) AND NOT EXISTS"
        " (SELECT 1 FROM control c JOIN batch b ON b.broadcast_id = c.broadcast_id AND b.channel = c.channel"
        " WHERE c.broadcast_id = o.id AND (b.sending > 0 OR b.owner IS NOT NULL"
        " OR (c.state NOT IN ('stopped', 'expired') AND (b.waiting > 0 OR b.fallback > 0))"
        f" OR (c.state = 'released' AND c.policy = 'at_least_once' AND b.unknown > 0 AND EXISTS ({undecided}))))"
    )
    return [row.id for row in rows]


def unfinished(tx: Tx) -> list[int]:
    """Broadcasts that were closed and have work again: a worker woke up and said that something was never sent."""
    rows = tx.all(
        "SELECT DISTINCT b.broadcast_id FROM batch b"
        " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
        " WHERE b.waiting > 0 AND c.state = 'done'"
    )
    return [row.broadcast_id for row in rows]


def all_expired(tx: Tx, broadcast_id: int) -> bool:
    """Whether every channel of a broadcast has expired."""
    return (
        tx.one("SELECT 1 FROM control WHERE broadcast_id = :b AND state <> 'expired' LIMIT 1", b=broadcast_id) is None
    )
