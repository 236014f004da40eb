"""Persons and their tokens."""

from typing import Any

from sqlalchemy import Row

from dispatcher.errors import NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.model.person import Level, Person, Role


def add(tx: Tx, person: Person, now: int) -> int:
    """A new person; its id."""
    return int(
        tx.scalar(
            "INSERT INTO person (name, email, phone, roles, level, created_at)"
            " VALUES (:name, :email, :phone, :roles, :level, :now) RETURNING id",
            name=person.name, email=person.email or None, phone=person.phone or None,
            roles=",".join(sorted(person.roles)), level=person.level, now=now,
        )
    )  # fmt: skip


def every(tx: Tx) -> list[Person]:
    """Everybody who is still with us, by name."""
    return [_person(row) for row in tx.all("SELECT * FROM person WHERE removed_at IS NULL ORDER BY name")]


def with_token(tx: Tx) -> set[int]:
    """Ids of persons who hold a token."""
    rows = tx.all("SELECT id FROM person WHERE token_hash IS NOT NULL AND removed_at IS NULL")
    return {row.id for row in rows}


def by_name(tx: Tx, name: str) -> Person:
    """One active person."""
    row = tx.one("SELECT * FROM person WHERE name = :name AND removed_at IS NULL", name=name)
    if row is None:
        raise NotFound(f"Nobody is called {name!r}.", mend="dispatcher person list shows who there is.")
    return _person(row)


def get(tx: Tx, person_id: int) -> Person:
    """One person by id, active or not."""
    row = tx.one("SELECT * FROM person WHERE id = :id", id=person_id)
    if row is None:
        raise NotFound(f"There is no person {person_id}.")
    return _person(row)


def by_token_hash(tx: Tx, token_hash: str) -> Person | None:
    """Whose token has this hash."""
    row = tx.one("SELECT * FROM person WHERE token_hash = :hash AND removed_at IS NULL", hash=token_hash)
    return _person(row) if row else None


def set_token_hash(tx: Tx, person_id: int, token_hash: str | None) -> None:
    """Give a new token, or take it away."""
    tx.change("UPDATE person SET token_hash = :hash WHERE id = :id", hash=token_hash, id=person_id)


def remove(tx: Tx, person_id: int, now: int) -> None:
    """End a person's rights; what they did stays on record."""
    tx.change("UPDATE person SET removed_at = :now, token_hash = NULL WHERE id = :id", now=now, id=person_id)


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        email=row.email or "",
        phone=row.phone or "",
        roles=frozenset(Role(word) for word in row.roles.split(",") if word),
        level=Level(row.level),
        active=row.removed_at is None,
    )
