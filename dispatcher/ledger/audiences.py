"""Audiences and their immutable versions: a saved selection of recipients, each version numbered from 1."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from dispatcher.errors import AudienceError, NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.recipient import Recipient

FIELD, RECORD = "\x1f", "\x1e"
_NAMED = ("name", "first_name")
_SELECT = (
    "SELECT v.id, v.audience_id, a.name, v.number, v.size, v.content_hash, v.fields, v.source, v.region, v.imported_by,"
    " v.created_at FROM audience_version v JOIN audience a ON a.id = v.audience_id"
)

Line: TypeAlias = tuple[int, str | None, str | None, str | None, str]
"""One recipient as stored: rid, email, phone, locale, fields (canonical JSON)."""


@dataclass(frozen=True, slots=True)
class AudienceVersion:
    """`fields` are the names of the columns beside the addresses; `source` is the name of the file it came from."""

    id: int
    audience_id: int
    name: str
    number: int
    size: int
    content_hash: str
    fields: tuple[str, ...]
    source: str
    region: str
    imported_by: int | None
    created_at: datetime | None

    @property
    def label(self) -> str:
        """How people call it."""
        return f"{self.name} (version {self.number})"


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of a version have an address on each channel, and how many have none at all."""

    email: int
    phone: int
    nowhere: int
    locales: tuple[tuple[str, int], ...]


def current(tx: Tx, name: str) -> AudienceVersion:
    """The newest version of an audience; raises where there is none, so that a wrong name never means everybody."""
    found = tx.one(f"{_SELECT} WHERE a.name = :name AND a.removed_at IS NULL ORDER BY v.number DESC LIMIT 1", name=name)
    if found is None:
        raise NotFound(
            f"There is no audience {name!r}.",
            why="A missing audience means nobody.",
            mend=("dispatcher audience list shows their names", f"dispatcher audience import FILE --into {name}"),
            code="E-AUD",
        )
    if not found.size:
        raise AudienceError(f"The audience {name!r} is empty.", mend="Import a list that holds somebody.")
    return _version(found)


def latest(tx: Tx, name: str) -> AudienceVersion | None:
    """The newest version of an audience, if there is any."""
    found = tx.one(f"{_SELECT} WHERE a.name = :name AND a.removed_at IS NULL ORDER BY v.number DESC LIMIT 1", name=name)
    return None if found is None else _version(found)


def version(tx: Tx, version_id: int) -> AudienceVersion:
    """One version by its id, of a removed audience too."""
    found = tx.one(f"{_SELECT} WHERE v.id = :id", id=version_id)
    if found is None:
        raise NotFound(f"There is no audience version {version_id}.", mend="dispatcher audience list shows them.")
    return _version(found)


def name_of(tx: Tx, version_id: int) -> str:
    """The audience's name of a version."""
    return version(tx, version_id).name


def listing(tx: Tx) -> list[AudienceVersion]:
    """The newest version of every audience, by name."""
    rows = tx.all(
        f"{_SELECT} WHERE a.removed_at IS NULL"
        " AND v.number = (SELECT max(number) FROM audience_version WHERE audience_id = a.id) ORDER BY a.name"
    )
    return [_version(row) for row in rows]


def versions(tx: Tx, name: str) -> list[AudienceVersion]:
    """Every version of an audience, the newest first."""
    rows = tx.all(f"{_SELECT} WHERE a.name = :name AND a.removed_at IS NULL ORDER BY v.number DESC", name=name)
    return [_version(row) for row in rows]


def open_version(
    tx: Tx, name: str, *, fields: Sequence[str], source: str, region: str, imported_by: int | None, now: int
) -> AudienceVersion:
    """A new version, still empty; `fill` it in the same transaction."""
    audience = tx.scalar("SELECT id FROM audience WHERE name = :name AND removed_at IS NULL", name=name)
    if audience is None:
        audience = tx.scalar("INSERT INTO audience (name, created_at) VALUES (:n, :now) RETURNING id", n=name, now=now)
    made = tx.scalar(
        "INSERT INTO audience_version"
        " (audience_id, number, size, content_hash, fields, source, region, imported_by, created_at)"
        " SELECT :a, coalesce(max(number), 0) + 1, 0, '', :fields, :source, :region, :by, :now"
        " FROM audience_version WHERE audience_id = :a RETURNING id",
        a=audience, fields=json.dumps(list(fields), ensure_ascii=False), source=source, region=region, by=imported_by,
        now=now,
    )  # fmt: skip
    return version(tx, int(made))


def fill(tx: Tx, version_id: int, lines: Iterable[Line]) -> AudienceVersion:
    """Write the recipients of a new version, and its size and content hash; the version as it now is."""
    tally = _Tally()
    columns = ("version_id", "rid", "email", "phone", "locale", "fields")
    tx.insert("recipient", columns, ((version_id, *line) for line in tally.over(lines)))
    tx.change(
        "UPDATE audience_version SET size = :size, content_hash = :hash WHERE id = :id",
        id=version_id, size=tally.size, hash=tally.content_hash,
    )  # fmt: skip
    return version(tx, version_id)


