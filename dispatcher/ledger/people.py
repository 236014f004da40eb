"""Persons of ours: who may act, and the hash of the token each proves it with."""

from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.person import Level, Person, Role

_COLUMNS = "id, name, email, phone, roles, level, zone, removed_at"


def add(tx: Tx, person: Person, now: int) -> Person:
    """A new person (the id given is ignored); the same with the id of the row."""
    made = tx.one(
        "INSERT INTO person (name, email, phone, roles, level, zone, created_at)"
        f" VALUES (:name, :email, :phone, :roles, :level, :zone, :now) RETURNING {_COLUMNS}",
        name=person.name, email=person.email or None, phone=person.phone or None,
        roles=_joined(person.roles), level=person.level, zone=person.zone or None, now=now,
    )  # fmt: skip
    if made is None:
        raise NotFound(f"{person.name} could not be added.", mend="Run the command again.")
    return _person(made)


def change(tx: Tx, person: Person) -> None:
    """Write addresses, roles, level and zone of a person who is there already."""
    tx.change(
        "UPDATE person SET email = :email, phone = :phone, roles = :roles, level = :level, zone = :zone"
        " WHERE id = :id",
        id=person.id, email=person.email or None, phone=person.phone or None,
        roles=_joined(person.roles), level=person.level, zone=person.zone or None,
    )  # fmt: skip


def remove(tx: Tx, person_id: int, now: int) -> None:
    """Take every right and the token away; the row stays, since acts point at it."""
    tx.change(
        "UPDATE person SET removed_at = :now, token_hash = NULL WHERE id = :id AND removed_at IS NULL",
        id=person_id, now=now,
    )  # fmt: skip


def get(tx: Tx, person_id: int) -> Person:
    """One person, active or not."""
    row = tx.one(f"SELECT {_COLUMNS} FROM person WHERE id = :id", id=person_id)
    if row is None:
        raise NotFound(f"There is no person {person_id}.", mend="dispatcher person list shows them.")
    return _person(row)


def active(tx: Tx) -> list[Person]:
    """Everybody who may act, by name."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM person WHERE removed_at IS NULL ORDER BY name")
    return [_person(row) for row in rows]


def names(tx: Tx) -> dict[int, str]:
    """Names of everybody who ever was here, for histories."""
    return {row.id: row.name for row in tx.all("SELECT id, name FROM person")}


def with_token(tx: Tx) -> set[int]:
    """Ids of those who hold a token."""
    return {row.id for row in tx.all("SELECT id FROM person WHERE token_hash IS NOT NULL AND removed_at IS NULL")}


def set_token(tx: Tx, person_id: int, token_hash: str) -> None:
    """Replace the person's token; the one before stops working at once."""
    tx.change(
        "UPDATE person SET token_hash = :hash WHERE id = :id AND removed_at IS NULL", id=person_id, hash=token_hash
    )


def by_token(tx: Tx, token_hash: str) -> tuple[Person, str] | None:
    """The active person with this token hash, and the hash as stored."""
    row = tx.one(
        f"SELECT {_COLUMNS}, token_hash FROM person WHERE token_hash = :hash AND removed_at IS NULL", hash=token_hash
    )
    return None if row is None else (_person(row), str(row.token_hash))


def _joined(roles: frozenset[Role]) -> str:
    return " ".join(role.value for role in Role if role in roles)


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        email=row.email or "",
        phone=row.phone or "",
        roles=frozenset(map(Role, row.roles.split())),
        level=Level(row.level),
        active=row.removed_at is None,
        zone=row.zone or "",
    )
