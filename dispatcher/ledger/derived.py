"""Audiences made from what became of a broadcast: exactly those it reached, or exactly those it still holds.

A person keeps an address only on the channels on which the deliveries asked for were found, so a correction goes
where the wrong words went and nowhere else.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dispatcher.ledger import audiences, lookups, superseding
from dispatcher.ledger.audiences import AudienceVersion
from dispatcher.ledger.engine import Tx
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState

REACHED = (DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.ACCEPTED, DeliveryState.DELIVERED)
"""Who has the words, or may have them."""
HELD = (DeliveryState.WAITING, DeliveryState.FALLBACK)
"""Who would still get them, unless their channel was stopped or its time is over."""
_GOES_ON = "('planned', 'released', 'paused', 'late')"


def people(
    tx: Tx,
    name: str,
    sources: Sequence[int],
    states: Sequence[DeliveryState],
    addresses: Mapping[Channel, Sequence[Channel]],
    *,
    by: int | None,
    now: int,
    held_of: Collection[int] = (),
) -> AudienceVersion:
    """A new version of those whose delivery in one of `sources` (broadcast ids) is in one of `states`.

    Of the sources in `held_of` also those who still wait for them.
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
        _add(tx, made.id, source, (*states, *(HELD if source in held_of else ())), addresses)
    return audiences.seal(tx, made.id)


def reached_anybody(tx: Tx, broadcast_id: int) -> bool:
    """Whether somebody has its words, or may have them."""
    total = " + ".join(state.name.lower() for state in REACHED)
    return bool(tx.scalar(f"SELECT coalesce(sum({total}), 0) FROM batch WHERE broadcast_id = :b", b=broadcast_id))


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
    if not tx.is_sqlite:
        tx.change("SET LOCAL work_mem = '128MB'")  # or the list of who is in it already would be read for each row
    wanted = ", ".join(str(int(state)) for state in states)
    held = ", ".join(str(int(state)) for state in HELD)
    tx.change(
        "INSERT INTO recipient (version_id, rid, email, phone, locale, fields)"
        " SELECT :v, :base + row_number() OVER (ORDER BY f.rid), f.email, f.phone, f.locale, f.fields FROM ("
        f"SELECT r.rid, {picks['email']} AS email, {picks['phone']} AS phone, max(r.locale) AS locale,"
        " max(r.fields) AS fields FROM broadcast o JOIN batch b ON b.broadcast_id = o.id"
        f" {lookups.deliveries(tx)} {lookups.recipients(tx)}"
        " JOIN control c ON c.broadcast_id = o.id AND c.channel = b.channel"
        f" WHERE o.id = :b AND d.state IN ({wanted}) AND (d.state NOT IN ({held}) OR c.state IN {_GOES_ON})"
        " GROUP BY r.rid) f WHERE (f.email IS NOT NULL OR f.phone IS NOT NULL)"
        f" AND {_unknown('email')} AND {_unknown('phone')}",
        v=version_id, b=source, base=_last_rid(tx, version_id),
    )  # fmt: skip


def _unknown(column: str) -> str:
    """Whether nobody in the new version has this address yet: a look into a list that is made once."""
    held = f"SELECT k.{column} FROM recipient k WHERE k.version_id = :v AND k.{column} IS NOT NULL"
    return f"(f.{column} IS NULL OR f.{column} NOT IN ({held}))"


def _last_rid(tx: Tx, version_id: int) -> int:
    return int(tx.scalar("SELECT coalesce(max(rid), 0) FROM recipient WHERE version_id = :v", v=version_id) or 0)


def chain(tx: Tx, broadcast_id: int) -> list[int]:
    """What has spoken to the people of this broadcast: the released ones of its incident with its purpose and mode;
    without an incident those that it follows or that follow it. Oldest first."""
    row: Any = tx.one("SELECT id, incident_id, purpose, mode FROM broadcast WHERE id = :b", b=broadcast_id)
    if row is None or row.incident_id is None:
        return superseding.line(tx, broadcast_id)
    rows = tx.all(
        "SELECT id FROM broadcast WHERE incident_id = :i AND purpose = :purpose AND mode = :mode"
        " AND release_at IS NOT NULL AND coalesce(relation, '') NOT IN ('test', 'notice') ORDER BY id",
        i=row.incident_id, purpose=row.purpose, mode=row.mode,
    )  # fmt: skip
    return [found.id for found in rows]
