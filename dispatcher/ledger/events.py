"""Signed posts as they came, events once each, and the fold of events into deliveries."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import claims
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH
from dispatcher.model.states import DeliveryState

NEW, DONE, POISON = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Report:
    """One event as it is kept. `hash` is over account and the vendor's event id."""

    hash: bytes
    account: str
    broadcast_id: int | None
    seq: int | None
    type: str
    occurred_at: int | None
    reason: str


def store(tx: Tx, posts: Iterable[tuple[str, int, str, Mapping[str, str], bytes]]) -> None:
    """Keep verified posts exactly as they came: (account, received_at, url, headers, body)."""
    rows = ((account, at, url, json.dumps(dict(headers)), body) for account, at, url, headers, body in posts)
    tx.insert("inbox", ("account", "received_at", "url", "headers", "body"), rows)


def unapplied(tx: Tx, limit: int) -> Sequence[Row[Any]]:
    """The oldest posts that wait: id, account, received_at, url, headers, body, tries."""
    return tx.all(
        "SELECT id, account, received_at, url, headers, body, tries"
        " FROM inbox WHERE state = 0 ORDER BY id LIMIT :limit",
        limit=limit,
    )


def anything_new(tx: Tx) -> bool:
    """Whether a post waits."""
    return tx.one("SELECT 1 FROM inbox WHERE state = 0 LIMIT 1") is not None


def close(tx: Tx, ids: Sequence[int], state: int, error: str | None = None) -> None:
    """Posts that have been dealt with."""
    tx.change_by(
        "UPDATE inbox SET state = :state, error = :error {r} WHERE inbox.id = r.post",
        {"post": "int"},
        [(post,) for post in ids],
        state=state,
        error=error,
    )


def keep(tx: Tx, reports: Sequence[Report], received_at: int) -> None:
    """Every event once; one that is known already changes nothing."""
    rows = [
        (r.hash, r.account, r.broadcast_id, r.seq, r.type, r.occurred_at, received_at, r.reason or None)
        for r in reports
    ]
    kinds = {
        "hash": "bytea", "account": "text", "broadcast_id": "bigint", "seq": "int", "type": "text",
        "occurred_at": "bigint", "received_at": "bigint", "reason": "text",
    }  # fmt: skip
    tx.insert_new("event", kinds, rows)


