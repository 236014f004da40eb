"""Goodwill codes: pools of them, whose code is whose, and which may be issued again.

A code is bound to a person when the plan is made and before anything is approved, so the digest is over exactly what
each person gets, a retry cannot bind anew, and the stock that a plan counts on is its own. A binding is never changed
but to be released, and only where no attempt can have carried it. One live binding a code is a rule of the database.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger.engine import Line, Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH

FIELD, RECORD = "\x1f", "\x1e"
_HARMLESS = "'not_sent', 'throttled', 'rejected', 'misconfigured'"
"""Outcomes after which nobody can have read what an attempt carried."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Codes of one worth. `worth` and `budget` in millionths; `free` counts codes without a live binding."""

    id: int
    name: str
    worth: int
    budget: int | None
    size: int
    bound: int
    longest: int
    closed: str = ""

    @property
    def free(self) -> int:
        """Codes that nobody has."""
        return self.size - self.bound

    @property
    def affordable(self) -> int:
        """How many more the budget allows, whatever the stock; the free ones where there is no cap."""
        if self.budget is None or not self.worth:
            return self.free
        return max(0, (self.budget - self.bound * self.worth) // self.worth)

    @property
    def stock(self) -> int:
        """How many may be bound now."""
        return 0 if self.closed else min(self.free, self.affordable)


@dataclass(frozen=True, slots=True)
class Grant:
    """The codes of one broadcast: bound in all, and of those released again."""

    pool: Pool
    bound: int
    released: int

    @property
    def kept(self) -> int:
        """Codes that went to somebody, may have gone, or still will."""
        return self.bound - self.released

    def as_dict(self) -> dict[str, Any]:
        """In `broadcast show --json`."""
        told = {"pool": self.pool.name, "bound": self.bound, "given_back": self.released, "issued": self.kept}
        return told | {"worth": self.kept * self.pool.worth / 1_000_000}


_POOL = "id, name, worth, budget, size, bound, longest, closed"


def pool(tx: Tx, name: str, *, lock: bool = False) -> Pool:
    """One pool by name; with `lock` nobody else binds from it until the transaction ends."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    row = tx.one(f"SELECT {_POOL} FROM code_pool WHERE name = :name{suffix}", name=name)
    if row is None:
        raise NotFound(f"There is no pool of codes called {name!r}.", mend="dispatcher code list shows them.")
    return _pool(row)


def _pool(row: Row[Any]) -> Pool:
    return Pool(row.id, row.name, row.worth, row.budget, row.size, row.bound, row.longest, row.closed)


def find(tx: Tx, name: str) -> Pool | None:
    """One pool by name, if there is one; nobody else changes it until the transaction ends."""
    suffix = "" if tx.is_sqlite else " FOR UPDATE"
    row = tx.one(f"SELECT {_POOL} FROM code_pool WHERE name = :name{suffix}", name=name)
    return None if row is None else _pool(row)


def pools(tx: Tx) -> list[Pool]:
    """Every pool, by name."""
    return [_pool(row) for row in tx.all(f"SELECT {_POOL} FROM code_pool ORDER BY name")]


def open_pool(tx: Tx, name: str, worth: int, budget: int | None, by: int, now: int) -> Pool:
    """A new pool, still empty."""
    tx.change(
        "INSERT INTO code_pool (name, worth, budget, created_by, created_at) VALUES (:name, :worth, :budget, :by, :now)"
        " ON CONFLICT DO NOTHING",
        name=name, worth=worth, budget=budget, by=by, now=now,
    )  # fmt: skip
    return pool(tx, name, lock=True)


def set_budget(tx: Tx, pool_id: int, budget: int) -> None:
    """A new cap."""
    tx.change("UPDATE code_pool SET budget = :budget WHERE id = :id", budget=budget, id=pool_id)


def known(tx: Tx, words: Sequence[str]) -> dict[str, int]:
    """Those of the codes that some pool holds already, whatever their case: upper case to pool id."""
    rows = tx.all(
        f"SELECT upper(c.words) AS folded, c.pool_id FROM {tx.rows_of({'words': 'text'})} x"
        " JOIN code c ON upper(c.words) = upper(x.words)",
        rows=tx.pack((word,) for word in words),
    )
    return {row.folded: row.pool_id for row in rows}


def add(tx: Tx, pool_id: int, words: Sequence[str]) -> None:
    """New codes of a pool, in order."""
    last = int(tx.scalar("SELECT coalesce(max(no), 0) FROM code WHERE pool_id = :p", p=pool_id) or 0)
    tx.insert("code", ("pool_id", "no", "words"), ((pool_id, no, word) for no, word in enumerate(words, last + 1)))
    tx.change(
        "UPDATE code_pool SET size = size + :n, longest = CASE WHEN longest < :longest THEN :longest ELSE longest END"
        " WHERE id = :p",
        p=pool_id, n=len(words), longest=max(map(len, words), default=0),
    )  # fmt: skip


def bind(tx: Tx, broadcast_id: int, pool_id: int, people: int) -> int:
    """One code each for everybody whom the plan may tell, the longest unused ones first; how many got one."""
    # Two numbered lists laid over each other: SQLite would join them row by row.
    bound = tx.change(
        "INSERT INTO code_binding (broadcast_id, rid, pool_id, no) SELECT :b, max(x.rid), :p, max(x.no) FROM"
        " (SELECT row_number() OVER (ORDER BY one.rid) AS place, one.rid, NULL AS no FROM"
        " (SELECT DISTINCT rid FROM delivery WHERE broadcast_id = :b AND rid > 0 AND state IN (0, 2)) one"
        " UNION ALL SELECT row_number() OVER (ORDER BY f.returned_at, f.no), NULL, f.no FROM"
        " (SELECT c.no, c.returned_at FROM code c WHERE c.pool_id = :p AND NOT EXISTS (SELECT 1 FROM code_binding k"
        " WHERE k.pool_id = c.pool_id AND k.no = c.no AND k.released_at IS NULL)"
        " ORDER BY c.returned_at, c.no LIMIT :n) f) x"
        " GROUP BY x.place HAVING max(x.rid) IS NOT NULL AND max(x.no) IS NOT NULL",
        b=broadcast_id, p=pool_id, n=people,
    )  # fmt: skip
    tx.change(
        "INSERT INTO code_grant (broadcast_id, pool_id, bound) VALUES (:b, :p, :n)",
        b=broadcast_id, p=pool_id, n=bound,
    )  # fmt: skip
    tx.change("UPDATE code_pool SET bound = bound + :n WHERE id = :p", n=bound, p=pool_id)
    _seal_batches(tx, broadcast_id)
    return bound


def unbind(tx: Tx, broadcast_id: int) -> None:
    """Take the bindings of a plan away that was never sent."""
    tx.change(
        "UPDATE code_pool SET bound = bound - (SELECT g.bound - g.released FROM code_grant g WHERE g.broadcast_id = :b)"
        " WHERE id = (SELECT pool_id FROM code_grant WHERE broadcast_id = :b)",
        b=broadcast_id,
    )
    for table in ("code_binding", "code_grant"):
        tx.change(f"DELETE FROM {table} WHERE broadcast_id = :b", b=broadcast_id)


def _seal_batches(tx: Tx, broadcast_id: int) -> None:
    """Let the hash of each batch say which code each of its people has."""
    line = "CAST(d.seq AS TEXT) || :unit || d.words || :record"
    digest = (
        f"sha256_hex(group_concat({line}, ''))"
        if tx.is_sqlite
        else f"encode(sha256(convert_to(string_agg({line}, '' ORDER BY d.seq), 'UTF8')), 'hex')"
    )
    found = tx.all(
        f"SELECT x.no, b.hash, x.codes FROM (SELECT d.seq / {BATCH} AS no, {digest} AS codes FROM"
        " (SELECT d.seq, c.words FROM delivery d"
        " JOIN code_binding k ON k.broadcast_id = d.broadcast_id AND k.rid = d.rid"
        " JOIN code c ON c.pool_id = k.pool_id AND c.no = k.no WHERE d.broadcast_id = :b ORDER BY d.seq) d"
        f" GROUP BY d.seq / {BATCH}) x JOIN batch b ON b.broadcast_id = :b AND b.no = x.no",
        b=broadcast_id, unit=FIELD, record=RECORD,
    )  # fmt: skip
    tx.change_by(
        "UPDATE batch SET hash = r.whole {r} WHERE broadcast_id = :b AND no = r.place",
        {"place": "int", "whole": "text"},
        [(row.no, _chained(row.hash, row.codes)) for row in found],
        b=broadcast_id,
    )


def _chained(batch_hash: str, codes_digest: str) -> str:
    return hashlib.sha256(f"{batch_hash}{FIELD}{codes_digest}".encode()).hexdigest()


def hash_with(batch_hash: str, codes: Mapping[int, str]) -> str:
    """The hash of a batch whose people have these codes (by seq): equal to what `bind` stored."""
    if not codes:
        return batch_hash
    text = "".join(f"{seq}{FIELD}{words}{RECORD}" for seq, words in sorted(codes.items()))
    return _chained(batch_hash, hashlib.sha256(text.encode()).hexdigest())


def of_batch(line: Line, broadcast_id: int, no: int) -> Callable[[], dict[int, str]]:
    """Seq to code of a batch; nothing where the broadcast has no codes."""
    rows = line.all(
        "SELECT d.seq, c.words FROM delivery d"
        " JOIN code_binding k ON k.broadcast_id = d.broadcast_id AND k.rid = d.rid"
        " JOIN code c ON c.pool_id = k.pool_id AND c.no = k.no"
        " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi"
        " AND EXISTS (SELECT 1 FROM code_grant WHERE broadcast_id = :b)",
        b=broadcast_id, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
    )  # fmt: skip
    return lambda: {row.seq: row.words for row in rows()}


def grant(tx: Tx, broadcast_id: int) -> Grant | None:
    """What a broadcast holds; None if it issues no codes."""
    row = tx.one("SELECT pool_id, bound, released FROM code_grant WHERE broadcast_id = :b", b=broadcast_id)
    if row is None:
        return None
    found = tx.one(f"SELECT {_POOL} FROM code_pool WHERE id = :id", id=row.pool_id)
    return None if found is None else Grant(_pool(found), row.bound, row.released)


def ended(tx: Tx, now: int) -> list[int]:
    """Broadcasts that hold codes and hand nothing over any more: every channel ended, no call under way.

    One that is done may go on (retry) until it expires, so those are looked at after that.
    """
    rows = tx.all(
        "SELECT g.broadcast_id FROM code_grant g JOIN broadcast o ON o.id = g.broadcast_id"
        " WHERE g.swept = 0 AND o.state NOT IN ('draft', 'submitted', 'returned', 'rejected', 'approved')"
        " AND NOT EXISTS (SELECT 1 FROM control c WHERE c.broadcast_id = g.broadcast_id"
        " AND c.state NOT IN ('stopped', 'expired') AND NOT (c.state = 'done' AND o.expires_at <= :now))"
        " AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.broadcast_id = g.broadcast_id"
        " AND (b.sending > 0 OR b.owner IS NOT NULL)) ORDER BY g.broadcast_id",
        now=now,
    )
    return [row.broadcast_id for row in rows]


def release(tx: Tx, broadcast_id: int, now: int) -> int:
    """Give back the codes of people to whom certainly nothing went; how many. The caller asked `ended` in `tx`.

    Nothing went to somebody whose every delivery was never intended, or whose every attempt was refused before it was
    processed, and who waits for nothing. A lost answer, an acceptance, an open attempt keep the code for ever.
    """
    maybe = (
        f"SELECT 1 FROM attempt a WHERE a.broadcast_id = d.broadcast_id AND a.no = d.seq / {BATCH}"
        " AND d.seq BETWEEN a.first_seq AND a.last_seq"
        f" AND a.outcome NOT IN ({_HARMLESS})"
    )
    closed = f"SELECT 1 FROM attempt a WHERE a.broadcast_id = :b AND a.no = d.seq / {BATCH} AND a.id = d.attempt_id"
    given = tx.change(
        "UPDATE code_binding SET released_at = :now WHERE broadcast_id = :b AND released_at IS NULL AND rid NOT IN"
        " (SELECT d.rid FROM delivery d WHERE d.broadcast_id = :b AND (d.state IN (3, 4, 5, 6)"
        f" OR (d.attempt_id IS NOT NULL AND (EXISTS ({maybe}) OR NOT EXISTS ({closed})))))",
        b=broadcast_id, now=now,
    )  # fmt: skip
    tx.change(
        "UPDATE code SET returned_at = :now WHERE (pool_id, no) IN"
        " (SELECT pool_id, no FROM code_binding WHERE broadcast_id = :b AND released_at = :now)",
        b=broadcast_id, now=now,
    )  # fmt: skip
    tx.change(
        "UPDATE code_grant SET released = released + :n, swept = 1 WHERE broadcast_id = :b", n=given, b=broadcast_id
    )
    tx.change(
        "UPDATE code_pool SET bound = bound - :n"
        " WHERE id = (SELECT pool_id FROM code_grant WHERE broadcast_id = :b)",
        n=given, b=broadcast_id,
    )  # fmt: skip
    return given


def given_back(tx: Tx, broadcast_id: int, seqs: Iterable[int]) -> set[int]:
    """Those of the deliveries whose code was released: they may never go out again."""
    rows = tx.all(
        f"SELECT d.seq FROM {tx.looked_up({'seq': 'int'}, 'delivery', 'd.broadcast_id = :b AND d.seq = x.seq')}"
        " JOIN code_binding k ON k.broadcast_id = d.broadcast_id AND k.rid = d.rid WHERE k.released_at IS NOT NULL",
        b=broadcast_id, rows=tx.pack((seq,) for seq in seqs),
    )  # fmt: skip
    return {row.seq for row in rows}


def close_pools(tx: Tx, why: str) -> int:
    """Nothing more is bound from any pool of today; how many that concerns."""
    return tx.change("UPDATE code_pool SET closed = :why WHERE closed = '' AND size > 0", why=why)


def reopen_pool(tx: Tx, pool_id: int) -> None:
    """Bind from it again."""
    tx.change("UPDATE code_pool SET closed = '' WHERE id = :id", id=pool_id)


def wrong_counters(tx: Tx) -> list[tuple[str, tuple[str, int, int]]]:
    """Recount from rows: (pool, (counter, stored, counted)) wherever they differ."""
    rows = tx.all(
        "SELECT p.name, p.size, p.bound, (SELECT count(*) FROM code c WHERE c.pool_id = p.id) AS codes,"
        " (SELECT count(*) FROM code_binding k WHERE k.pool_id = p.id AND k.released_at IS NULL) AS live,"
        " (SELECT coalesce(sum(g.bound - g.released), 0) FROM code_grant g WHERE g.pool_id = p.id) AS granted"
        " FROM code_pool p ORDER BY p.name"
    )
    told = [(r.name, ("size", r.size, r.codes)) for r in rows]
    told += [(r.name, ("bound", r.bound, r.live)) for r in rows]
    told += [(r.name, ("granted", int(r.granted), r.live)) for r in rows]
    return [(pool, wrong) for pool, wrong in told if wrong[1] != wrong[2]]
