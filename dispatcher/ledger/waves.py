"""Broadcasts that were approved as one and go out one after another: which is out, which is next.

Every change of a wave is conditional on the state it starts from, so any number of ticks may run, late or twice.
"""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

PLANNED, WAITING, OPEN, OUT, SKIPPED = "planned", "waiting", "open", "out", "skipped"


def define(tx: Tx, lead_id: int, members: Sequence[tuple[str, int | None]]) -> None:
    """The waves of a broadcast from now on, in order: (name, broadcast id, or None for a person's own work)."""
    tx.change("DELETE FROM wave WHERE lead_id = :l", l=lead_id)
    tx.insert(
        "wave",
        ("lead_id", "no", "name", "broadcast_id", "state"),
        ((lead_id, no, name, member, PLANNED) for no, (name, member) in enumerate(members, start=1)),
    )


def of(tx: Tx, lead_id: int) -> Sequence[Row[Any]]:
    """The waves of a broadcast in order: no, name, broadcast_id, state, opened_at, out_at, reason."""
    return tx.all(
        "SELECT no, name, broadcast_id, state, opened_at, out_at, reason FROM wave WHERE lead_id = :l ORDER BY no",
        l=lead_id,
    )


def place(tx: Tx, broadcast_id: int) -> Row[Any] | None:
    """The wave that a broadcast is (lead_id, no, name, state); None if it goes alone, or its lead was rejected."""
    return tx.one(
        "SELECT w.lead_id, w.no, w.name, w.state FROM wave w JOIN broadcast o ON o.id = w.lead_id"
        " WHERE w.broadcast_id = :b AND o.state <> 'rejected'",
        b=broadcast_id,
    )


def members(tx: Tx, lead_id: int) -> list[int]:
    """The broadcasts that go with a lead, itself left out; nothing for one that leads nobody."""
    rows = tx.all(
        "SELECT broadcast_id FROM wave WHERE lead_id = :l AND broadcast_id IS NOT NULL AND broadcast_id <> :l"
        " ORDER BY no",
        l=lead_id,
    )
    return [row.broadcast_id for row in rows]


def bound(tx: Tx, lead_id: int) -> list[list[Any]]:
    """What approval of the lead binds: each wave's place, name and the digest of its broadcast; the lead's own is not
    part of itself."""
    rows = tx.all(
        "SELECT w.no, w.name, w.broadcast_id, o.digest FROM wave w LEFT JOIN broadcast o"
        " ON o.id = w.broadcast_id AND o.id <> w.lead_id WHERE w.lead_id = :l ORDER BY w.no",
        l=lead_id,
    )
    return [[row.no, row.name, row.broadcast_id, row.digest] for row in rows]


def arm(tx: Tx, lead_id: int) -> int:
    """From now on the tick may open them; how many."""
    return tx.change("UPDATE wave SET state = 'waiting' WHERE lead_id = :l AND state = 'planned'", l=lead_id)


def disarm(tx: Tx, lead_id: int) -> int:
    """They were never sent; how many. A follower that is out on its way goes on."""
    return tx.change(
        "UPDATE wave SET state = 'planned', opened_at = NULL WHERE lead_id = :l AND (state = 'waiting'"
        " OR (state = 'open' AND coalesce(broadcast_id, :l) = :l))",
        l=lead_id,
    )


def move(tx: Tx, lead_id: int, no: int, was: str, to: str, *, reason: str = "", **more: int | None) -> bool:
    """One wave from one state to another; False if somebody else was quicker."""
    pairs = "".join(f", {name} = :{name}" for name in more)
    return bool(
        tx.change(
            f"UPDATE wave SET state = :to, reason = :reason{pairs} WHERE lead_id = :l AND no = :no AND state = :was",
            l=lead_id, no=no, was=was, to=to, reason=reason, **more,
        )
    )  # fmt: skip


def explain(tx: Tx, lead_id: int, no: int, reason: str) -> bool:
    """Why a wave does not open; False if that is known already."""
    return bool(
        tx.change(
            "UPDATE wave SET reason = :reason WHERE lead_id = :l AND no = :no AND state = 'waiting'"
            " AND reason <> :reason",
            l=lead_id, no=no, reason=reason,
        )
    )  # fmt: skip


def now_out(tx: Tx) -> Sequence[Row[Any]]:
    """Open waves that are out: lead_id, no, and when the last answer came (`at`, ms).

    Out is: every channel released and none stopped, paused, late or over; nobody waits and no call is under way; and
    somebody was reached. A lost answer counts as handed over. Who waits for a second channel is waited for no longer.
    """
    return tx.all(
        "SELECT w.lead_id, w.no, (SELECT max(a.finished_at) FROM attempt a WHERE a.broadcast_id = o.id) AS at"
        " FROM wave w JOIN broadcast o ON o.id = w.broadcast_id WHERE w.state = 'open'"
        " AND NOT EXISTS (SELECT 1 FROM control c WHERE c.broadcast_id = o.id AND c.state NOT IN ('released', 'done'))"
        " AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.broadcast_id = o.id"
        " AND (b.waiting > 0 OR b.sending > 0 OR b.owner IS NOT NULL))"
        " AND EXISTS (SELECT 1 FROM batch b WHERE b.broadcast_id = o.id AND b.accepted + b.delivered > 0)"
    )


def due(tx: Tx) -> Sequence[Row[Any]]:
    """The next wave of each lead, where all before it are out or skipped: lead_id, no, name, broadcast_id, and when
    the one before got out (`since`, ms; None where a person let it pass)."""
    return tx.all(
        "SELECT w.lead_id, w.no, w.name, w.broadcast_id,"
        " (SELECT p.out_at FROM wave p WHERE p.lead_id = w.lead_id AND p.no = w.no - 1 AND p.state = 'out') AS since"
        " FROM wave w WHERE w.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM wave p WHERE p.lead_id = w.lead_id"
        " AND p.no < w.no AND p.state NOT IN ('out', 'skipped'))"
    )
