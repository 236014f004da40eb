"""Audiences made from what became of a broadcast: exactly those it reached, or exactly those it still holds.

A person keeps an address only on the channels on which the deliveries asked for were found, so a correction goes
where the wrong words went and nowhere else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.ledger import audiences
from dispatcher.ledger.audiences import AudienceVersion
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState

REACHED = (DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.ACCEPTED, DeliveryState.DELIVERED)
"""Who has the words, or may have them."""
HELD = (DeliveryState.WAITING, DeliveryState.FALLBACK)


def people(
    tx: Tx,
    name: str,
    sources: Sequence[int],
    states: Sequence[DeliveryState],
    addresses: Mapping[Channel, Sequence[Channel]],
    *,
    by: int | None,
    now: int,
) -> AudienceVersion:
    """A new version of those whose delivery in one of `sources` (broadcast ids) is in one of `states`.

    `addresses` says which address is kept where a delivery on a channel was found: {EMAIL: [EMAIL]} keeps each where
    it was; {SMS: [EMAIL]} moves people from SMS to email. Nobody is in it twice.
    """
    fields = sorted({name for source in sources for name in _fields(tx, source)})
    made = audiences.open_version(
        tx,
        name,
        fields=fields,
        source=f"from {', '.join(f'B-{s}' for s in sources)}",
        region="",
        imported_by=by,
        now=now,
    )
    for source in sources:
        _add(tx, made.id, source, states, addresses)
    return audiences.seal(tx, made.id)


def _fields(tx: Tx, source: int) -> tuple[str, ...]:
    version = tx.scalar("SELECT audience_version_id FROM broadcast WHERE id = :b", b=source)
    return audiences.version(tx, version).fields if version is not None else ()


def _add(
    tx: Tx, version_id: int, source: int, states: Sequence[DeliveryState], kept: Mapping[Channel, Sequence[Channel]]
) -> None:
    columns = {Channel.EMAIL: "email", Channel.SMS: "phone"}
    picks: dict[str, str] = {}
    for channel, column in columns.items():
        sources = [str(found) for found, to in kept.items() if channel in to]
        among = ", ".join(f"'{word}'" for word in sources)
        picks[column] = f"CASE WHEN max(CASE WHEN b.channel IN ({among}) THEN 1 END) = 1 THEN max(r.{column}) END"
        if not sources:
            picks[column] = "NULL"
    wanted = ", ".join(str(int(state)) for state in states)
    tx.change(
        "INSERT INTO recipient (version_id, rid, email, phone, locale, fields)"
        " SELECT :v, :base + row_number() OVER (ORDER BY f.rid), f.email, f.phone, f.locale, f.fields FROM ("
        f"SELECT r.rid, {picks['email']} AS email, {picks['phone']} AS phone, max(r.locale) AS locale,"
        " max(r.fields) AS fields FROM broadcast o JOIN batch b ON b.broadcast_id = o.id"
        f" JOIN delivery d ON d.broadcast_id = o.id AND d.seq BETWEEN b.no * {BATCH} AND b.no * {BATCH} + {BATCH - 1}"
        " JOIN recipient r ON r.version_id = o.audience_version_id AND r.rid = d.rid"
        f" WHERE o.id = :b AND d.state IN ({wanted}) GROUP BY r.rid) f"
        " WHERE (f.email IS NOT NULL OR f.phone IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM recipient k"
        " WHERE k.version_id = :v AND (k.email = f.email OR k.phone = f.phone))",
        v=version_id, b=source, base=_last_rid(tx, version_id),
    )  # fmt: skip


def _last_rid(tx: Tx, version_id: int) -> int:
    return int(tx.scalar("SELECT coalesce(max(rid), 0) FROM recipient WHERE version_id = :v", v=version_id) or 0)


def chain(tx: Tx, broadcast_id: int) -> list[int]:
    """A broadcast, what it follows and what follows it, oldest first; of its incident where it has one."""
    row: Any = tx.one("SELECT id, incident_id, origin_id FROM broadcast WHERE id = :b", b=broadcast_id)
    if row is not None and row.incident_id is not None:
        rows = tx.all(
            "SELECT id FROM broadcast WHERE incident_id = :i AND release_at IS NOT NULL"
            " AND coalesce(relation, '') NOT IN ('test', 'notice') ORDER BY id",
            i=row.incident_id,
        )  # fmt: skip
        return [found.id for found in rows]
    seen = [broadcast_id]
    while row is not None and row.origin_id is not None and row.origin_id not in seen:
        seen.insert(0, row.origin_id)
        row = tx.one("SELECT id, incident_id, origin_id FROM broadcast WHERE id = :b", b=row.origin_id)
    return seen
