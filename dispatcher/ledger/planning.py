"""From an audience version to deliveries and batches, in sets.

Every (channel, account, rendition) group starts at a multiple of BATCH, so a delivery's batch is `seq / BATCH` and no
row needs to name it. A batch's hash is over `seq, rid, address, fields` of all its rows: what approval binds, and what
a claim checks again.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import codes
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import ADDRESS, EVERYBODY, NO_CONSENT, Sparing, Values, lacks_consent, left_out
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel

FIELD, RECORD = "\x1f", "\x1e"
_WAITING, _SUPPRESSED, _FALLBACK = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that share a channel and a rendition; `locales` are the audience's words that map to it.

    Where `column` is named, only people with one of `words` in that field of theirs are meant.
    """

    channel: Channel
    rendition_id: int
    locales: tuple[str | None, ...]
    fallback: bool = False
    sparing: Sparing = EVERYBODY
    column: str = ""
    words: tuple[str | None, ...] = ()


def clear(tx: Tx, broadcast_id: int) -> None:
    """Take an unsent plan away. The caller made sure that nothing was handed over."""
    codes.unbind(tx, broadcast_id)
    for table in ("delivery", "batch", "control"):
        tx.change(f"DELETE FROM {table} WHERE broadcast_id = :b", b=broadcast_id)


def locales(tx: Tx, version_id: int) -> list[str | None]:
    """Every locale word that occurs in an audience version."""
    return [row[0] for row in tx.all("SELECT DISTINCT locale FROM recipient WHERE version_id = :v", v=version_id)]


def who_named(tx: Tx, version_id: int, words: Sequence[str]) -> dict[str, int]:
    """How many recipients of an audience version named each of these locales."""
    where, values = _among("r.locale", "l", words)
    rows = tx.all(
        f"SELECT r.locale, count(*) AS n FROM recipient r WHERE r.version_id = :v AND {where} GROUP BY r.locale",
        v=version_id, **values,
    )  # fmt: skip
    return {row.locale: row.n for row in rows}


def words_of(tx: Tx, version_id: int, column: str) -> list[str | None]:
    """Every word that occurs in a field of an audience version; None where somebody has none."""
    rows = tx.all(
        f"SELECT DISTINCT {_field(tx)} FROM recipient r WHERE r.version_id = :v", v=version_id, field=_path(tx, column)
    )
    return [row[0] for row in rows]


def readers(tx: Tx, locales: Sequence[str | None], column: str, words: Sequence[str | None]) -> tuple[str, Values]:
    """Which recipients `r` read a rendition: SQL and its values."""
    where, values = _among("r.locale", "l", locales)
    if not column:
        return where, values
    narrower, more = _among(_field(tx), "w", words)
    return f"{where} AND {narrower}", values | more | {"field": _path(tx, column)}


def _field(tx: Tx) -> str:
    return "json_extract(r.fields, :field)" if tx.is_sqlite else "(CAST(r.fields AS jsonb) ->> CAST(:field AS text))"


def _path(tx: Tx, name: str) -> str:
    return f'$."{name}"' if tx.is_sqlite else name


def _among(what: str, mark: str, wanted: Sequence[str | None]) -> tuple[str, Values]:
    named = [word for word in wanted if word is not None]
    values: Values = {f"{mark}{i}": word for i, word in enumerate(named)}
    tests = [f"{what} IN ({', '.join(f':{name}' for name in values)})"] if named else []
    if None in wanted:
        tests.append(f"{what} IS NULL")
    return f"({' OR '.join(tests) or '1 = 0'})", values


def expand(tx: Tx, broadcast_id: int, version_id: int, scopes: Sequence[str], group: Group, first_no: int) -> int:
    """One group's deliveries and batches, suppressed people included with the reason; the next free batch number."""
    column = ADDRESS[group.channel]
    _prepare(tx)
    where, values = readers(tx, group.locales, group.column, group.words)
    where = f"r.version_id = :v AND r.{column} IS NOT NULL AND {where}"
    values |= {"b": broadcast_id, "v": version_id, "base": first_no * BATCH}

    def read(reader: Tx) -> Sequence[Row[Any]]:
        return _hashes(reader, column, where, values)

    spared, who = left_out(tx, group.channel, scopes, group.sparing)
    lacking, field = lacks_consent(tx, group.sparing)
    with tx.meanwhile(read) as hashes:
        made = tx.change(
            "INSERT INTO delivery (broadcast_id, seq, rid, state, reason)"
            " SELECT :b, :base + row_number() OVER (ORDER BY r.rid) - 1, r.rid,"
            f" CASE WHEN s.address IS NOT NULL OR {lacking} THEN {_SUPPRESSED}"
            f" ELSE {_FALLBACK if group.fallback else _WAITING} END,"
            f" CASE WHEN s.address IS NULL AND {lacking} THEN '{NO_CONSENT}' ELSE s.reason END"
            f" FROM recipient r LEFT JOIN ({spared}) s ON s.address = r.{column} WHERE {where}",
            **values, **who, **field,
        )  # fmt: skip
        cut = hashes()
    if made != sum(row.size for row in cut):  # the audience is of this very transaction: nobody else sees it yet
        cut = read(tx)
    return _cut(tx, broadcast_id, group, first_no, cut)


def _prepare(tx: Tx) -> None:
    """Settings of this transaction: a million rows are sorted once, not on disk, and hashed in the order read."""
    if not tx.is_sqlite:
        for setting in ("work_mem = '128MB'", "jit = off", "max_parallel_workers_per_gather = 0"):
            tx.change(f"SET LOCAL {setting}")


