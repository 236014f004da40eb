"""Broadcasts, their editors, renditions, approvals and acts."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.errors import IllegalTransition, NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast, Plan, broadcast_ref
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel, Mode, Purpose, Severity
from dispatcher.model.rendition import Picture, Rendition, Slot, SlotForm
from dispatcher.model.states import BROADCAST, BroadcastState


def canonical(value: object) -> str:
    """JSON in the one form that is hashed and compared."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """A new draft; its id."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    return int(tx.scalar(f"INSERT INTO broadcast ({names}) VALUES ({marks}) RETURNING id", **values))


def by_request_key(tx: Tx, key: str) -> Broadcast | None:
    """The broadcast that an earlier call with this key made. Who asks at the same time waits for our commit."""
    if not tx.is_sqlite:
        tx.scalar("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))", key=key)
    row = tx.one("SELECT * FROM broadcast WHERE request_key = :key", key=key)
    return _broadcast(row) if row else None


def get(tx: Tx, broadcast_id: int, *, lock: bool = False) -> Broadcast:
    """One broadcast; with `lock` its row waits for nobody else until the transaction ends."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    row = tx.one(f"SELECT * FROM broadcast WHERE id = :id{suffix}", id=broadcast_id)
    if row is None:
        raise NotFound(
            f"There is no broadcast {broadcast_ref(broadcast_id)}.", mend="dispatcher broadcast show lists them."
        )
    return _broadcast(row)


def by_code(tx: Tx, code: str) -> Broadcast | None:
    """The broadcast that carries this verification code."""
    row = tx.one("SELECT * FROM broadcast WHERE code = :code", code=code)
    return _broadcast(row) if row else None


def recent(tx: Tx, limit: int = 50) -> list[Broadcast]:
    """The newest first."""
    rows = tx.all("SELECT * FROM broadcast ORDER BY id DESC LIMIT :limit", limit=limit)
    return [_broadcast(row) for row in rows]


def profiles(tx: Tx) -> dict[str, str]:
    """What kind of message each template was when words were last frozen from it."""
    rows = tx.all("SELECT template_id, profile FROM broadcast WHERE profile IS NOT NULL ORDER BY submitted_at")
    return {row.template_id: row.profile for row in rows}


def all_ids(tx: Tx) -> list[int]:
    """Every broadcast there ever was, the oldest first."""
    return [row[0] for row in tx.all("SELECT id FROM broadcast ORDER BY id")]


def change(tx: Tx, broadcast_id: int, **values: Any) -> None:
    """Set columns of one broadcast."""
    pairs = ", ".join(f"{name} = :{name}" for name in values)
    tx.change(f"UPDATE broadcast SET {pairs} WHERE id = :id", id=broadcast_id, **values)


def move(tx: Tx, broadcast: Broadcast, to: BroadcastState, **values: Any) -> None:
    """One legal transition, conditional on the state it starts from."""
    if to not in BROADCAST[broadcast.state]:
        raise IllegalTransition(
            f"{broadcast.ref} is {broadcast.state}; it cannot become {to}.",
            mend=f"dispatcher broadcast show {broadcast.ref} tells what comes next.",
        )
    pairs = "".join(f", {name} = :{name}" for name in values)
    moved = tx.change(
        f"UPDATE broadcast SET state = :to{pairs} WHERE id = :id AND state = :was",
        id=broadcast.id, to=to, was=broadcast.state, **values,
    )  # fmt: skip
    if not moved:
        raise IllegalTransition(f"{broadcast.ref} was changed by somebody else just now.", mend="Look again and retry.")


def note_edit(tx: Tx, broadcast_id: int, version: int, person_id: int, at: int) -> None:
    """This person had a hand in this version."""
    tx.change(
        "INSERT INTO edit (broadcast_id, version, person_id, at) VALUES (:b, :version, :person, :at)"
        " ON CONFLICT DO NOTHING",
        b=broadcast_id, version=version, person=person_id, at=at,
    )  # fmt: skip


def editors(tx: Tx, broadcast_id: int) -> set[int]:
    """Everybody who edited any version of it, or of a broadcast that is approved with it."""
    rows = tx.all(
        "SELECT person_id FROM edit WHERE broadcast_id = :b"
        " OR broadcast_id IN (SELECT broadcast_id FROM wave WHERE lead_id = :b AND broadcast_id IS NOT NULL)",
        b=broadcast_id,
    )
    return {row.person_id for row in rows}


def replace_renditions(
    tx: Tx, broadcast_id: int, renditions: Sequence[Rendition]
) -> dict[tuple[Channel, str, str], int]:
    """Store the renditions of a submitted version; their ids by (channel, locale, variant)."""
    tx.change("DELETE FROM rendition WHERE broadcast_id = :b", b=broadcast_id)
    ids: dict[tuple[Channel, str, str], int] = {}
    for one in renditions:
        slots = [[s.tag, s.name, s.form, s.default] for s in one.slots]
        ids[(one.channel, one.locale, one.variant)] = int(
            tx.scalar(
                "INSERT INTO rendition (broadcast_id, channel, locale, variant, parts, slots, picture, sha256)"
                " VALUES (:b, :channel, :locale, :variant, :parts, :slots, :picture, :sha) RETURNING id",
                b=broadcast_id, channel=one.channel, locale=one.locale, variant=one.variant,
                parts=canonical(dict(one.parts)), slots=canonical(slots), sha=one.sha256(),
                picture=canonical(dataclasses.asdict(one.picture)) if one.picture else None,
            )
        )  # fmt: skip
    return ids


def renditions(tx: Tx, broadcast_id: int) -> dict[int, Rendition]:
    """Stored renditions by id."""
    rows = tx.all("SELECT * FROM rendition WHERE broadcast_id = :b ORDER BY id", b=broadcast_id)
    return {row.id: _rendition(row) for row in rows}


def rendition(tx: Tx, rendition_id: int) -> Rendition:
    """One stored rendition."""
    row = tx.one("SELECT * FROM rendition WHERE id = :id", id=rendition_id)
    if row is None:
        raise NotFound(f"Rendition {rendition_id} is gone.", mend="Submit the broadcast again.")
    return _rendition(row)


def add_approval(
    tx: Tx,
    broadcast: Broadcast,
    person_id: int,
    level: str,
    decision: str,
    reason: str,
    at: int,
    *,
    for_id: int | None = None,
) -> None:
    """A person's decision about the digest as it stands; `for_id` is whom they stand in for."""
    tx.change(
        "INSERT INTO approval (broadcast_id, digest, person_id, level, decision, reason, at, for_id)"
        " VALUES (:b, :digest, :person, :level, :decision, :reason, :at, :for)",
        b=broadcast.id, digest=broadcast.digest or "", person=person_id, level=level, decision=decision,
        reason=reason, at=at, **{"for": for_id},
    )  # fmt: skip


