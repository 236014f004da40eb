"""Incidents, their fact sheets and their timelines. A fact is never overwritten: a new row replaces the current one."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger.broadcasts import canonical
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import Fact, FactKind
from dispatcher.model.incident import Incident, Phase, Visibility, incident_id, incident_ref
from dispatcher.model.kinds import FactState, Mode, Severity


def add(tx: Tx, values: Mapping[str, Any]) -> int:
    """A new incident; its id."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    return int(tx.scalar(f"INSERT INTO incident ({names}) VALUES ({marks}) RETURNING id", **values))


def get(tx: Tx, number: int, *, lock: bool = False) -> Incident:
    """One incident; with `lock` its row waits for nobody else until the transaction ends."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    row = tx.one(f"SELECT * FROM incident WHERE id = :id{suffix}", id=number)
    if row is None:
        raise NotFound(f"There is no incident {incident_ref(number)}.", mend="dispatcher incident list shows them.")
    return _incident(row)


def by_ref(tx: Tx, ref: str, *, lock: bool = False) -> Incident:
    """The incident that people call `INC-1`."""
    return get(tx, incident_id(ref), lock=lock)


def recent(tx: Tx, *, open_only: bool = True, limit: int = 100) -> list[Incident]:
    """The newest first."""
    where = "WHERE closed_at IS NULL" if open_only else ""
    rows = tx.all(f"SELECT * FROM incident {where} ORDER BY id DESC LIMIT :limit", limit=limit)
    return [_incident(row) for row in rows]


def change(tx: Tx, number: int, **values: Any) -> None:
    """Set columns of one incident."""
    pairs = ", ".join(f"{name} = :{name}" for name in values)
    tx.change(f"UPDATE incident SET {pairs} WHERE id = :id", id=number, **values)


def put_fact(tx: Tx, number: int, fact: Fact, set_by: int, at: int) -> None:
    """A fact as it stands from now on. Words in our own language make older translations void."""
    where = "incident_id = :i AND name = :name AND replaced_at IS NULL"
    if fact.locale is not None:
        where += " AND locale = :locale"
    tx.change(f"UPDATE fact SET replaced_at = :at WHERE {where}", i=number, name=fact.name, locale=fact.locale, at=at)
    tx.change(
        "INSERT INTO fact (incident_id, name, locale, kind, value, state, source, as_of, set_by, set_at)"
        " VALUES (:i, :name, :locale, :kind, :value, :state, :source, :as_of, :by, :at)",
        i=number, name=fact.name, locale=fact.locale or "", kind=fact.kind, value=canonical(fact.value),
        state=fact.state, source=fact.source, as_of=to_ms(fact.as_of) if fact.as_of else None, by=set_by, at=at,
    )  # fmt: skip


def facts(tx: Tx, number: int) -> list[Fact]:
    """The fact sheet as it stands, retracted facts included."""
    return [_fact(row) for row in _fact_rows(tx, number, "AND f.replaced_at IS NULL")]


def history(tx: Tx, number: int, name: str = "") -> list[Fact]:
    """Every value a fact ever had, or every fact, the oldest first."""
    return [_fact(row) for row in _fact_rows(tx, number, "AND f.name = :name" if name else "", name=name)]


def _fact_rows(tx: Tx, number: int, which: str, **values: Any) -> Sequence[Row[Any]]:
    return tx.all(
        "SELECT f.*, p.name AS person FROM fact f LEFT JOIN person p ON p.id = f.set_by"
        f" WHERE f.incident_id = :i {which} ORDER BY f.id",
        i=number, **values,
    )  # fmt: skip


def acts(tx: Tx, number: int) -> Sequence[Row[Any]]:
    """The timeline of an incident and its broadcasts: at, verb, name, door, channel, detail, broadcast_id."""
    return tx.all(
        "SELECT a.at, a.verb, p.name, a.door, a.channel, a.detail, a.broadcast_id FROM act a"
        " LEFT JOIN person p ON p.id = a.person_id WHERE a.incident_id = :i"
        " OR a.broadcast_id IN (SELECT id FROM broadcast WHERE incident_id = :i) ORDER BY a.id",
        i=number,
    )


def broadcast_ids(tx: Tx, number: int) -> list[int]:
    """The broadcasts about an incident, the oldest first; notices to our own people are none of them."""
    sql = "SELECT id FROM broadcast WHERE incident_id = :i AND (relation IS NULL OR relation <> 'notice') ORDER BY id"
    return [row[0] for row in tx.all(sql, i=number)]


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        id=row.id,
        title=row.title,
        severity=Severity(row.severity),
        phase=Phase(row.phase),
        visibility=Visibility(row.visibility),
        mode=Mode(row.mode),
        opened_at=from_ms(int(row.opened_at)),
        opened_by=row.opened_by,
        next_update_at=from_ms(row.next_update_at),
        first_word_at=from_ms(row.first_word_at),
        closed_at=from_ms(row.closed_at),
        data=json.loads(row.data),
    )


def _fact(row: Row[Any]) -> Fact:
    return Fact(
        name=row.name,
        kind=FactKind(row.kind),
        value=json.loads(row.value),
        state=FactState(row.state),
        locale=row.locale or None,
        source=row.source,
        as_of=from_ms(row.as_of),
        set_by=row.person or "",
        set_at=from_ms(row.set_at),
    )