def expand_accounts(
    tx: Tx, broadcast_id: int, channel: Channel, rendition_id: int, accounts: Sequence[str], first_no: int
) -> int:
    """One delivery per account of ours, each in a batch of its own that is bound to the account."""
    for no, account in enumerate(accounts, start=first_no):
        tx.change(
            "INSERT INTO delivery (broadcast_id, seq, rid, state) VALUES (:b, :seq, 0, 0)",
            b=broadcast_id,
            seq=no * BATCH,
        )
        tx.change(
            "INSERT INTO batch (broadcast_id, no, channel, rendition_id, account, size, hash, waiting)"
            " VALUES (:b, :no, :channel, :rendition, :account, 1, :hash, 1)",
            b=broadcast_id, no=no, channel=channel, rendition=rendition_id, account=account,
            hash=batch_hash([(no * BATCH, 0, account, "")]),
        )  # fmt: skip
    return first_no + len(accounts)


def batch_hash(rows: Iterable[tuple[int, int, str, str]]) -> str:
    """Digest of a batch's (seq, rid, address, fields), in order of seq: equal to the SQL in `_hashes`."""
    text = "".join([f"{seq}{FIELD}{rid}{FIELD}{address}{FIELD}{fields}{RECORD}" for seq, rid, address, fields in rows])
    return hashlib.sha256(text.encode()).hexdigest()


def batch_hashes(tx: Tx, broadcast_id: int) -> list[tuple[int, str, str]]:
    """(no, channel, hash) of every batch, in order: the audience's part of the digest."""
    rows = tx.all("SELECT no, channel, account, hash FROM batch WHERE broadcast_id = :b ORDER BY no", b=broadcast_id)
    return [(row.no, f"{row.channel}/{row.account or ''}", row.hash) for row in rows]


def people(tx: Tx, broadcast_id: int) -> int:
    """Distinct people with at least one delivery that is not suppressed. Social deliveries are not people."""
    return int(
        tx.scalar(
            "SELECT count(DISTINCT rid) FROM delivery WHERE broadcast_id = :b AND rid > 0 AND state IN (0, 2)",
            b=broadcast_id,
        )
        or 0
    )


def _hashes(tx: Tx, column: str, where: str, values: Values) -> Sequence[Row[Any]]:
    """(no, size, hash) of a group's batches, counted from its first.

    PostgreSQL numbers the recipients anew, so it need not wait for the deliveries; SQLite would pay for that numbering.
    """
    _prepare(tx)
    line = " || ".join(
        ("CAST(d.seq AS TEXT)", ":unit", "CAST(d.rid AS TEXT)", ":unit", column, ":unit", "fields", ":end")
    )
    marks = {"unit": FIELD, "end": RECORD}
    if tx.is_sqlite:
        return tx.all(_HASHES_OF_DELIVERIES.format(line=line), **marks, **values)
    return tx.all(
        f"SELECT (d.seq - :base) / {BATCH} AS no, count(*) AS size,"
        f" encode(sha256(convert_to(string_agg({line}, ''), 'UTF8')), 'hex') AS hash"
        f" FROM (SELECT :base + row_number() OVER (ORDER BY r.rid) - 1 AS seq, r.rid, r.{column}, r.fields"
        f" FROM recipient r WHERE {where} ORDER BY r.rid OFFSET 0) d"  # the offset keeps the order as it is
        " GROUP BY 1 ORDER BY 1",
        **marks, **values,
    )  # fmt: skip


_HASHES_OF_DELIVERIES = f"""
WITH RECURSIVE cut(no, lo, hi) AS (
    SELECT 0, :base, (SELECT max(seq) FROM delivery WHERE broadcast_id = :b)
    UNION ALL SELECT no + 1, lo + {BATCH}, hi FROM cut WHERE lo + {BATCH} <= hi
)
SELECT no, (
    SELECT count(*) FROM delivery WHERE broadcast_id = :b AND seq BETWEEN lo AND lo + {BATCH - 1}
) AS size, (
    SELECT sha256_hex(group_concat({{line}}, '')) FROM (
        SELECT seq, rid FROM delivery WHERE broadcast_id = :b AND seq BETWEEN lo AND lo + {BATCH - 1} ORDER BY seq
    ) d CROSS JOIN recipient r ON r.version_id = :v AND r.rid = d.rid
) AS hash
FROM cut WHERE lo <= hi
"""
"""Batch by batch: grouped in one go, SQLite would sort, and hold, everybody's addresses."""


def _cut(tx: Tx, broadcast_id: int, group: Group, first_no: int, cut: Sequence[Row[Any]]) -> int:
    """The batches, each with its counters; the next free number."""
    found = tx.all(
        f"SELECT seq / {BATCH} AS no, count(*) AS n FROM delivery WHERE broadcast_id = :b AND seq >= :base"
        f" AND state = {_SUPPRESSED} GROUP BY seq / {BATCH}",
        b=broadcast_id, base=first_no * BATCH,
    )  # fmt: skip
    suppressed = {row.no: row.n for row in found}
    state = "fallback" if group.fallback else "waiting"
    columns = ("broadcast_id", "no", "channel", "rendition_id", "size", "hash", state, "suppressed")
    tx.insert("batch", columns, (_batch(row, broadcast_id, group, first_no, suppressed) for row in cut))
    return first_no + len(cut)


def _batch(
    row: Row[Any], broadcast_id: int, group: Group, first_no: int, suppressed: Mapping[int, int]
) -> tuple[Any, ...]:
    no = first_no + row.no
    left_out = suppressed.get(no, 0)
    return broadcast_id, no, group.channel, group.rendition_id, row.size, row.hash, row.size - left_out, left_out