def fold(tx: Tx, broadcast_id: int, proofs: Mapping[int, tuple[DeliveryState, str | None]]) -> int:
    """Lift deliveries to what events prove, never lower them; how many rose. `proofs` by seq."""
    rows = [(seq, int(state), reason) for seq, (state, reason) in sorted(proofs.items())]
    claims.lock_batches(tx, broadcast_id, sorted({seq // BATCH for seq in proofs}))
    moved = _lift_each(tx, broadcast_id, rows) if tx.is_sqlite else _lift_all(tx, broadcast_id, rows)
    _shift(tx, broadcast_id, moved)
    return sum(row.n for row in moved)


def _lift_each(tx: Tx, broadcast_id: int, rows: Sequence[tuple[int, int, str | None]]) -> Sequence[Row[Any]]:
    """SQLite: count what will move, then one prepared statement a row."""
    columns = {"seq": "int", "state": "int", "why": "text"}
    moved = tx.all(
        f"SELECT d.seq / {BATCH} AS no, d.state AS was, x.state AS now, count(*) AS n"
        f" FROM {tx.looked_up(columns, 'delivery', 'd.broadcast_id = :b AND d.seq = x.seq')}"
        f" WHERE {_rises('d.', 'x.state')} GROUP BY 1, 2, 3",
        b=broadcast_id, rows=tx.pack(rows),
    )  # fmt: skip
    tx.change_by(
        "UPDATE delivery SET state = r.proof, reason = r.why {r}"
        f" WHERE broadcast_id = :b AND seq = r.place AND {_rises('delivery.', 'r.proof')}",
        {"place": "int", "proof": "int", "why": "text"},
        rows if moved else (),
        b=broadcast_id,
    )
    return moved


def _lift_all(tx: Tx, broadcast_id: int, rows: Sequence[tuple[int, int, str | None]]) -> Sequence[Row[Any]]:
    """PostgreSQL: each row looked up by its key, changed at its place, counted as it was changed.

    The batches are locked, so nobody else moves a row meanwhile. Other ways of joining are forbidden to the planner:
    all of them read the broadcast through, and one reads it through once for every event.
    """
    _join_otherwise(tx, "off")
    places, states, reasons = (list(column) for column in zip(*rows, strict=True))
    moved = tx.all(
        "WITH moved AS (UPDATE delivery SET state = x.proof, reason = x.why FROM ("
        " SELECT d.at, d.state AS was, r.proof, r.why"
        " FROM unnest(CAST(:places AS bigint[]), CAST(:states AS bigint[]), CAST(:whys AS text[])) r(place, proof, why)"
        " CROSS JOIN LATERAL (SELECT ctid AS at, state, tries FROM delivery WHERE broadcast_id = :b AND seq = r.place"
        f" OFFSET 0) d WHERE {_rises('d.', 'r.proof')}) x WHERE delivery.ctid = x.at"
        f" RETURNING delivery.seq / {BATCH} AS no, x.was, x.proof)"
        " SELECT no, was, proof AS now, count(*) AS n FROM moved GROUP BY 1, 2, 3",
        b=broadcast_id, places=places, states=states, whys=reasons,
    )  # fmt: skip
    _join_otherwise(tx, "on")
    return moved


def _join_otherwise(tx: Tx, switch: str) -> None:
    tx.one(
        "SELECT set_config('enable_hashjoin', :switch, true), set_config('enable_mergejoin', :switch, true)",
        switch=switch,
    )


def _rises(delivery: str, proof: str) -> str:
    """Proof only lifts; a waiting row that was tried before did go out after all."""
    state, tries = f"{delivery}state", f"{delivery}tries"
    return f"{state} < {proof} AND ({state} BETWEEN 3 AND 6 OR ({state} = 0 AND {tries} > 0))"


def _shift(tx: Tx, broadcast_id: int, moved: Sequence[Row[Any]]) -> None:
    """Carry the moves over to the batches' counters, one statement per pair of states."""
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row in moved:
        pairs.setdefault((row.was, row.now), []).append((row.no, row.n))
    for (was, now), rows in sorted(pairs.items()):
        lost, won = DeliveryState(was).name.lower(), DeliveryState(now).name.lower()
        tx.change_by(
            f"UPDATE batch SET {lost} = {lost} - r.moved, {won} = {won} + r.moved {{r}}"
            " WHERE broadcast_id = :b AND no = r.batch_no",
            {"batch_no": "int", "moved": "int"},
            rows,
            b=broadcast_id,
        )


def misfits(tx: Tx, broadcast_id: int, seqs: Sequence[int]) -> list[tuple[int, str]]:
    """Deliveries that should never have had an event: (seq, state word or 'missing')."""
    found = {
        row.seq: DeliveryState(row.state).name.lower() if row.tries == 0 or row.state != 0 else ""
        for row in tx.all(
            "SELECT d.seq, d.state, d.tries"
            f" FROM {tx.looked_up({'seq': 'int'}, 'delivery', 'd.broadcast_id = :b AND d.seq = x.seq')}",
            b=broadcast_id, rows=tx.pack((seq,) for seq in seqs),
        )
    }  # fmt: skip
    fine = {"sending", "unknown", "accepted", "delivered", "failed", ""}
    odd = [(seq, found.get(seq, "missing")) for seq in seqs]
    return [(seq, word) for seq, word in odd if word not in fine]


def prune(tx: Tx, inbox_before: int, events_before: int) -> None:
    """Forget applied posts and, after the dedupe time, events."""
    tx.change("DELETE FROM inbox WHERE state = 1 AND received_at < :before", before=inbox_before)
    tx.change("DELETE FROM event WHERE received_at < :before", before=events_before)
