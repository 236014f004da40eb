"""Signed posts as they came, and the fold of the events in them into deliveries."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dispatcher.ledger import arrays
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH
from dispatcher.model.states import DeliveryState

NEW, DONE, POISON = 0, 1, 2

UNREADABLE = "unreadable events"
"""What a parked post is called among what must be seen."""

ALONE = 2
"""A post that was taken so often before, and never dealt with, is applied by itself: workers may have died of it."""

_FREE = "state = 0 AND (tries = 0 OR taken_until <= :now OR taken_until > :latest)"
"""Nobody has it in hand; an end two leases away was written before the clock stepped back."""


def store(tx: Tx, posts: Iterable[tuple[str, int, str, Mapping[str, str], bytes]]) -> None:
    """Keep verified posts exactly as they came: (account, received_at, url, headers, body)."""
    rows = ((account, at, url, json.dumps(dict(headers)), body, at) for account, at, url, headers, body in posts)
    # `taken_until` holds an instant from the first, so that SQLite changes it in place and leaves the body alone
    tx.insert("inbox", ("account", "received_at", "url", "headers", "body", "taken_until"), rows)


def take(tx: Tx, now: int, lease_ms: int, limit: int, size: int, *, alone: bool = False) -> Sequence[Row[Any]]:
    """The oldest posts that wait, for nobody else until the lease ends: id, account, received_at, url, headers, body.

    Up to `limit` of them and up to `size` bytes, but at least one; `tries` is how often each was taken, this time
    included. None that was taken `ALONE` times already; or, `alone`, the oldest of those and nothing beside it.
    """
    rows = tx.all(
        f"SELECT id, length(body) AS size FROM inbox WHERE {_FREE}"
        f" AND tries {'>=' if alone else '<'} {ALONE} ORDER BY id LIMIT :limit"
        + ("" if tx.is_sqlite else " FOR UPDATE SKIP LOCKED"),
        now=now, latest=now + 2 * lease_ms, limit=1 if alone else limit,
    )  # fmt: skip
    ids = _first_of(rows, size)
    tx.change_by(
        "UPDATE inbox SET taken_until = :until, tries = tries + 1 {r} WHERE inbox.id = r.post",
        {"post": "int"},
        [(post,) for post in ids],
        until=now + lease_ms,
    )
    return tx.all(
        "SELECT i.id, i.account, i.received_at, i.url, i.headers, i.body, i.tries"
        f" FROM {tx.rows_of({'id': 'int'})} x CROSS JOIN inbox i WHERE i.id = x.id ORDER BY i.id",
        rows=tx.pack((post,) for post in ids),
    )


def _first_of(rows: Sequence[Row[Any]], size: int) -> list[int]:
    """The posts that fit into one set."""
    ids: list[int] = []
    for row in rows:
        size -= row.size
        if ids and size < 0:
            break
        ids.append(row.id)
    return ids


def times_taken(tx: Tx, now: int, lease_ms: int) -> int | None:
    """How often the oldest post that nobody has in hand was taken before; None: there is no such post."""
    row = tx.one(f"SELECT tries FROM inbox WHERE {_FREE} ORDER BY id LIMIT 1", now=now, latest=now + 2 * lease_ms)
    return None if row is None else int(row.tries)


def give_back(tx: Tx, ids: Sequence[int], *, blamed: bool) -> None:
    """Posts that could not be applied now, by some fault of theirs (`blamed`) or not."""
    tx.change_by(
        "UPDATE inbox SET taken_until = received_at, tries = tries - :less {r}"
        " WHERE inbox.id = r.post AND tries > 0 AND state = 0",
        {"post": "int"},
        [(post,) for post in ids],
        less=0 if blamed else 1,
    )


def oldest(tx: Tx) -> int:
    """The oldest post that is not dealt with; 0: there is none."""
    return int(tx.scalar("SELECT min(id) FROM inbox WHERE state = 0") or 0)


def anything_new(tx: Tx, now: int, lease_ms: int) -> bool:
    """Whether a post waits that nobody has in hand."""
    return times_taken(tx, now, lease_ms) is not None


def close(tx: Tx, ids: Sequence[int], state: int, error: str | None = None) -> None:
    """Posts that have been dealt with; whoever was first has said what became of them."""
    tx.change_by(
        "UPDATE inbox SET state = :state, error = :error {r} WHERE inbox.id = r.post AND inbox.state = 0",
        {"post": "int"},
        [(post,) for post in ids],
        state=state,
        error=error,
    )


def parked(tx: Tx, limit: int) -> Sequence[Row[Any]]:
    """The newest posts that could not be applied: id, account, received_at, tries, error."""
    return tx.all(
        "SELECT id, account, received_at, tries, error FROM inbox"
        f" WHERE state = {POISON} ORDER BY id DESC LIMIT :limit",
        limit=limit,
    )


def parked_by_account(tx: Tx) -> dict[str, int]:
    """How many posts of each account could not be applied."""
    rows = tx.all(f"SELECT account, count(*) AS n FROM inbox WHERE state = {POISON} GROUP BY account ORDER BY account")
    return {row.account: row.n for row in rows}


def reopen(tx: Tx, account: str, post: int | None, now: int) -> int:
    """Let parked posts of an account, or one of them, be applied again; how many."""
    opened = tx.change(
        "UPDATE inbox SET state = 0, tries = 0, taken_until = received_at, error = NULL"
        f" WHERE state = {POISON} AND account = :account AND (:post = 0 OR id = :post)",
        account=account, post=post or 0,
    )  # fmt: skip
    if account not in parked_by_account(tx):
        tx.change(
            "UPDATE anomaly SET settled_at = :now WHERE kind = :kind AND account = :account AND settled_at IS NULL",
            now=now, kind=UNREADABLE, account=account,
        )  # fmt: skip
    return opened


def fold(tx: Tx, broadcast_id: int, proofs: Mapping[int, tuple[DeliveryState, str | None]]) -> Counter[DeliveryState]:
    """Under the locked batches, lift deliveries to what events prove, never lower them; how many rose to what.

    `proofs` by seq.
    """
    if tx.is_sqlite:
        moved = _lift_alike(tx, broadcast_id, proofs)
    else:
        rows = [(seq, int(state), reason) for seq, (state, reason) in sorted(proofs.items())]
        moved = _lift_all(tx, broadcast_id, rows)
    _shift(tx, broadcast_id, moved)
    risen: Counter[DeliveryState] = Counter()
    for row in moved:
        risen[DeliveryState(row.now)] += row.n
    return risen


def _lift_alike(
    tx: Tx, broadcast_id: int, proofs: Mapping[int, tuple[DeliveryState, str | None]]
) -> Sequence[Row[Any]]:
    """SQLite: those of which the same is proved together; count what will move, then move it."""
    alike: dict[tuple[DeliveryState, str | None], list[int]] = {}
    for seq, proof in proofs.items():
        alike.setdefault(proof, []).append(seq)
    moved: list[Row[Any]] = []
    for (state, reason), seqs in alike.items():
        moved += _lift(tx, broadcast_id, int(state), reason, f"[{','.join(map(str, sorted(seqs)))}]")
    return moved


def _lift(tx: Tx, broadcast_id: int, state: int, reason: str | None, seqs: str) -> Sequence[Row[Any]]:
    rises = _rises("d.", ":proof")
    moved = tx.all(
        f"SELECT d.seq / {BATCH} AS no, d.state AS was, :proof AS now, count(*) AS n"
        " FROM json_each(:seqs) x CROSS JOIN delivery d ON d.broadcast_id = :b AND d.seq = x.value"
        f" WHERE {rises} GROUP BY 1, 2",
        b=broadcast_id, proof=state, seqs=seqs,
    )  # fmt: skip
    if moved:
        tx.change(
            "UPDATE delivery AS d SET state = :proof, reason = :reason"
            f" WHERE d.broadcast_id = :b AND d.seq IN (SELECT value FROM json_each(:seqs)) AND {rises}",
            b=broadcast_id, proof=state, reason=reason, seqs=seqs,
        )  # fmt: skip
    return moved


def _lift_all(tx: Tx, broadcast_id: int, rows: Sequence[tuple[int, int, str | None]]) -> Sequence[Row[Any]]:
    """PostgreSQL: each row looked up by its key, changed at its place, counted as it was changed.

    The batches are locked, so nobody else moves a row meanwhile. Other ways of joining are forbidden to the planner:
    all of them read the broadcast through, and one reads it through once for every event.
    """
    _join_otherwise(tx, "off")
    columns = {"place": "int", "proof": "int", "why": "text"}
    moved = tx.all(
        "WITH moved AS (UPDATE delivery SET state = x.proof, reason = x.why FROM ("
        " SELECT d.at, d.state AS was, r.proof, r.why"
        f" FROM {arrays.unnest(columns)}"
        " CROSS JOIN LATERAL (SELECT ctid AS at, state, tries FROM delivery WHERE broadcast_id = :b AND seq = r.place"
        f" OFFSET 0) d WHERE {_rises('d.', 'r.proof')}) x WHERE delivery.ctid = x.at"
        f" RETURNING delivery.seq / {BATCH} AS no, x.was, x.proof)"
        " SELECT no, was, proof AS now, count(*) AS n FROM moved GROUP BY 1, 2, 3",
        b=broadcast_id, **arrays.literals(columns, rows),
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


def arrived(tx: Tx, arrivals: Mapping[tuple[int, int], int]) -> None:
    """Count deliveries that rose to delivered, by broadcast and when the word came (ms)."""
    rows = [(broadcast_id, at, n) for (broadcast_id, at), n in sorted(arrivals.items()) if n]
    if not rows:
        return
    tx.change(
        "INSERT INTO arrival (broadcast_id, at, n) SELECT x.b, x.at, x.n"
        f" FROM {tx.rows_of({'b': 'int', 'at': 'int', 'n': 'int'})} x WHERE true"
        " ON CONFLICT (broadcast_id, at) DO UPDATE SET n = arrival.n + excluded.n",
        rows=tx.pack(rows),
    )


def prune(tx: Tx, before: int) -> None:
    """Forget applied posts."""
    tx.change("DELETE FROM inbox WHERE state = 1 AND received_at < :before", before=before)