def seal(tx: Tx, version_id: int) -> AudienceVersion:
    """Size and content hash of a version whose recipients were written in sets; refused where there are none."""
    tally = _Tally()
    sql = "SELECT rid, email, phone, locale, fields FROM recipient WHERE version_id = :v ORDER BY rid"
    for rows in tx.stream(sql, v=version_id):
        for _ in tally.over((row.rid, row.email, row.phone, row.locale, row.fields) for row in rows):
            pass
    if not tally.size:
        raise AudienceError("Nobody is left for this audience.", why="No delivery is in the state asked for.")
    tx.change(
        "UPDATE audience_version SET size = :size, content_hash = :hash WHERE id = :id",
        id=version_id, size=tally.size, hash=tally.content_hash,
    )  # fmt: skip
    return version(tx, version_id)


def content_hash(lines: Iterable[Line]) -> str:
    """What the version of these recipients will be called by: equal for equal people in equal order."""
    tally = _Tally()
    for _ in tally.over(lines):
        pass
    return tally.content_hash


class _Tally:
    """Counts and digests recipients as they pass."""

    def __init__(self) -> None:
        self.size = 0
        self._digest = hashlib.sha256()

    @property
    def content_hash(self) -> str:
        return self._digest.hexdigest()

    def over(self, lines: Iterable[Line]) -> Iterator[Line]:
        for line in lines:
            rid, email, phone, locale, fields = line
            text = f"{rid}{FIELD}{email or ''}{FIELD}{phone or ''}{FIELD}{locale or ''}{FIELD}{fields}{RECORD}"
            self._digest.update(text.encode())
            self.size += 1
            yield line


def remove(tx: Tx, name: str, now: int) -> bool:
    """Take an audience off the list. Its versions stay: deliveries point into them."""
    changed = tx.change("UPDATE audience SET removed_at = :now WHERE name = :n AND removed_at IS NULL", n=name, now=now)
    return changed > 0


def open_broadcasts(tx: Tx, name: str) -> list[int]:
    """Broadcasts to an audience that are neither done, stopped, rejected nor expired."""
    rows = tx.all(
        "SELECT b.id FROM broadcast b JOIN audience_version v ON v.id = b.audience_version_id"
        " JOIN audience a ON a.id = v.audience_id WHERE a.name = :name AND a.removed_at IS NULL"
        " AND b.state NOT IN ('done', 'stopped', 'rejected', 'expired') ORDER BY b.id",
        name=name,
    )  # fmt: skip
    return [row.id for row in rows]


def reach(tx: Tx, version_id: int) -> Reach:
    """Who of a version can be reached how."""
    row = tx.one(
        "SELECT count(email) AS email, count(phone) AS phone,"
        " coalesce(sum(CASE WHEN email IS NULL AND phone IS NULL THEN 1 ELSE 0 END), 0) AS nowhere"
        " FROM recipient WHERE version_id = :v",
        v=version_id,
    )  # fmt: skip
    spoken = tx.all(
        "SELECT coalesce(locale, '') AS locale, count(*) AS n FROM recipient WHERE version_id = :v"
        " GROUP BY coalesce(locale, '') ORDER BY count(*) DESC, coalesce(locale, '')",
        v=version_id,
    )  # fmt: skip
    found = row or _NOBODY
    return Reach(found.email, found.phone, int(found.nowhere), tuple((line.locale, line.n) for line in spoken))


_NOBODY = Reach(0, 0, 0, ())


def suppressed(tx: Tx, version_id: int) -> dict[Channel, int]:
    """How many addresses of a version are suppressed for everything, by channel."""
    sql = (
        "SELECT count(*) FROM recipient r JOIN suppression s ON s.address = r.{column} AND s.channel = :channel"
        " AND s.scope = 'all' AND s.removed_at IS NULL WHERE r.version_id = :v"
    )
    columns = {Channel.EMAIL: "email", Channel.SMS: "phone"}
    return {
        channel: int(tx.scalar(sql.format(column=column), v=version_id, channel=channel) or 0)
        for channel, column in columns.items()
    }


def page(tx: Tx, version_id: int, after: int = 0, limit: int = 100) -> list[Recipient]:
    """Recipients of a version in order, those after a rid."""
    rows = tx.all(
        "SELECT rid, email, phone, locale, fields FROM recipient WHERE version_id = :v AND rid > :after"
        " ORDER BY rid LIMIT :limit",
        v=version_id, after=after, limit=limit,
    )  # fmt: skip
    return [_recipient(row) for row in rows]


def _recipient(row: Row[Any]) -> Recipient:
    fields = json.loads(row.fields)
    written = {Channel.EMAIL: row.email, Channel.SMS: row.phone}
    return Recipient(
        rid=row.rid,
        addresses={channel: address for channel, address in written.items() if address},
        name=fields.get("name", ""),
        first_name=fields.get("first_name", ""),
        locale=row.locale or "",
        fields={name: value for name, value in fields.items() if name not in _NAMED},
    )


def _version(row: Row[Any]) -> AudienceVersion:
    return AudienceVersion(
        id=row.id,
        audience_id=row.audience_id,
        name=row.name,
        number=row.number,
        size=row.size,
        content_hash=row.content_hash,
        fields=tuple(json.loads(row.fields)),
        source=row.source,
        region=row.region,
        imported_by=row.imported_by,
        created_at=from_ms(row.created_at),
    )
