"""From an audience version to deliveries and batches, in sets.

Every (channel, account, rendition) group starts at a multiple of BATCH, so a delivery's batch is `seq / BATCH` and no
row needs to name it. A batch's hash is over `seq, rid, address, fields` of all its rows: what approval binds, and what
a claim checks again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel

ADDRESS = {Channel.EMAIL: "email", Channel.SMS: "phone", Channel.CHAT: "phone"}
"""Which column of a recipient holds the address on a channel."""

FIELD, RECORD = "\x1f", "\x1e"
_WAITING, _SUPPRESSED, _FALLBACK = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that share a channel and a rendition; `locales` are the audience's words that map to it."""

    channel: Channel
    rendition_id: int
    locales: tuple[str | None, ...]
    fallback: bool = False
    most: int = 0
    """Who had this many promotional messages since `most_since` (ms) gets no further one; 0 is no such limit."""
    most_since: int = 0


def clear(tx: Tx, broadcast_id: int) -> None:
    """Take an unsent plan away. The caller made sure that nothing was handed over."""
    for table in ("delivery", "batch", "control"):
        tx.change(f"DELETE FROM {table} WHERE broadcast_id = :b", b=broadcast_id)


def locales(tx: Tx, version_id: int) -> list[str | None]:
    """Every locale word that occurs in an audience version."""
    return [row[0] for row in tx.all("SELECT DISTINCT locale FROM recipient WHERE version_id = :v", v=version_id)]


def expand(tx: Tx, broadcast_id: int, version_id: int, scopes: Sequence[str], group: Group, first_no: int) -> int:
    """One group's deliveries and batches, suppressed people included with the reason; the next free batch number."""
    column = ADDRESS[group.channel]
    if not tx.is_sqlite:
        tx.change("SET LOCAL work_mem = '128MB'")  # a million rows are sorted once, and not on disk
        tx.change("SET LOCAL jit = off")
    where, values = _locale_filter(group.locales)
    shared = {"b": broadcast_id, "v": version_id, "channel": group.channel, **values}
    tx.change(
        "INSERT INTO delivery (broadcast_id, seq, rid, state, reason)"
        " SELECT :b, :base + row_number() OVER (ORDER BY r.rid) - 1, r.rid,"
        f" CASE WHEN s.address IS NULL THEN {_FALLBACK if group.fallback else _WAITING}"
        f" ELSE {_SUPPRESSED} END, s.reason"
        f" FROM recipient r LEFT JOIN ({_left_out(scopes, group)}) s ON s.address = r.{column}"
        f" WHERE r.version_id = :v AND r.{column} IS NOT NULL AND {where}",
        base=first_no * BATCH, **shared, **_scope_values(scopes), **_most_values(group),
    )  # fmt: skip
    return _cut(tx, broadcast_id, version_id, group, column, first_no)


def expand_accounts(tx: Tx, broadcast_id: int, rendition_id: int, accounts: Sequence[str], first_no: int) -> int:
    """One delivery per account of ours, each in a batch of its own that is bound to the account."""
    for no, account in enumerate(accounts, start=first_no):
        tx.change(
            "INSERT INTO delivery (broadcast_id, seq, rid, state) VALUES (:b, :seq, 0, 0)",
            b=broadcast_id,
            seq=no * BATCH,
        )
        tx.change(
            "INSERT INTO batch (broadcast_id, no, channel, rendition_id, account, size, hash, waiting)"
            " VALUES (:b, :no, 'social', :rendition, :account, 1, :hash, 1)",
            b=broadcast_id, no=no, rendition=rendition_id, account=account,
            hash=batch_hash([(no * BATCH, 0, account, "")]),
        )  # fmt: skip
    return first_no + len(accounts)