def approvals(tx: Tx, broadcast_id: int, digest: str) -> Sequence[Row[Any]]:
    """Who approved exactly this digest: person_id, name, level, at."""
    return tx.all(
        "SELECT a.person_id, p.name, a.level, a.at FROM approval a JOIN person p ON p.id = a.person_id"
        " WHERE a.broadcast_id = :b AND a.digest = :digest AND a.decision = 'approve' ORDER BY a.at",
        b=broadcast_id, digest=digest,
    )  # fmt: skip


def note_act(
    tx: Tx,
    verb: str,
    at: int,
    *,
    person_id: int | None = None,
    door: str = "cli",
    broadcast_id: int | None = None,
    incident_id: int | None = None,
    channel: str | None = None,
    detail: str = "",
) -> None:
    """One line of the timeline."""
    tx.change(
        "INSERT INTO act (at, person_id, door, verb, broadcast_id, incident_id, channel, detail)"
        " VALUES (:at, :person, :door, :verb, :b, :i, :channel, :detail)",
        at=at, person=person_id, door=door, verb=verb, b=broadcast_id, i=incident_id, channel=channel, detail=detail,
    )  # fmt: skip


def acts(tx: Tx, broadcast_id: int) -> Sequence[Row[Any]]:
    """The timeline of one broadcast: at, verb, name, door, channel, detail."""
    return tx.all(
        "SELECT a.at, a.verb, p.name, a.door, a.channel, a.detail FROM act a LEFT JOIN person p ON p.id = a.person_id"
        " WHERE a.broadcast_id = :b ORDER BY a.id",
        b=broadcast_id,
    )


def _rendition(row: Row[Any]) -> Rendition:
    slots = tuple(Slot(tag, name, SlotForm(form), default) for tag, name, form, default in json.loads(row.slots))
    picture = Picture(**json.loads(row.picture)) if row.picture else None
    return Rendition(Channel(row.channel), row.locale, row.variant, json.loads(row.parts), slots, picture)


def _broadcast(row: Row[Any]) -> Broadcast:
    stored = json.loads(row.plan)
    return Broadcast(
        id=row.id,
        title=row.title,
        template_id=row.template_id,
        purpose=Purpose(row.purpose),
        severity=Severity(row.severity),
        mode=Mode(row.mode),
        state=BroadcastState(row.state),
        version=row.version,
        plan=Plan.from_dict(stored),
        facts=tuple((name, locale, value) for name, locale, value in json.loads(row.facts)),
        code=row.code,
        nonce=row.nonce,
        author_id=row.author_id,
        created_at=from_ms(row.created_at),
        incident_id=row.incident_id,
        audience_version_id=row.audience_version_id,
        digest=row.digest,
        audience_size=row.audience_size,
        submitted_at=from_ms(row.submitted_at),
        approved_at=from_ms(row.approved_at),
        release_at=from_ms(row.release_at),
        expires_at=from_ms(row.expires_at),
        closed_at=from_ms(row.closed_at),
        origin_id=row.origin_id,
        relation=row.relation,
        next_update_at=from_ms(row.next_update_at),
        signatory=row.signatory or "",
        preapproval_id=row.preapproval_id,
        source=row.source or "",
        extra=stored.get("extra", {}),
    )
