"""Audiences and their immutable versions of recipients."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from dispatcher.errors import AudienceError
from dispatcher.ledger.engine import Tx

COLUMNS = ("version_id", "rid", "email", "phone", "locale", "fields")


@dataclass(frozen=True, slots=True)
class Version:
    """One import of an audience. `fields` are the slot names that its recipients have."""

    id: int
    audience: str
    number: int
    size: int
    content_hash: str
    fields: tuple[str, ...]


def current(tx: Tx, name: str) -> Version:
    """The newest version of an audience; an unknown name or an empty audience is refused, it never means everybody."""
    row = tx.one(
        "SELECT v.*, a.name FROM audience a JOIN audience_version v ON v.audience_id = a.id"
        " WHERE a.name = :name AND a.removed_at IS NULL ORDER BY v.number DESC LIMIT 1",
        name=name,
    )
    if row is None:
        raise AudienceError(
            f"There is no audience {name!r}.",
            why="A missing audience means nobody, never everybody.",
            mend=f"dispatcher audience import FILE --into {name}, or dispatcher audience list",
        )
    if not row.size:
        raise AudienceError(f"The audience {name!r} is empty.", mend=f"dispatcher audience import FILE --into {name}")
    return _version(row)


def version(tx: Tx, version_id: int) -> Version:
    """One version by id."""
    row = tx.one(
        "SELECT v.*, a.name FROM audience_version v JOIN audience a ON a.id = v.audience_id WHERE v.id = :id",
        id=version_id,
    )
    if row is None:
        raise AudienceError("The audience of this broadcast is gone.", mend="Import it again and draft anew.")
    return _version(row)


def name_of(tx: Tx, version_id: int) -> str:
    """`customers, version 3`."""
    found = version(tx, version_id)
    return f"{found.audience}, version {found.number}"


def find_or_add(tx: Tx, name: str, now: int) -> int:
    """The id of the audience of that name."""
    found = tx.scalar("SELECT id FROM audience WHERE name = :name AND removed_at IS NULL", name=name)
    if found is None:
        sql = "INSERT INTO audience (name, created_at) VALUES (:name, :now) RETURNING id"
        found = tx.scalar(sql, name=name, now=now)
    return int(found)


def add_version(
    tx: Tx, audience_id: int, *, fields: Sequence[str], source: str, region: str, person_id: int | None, now: int
) -> int:
    """A new, still empty version; its id. `seal` makes it complete in the same transaction."""
    return int(
        tx.scalar(
            "INSERT INTO audience_version"
            " (audience_id, number, size, content_hash, fields, source, region, imported_by, created_at)"
            " SELECT :a, coalesce(max(number), 0) + 1, 0, '', :fields, :source, :region, :person, :now"
            " FROM audience_version WHERE audience_id = :a RETURNING id",
            a=audience_id, fields=json.dumps(list(fields)), source=source, region=region, person=person_id, now=now,
        )
    )  # fmt: skip


def add_recipients(tx: Tx, rows: Iterable[Sequence[Any]]) -> None:
    """Recipients as (version_id, rid, email, phone, locale, fields); rid counts from 1."""
    tx.insert("recipient", COLUMNS, rows)


def seal(tx: Tx, version_id: int, size: int, content_hash: str) -> None:
    """Size and content hash of a version whose recipients are all in."""
    tx.change(
        "UPDATE audience_version SET size = :size, content_hash = :hash WHERE id = :id",
        size=size, hash=content_hash, id=version_id,
    )  # fmt: skip


def every(tx: Tx) -> Sequence[Row[Any]]:
    """Each audience with its newest version: name, number, size, source, region, created_at, imported_by."""
    return tx.all(
        "SELECT a.name, v.id, v.number, v.size, v.fields, v.source, v.region, v.created_at, p.name AS imported_by"
        " FROM audience a JOIN audience_version v ON v.audience_id = a.id LEFT JOIN person p ON p.id = v.imported_by"
        " WHERE a.removed_at IS NULL AND v.number = (SELECT max(number) FROM audience_version WHERE audience_id = a.id)"
        " ORDER BY a.name"
    )


def versions(tx: Tx, name: str) -> Sequence[Row[Any]]:
    """Every version of one audience, the newest first."""
    return tx.all(
        "SELECT v.*, p.name AS imported_by_name FROM audience a JOIN audience_version v ON v.audience_id = a.id"
        " LEFT JOIN person p ON p.id = v.imported_by"
        " WHERE a.name = :name AND a.removed_at IS NULL ORDER BY v.number DESC",
        name=name,
    )


def coverage(tx: Tx, version_id: int) -> Row[Any] | None:
    """How many have an email, a phone, both; and how many locales: email, phone, both_, locales."""
    return tx.one(
        "SELECT count(email) AS email, count(phone) AS phone,"
        " sum(CASE WHEN email IS NOT NULL AND phone IS NOT NULL THEN 1 ELSE 0 END) AS both_,"
        " count(DISTINCT locale) AS locales FROM recipient WHERE version_id = :v",
        v=version_id,
    )


def sample(tx: Tx, version_id: int, limit: int = 10) -> Sequence[Row[Any]]:
    """The first recipients: rid, email, phone, locale, fields."""
    return tx.all(
        "SELECT rid, email, phone, locale, fields FROM recipient WHERE version_id = :v ORDER BY rid LIMIT :limit",
        v=version_id, limit=limit,
    )  # fmt: skip


def remove(tx: Tx, name: str, now: int) -> bool:
    """Take the audience off the list; broadcasts that used it keep their versions. Whether there was one."""
    sql = "UPDATE audience SET removed_at = :now WHERE name = :name AND removed_at IS NULL"
    return bool(tx.change(sql, now=now, name=name))


def _version(row: Row[Any]) -> Version:
    return Version(row.id, row.name, row.number, row.size, row.content_hash, tuple(json.loads(row.fields)))