def batch_hash(rows: Iterable[tuple[int, int, str, str]]) -> str:
    """Digest of a batch's (seq, rid, address, fields), in order of seq: equal to the SQL in `_cut`."""
    text = "".join(f"{seq}{FIELD}{rid}{FIELD}{address}{FIELD}{fields}{RECORD}" for seq, rid, address, fields in rows)
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


def _locale_filter(wanted: Sequence[str | None]) -> tuple[str, dict[str, Any]]:
    named = [word for word in wanted if word is not None]
    values = {f"l{i}": word for i, word in enumerate(named)}
    tests = [f"r.locale IN ({', '.join(f':{name}' for name in values)})"] if named else []
    if None in wanted:
        tests.append("r.locale IS NULL")
    return f"({' OR '.join(tests) or '1 = 0'})", values


def _left_out(scopes: Sequence[str], group: Group) -> str:
    """Addresses that get nothing, each with the reason."""
    if not group.most:
        return _suppressed(scopes)
    column = ADDRESS[group.channel]
    often = (
        f"SELECT r.{column} AS address, 'told often enough lately' AS reason FROM broadcast o"
        " JOIN batch b ON b.broadcast_id = o.id AND b.channel = :channel"
        f" JOIN delivery d ON d.broadcast_id = o.id AND d.seq BETWEEN b.no * {BATCH} AND b.no * {BATCH} + {BATCH - 1}"
        " JOIN recipient r ON r.version_id = o.audience_version_id AND r.rid = d.rid"
        " WHERE o.purpose = 'promotional' AND o.release_at >= :most_since AND d.state IN (3, 4, 5, 6)"
        f" GROUP BY r.{column} HAVING count(*) >= :most"
    )
    return f"SELECT address, min(reason) AS reason FROM ({_suppressed(scopes)} UNION ALL {often}) x GROUP BY address"


def _most_values(group: Group) -> dict[str, int]:
    return {"most": group.most, "most_since": group.most_since} if group.most else {}


def _suppressed(scopes: Sequence[str]) -> str:
    marks = ", ".join(f":s{i}" for i in range(len(scopes)))
    return (
        "SELECT address, min(reason) AS reason FROM suppression WHERE channel = :channel AND removed_at IS NULL"
        f" AND scope IN ({marks}) GROUP BY address"
    )


def _scope_values(scopes: Sequence[str]) -> dict[str, str]:
    return {f"s{i}": scope for i, scope in enumerate(scopes)}


def _cut(tx: Tx, broadcast_id: int, version_id: int, group: Group, column: str, first_no: int) -> int:
    line = " || ".join(
        (
            "CAST(d.seq AS TEXT)", ":unit", "CAST(d.rid AS TEXT)", ":unit", f"r.{column}", ":unit", "r.fields",
            ":record",
        )
    )  # fmt: skip
    digest = (
        f"sha256_hex(group_concat({line}, ''))"
        if tx.is_sqlite
        else f"encode(sha256(convert_to(string_agg({line}, '' ORDER BY d.seq), 'UTF8')), 'hex')"
    )
    made = tx.change(
        "INSERT INTO batch (broadcast_id, no, channel, rendition_id, size, hash, waiting, fallback, suppressed)"
        f" SELECT :b, d.seq / {BATCH}, :channel, :rendition, count(*), {digest},"
        f" sum(CASE d.state WHEN 0 THEN 1 ELSE 0 END),"
        " sum(CASE d.state WHEN 2 THEN 1 ELSE 0 END), sum(CASE d.state WHEN 1 THEN 1 ELSE 0 END)"
        " FROM (SELECT seq, rid, state FROM delivery WHERE broadcast_id = :b AND seq >= :base ORDER BY seq) d"
        f" JOIN recipient r ON r.version_id = :v AND r.rid = d.rid GROUP BY d.seq / {BATCH}",
        b=broadcast_id, v=version_id, channel=group.channel, rendition=group.rendition_id, base=first_no * BATCH,
        unit=FIELD, record=RECORD,
    )  # fmt: skip
    return first_no + made
