"""Pre-approvals: what was said yes to in peace, by whom, and what was made under it."""

from collections.abc import Sequence
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

_SELECT = (
    "SELECT a.*, p.name AS author, q.name AS revoker FROM preapproval a"
    " JOIN person p ON p.id = a.created_by LEFT JOIN person q ON q.id = a.revoked_by"
)


def add(tx: Tx, name: str, template_id: str, terms: str, digest: str, by: int, now: int, ends_at: int) -> int:
    """A new pre-approval that nobody has said yes to; its id."""
    return int(
        tx.scalar(
            "INSERT INTO preapproval (name, template_id, terms, digest, created_by, created_at, ends_at)"
            " VALUES (:name, :template, :terms, :digest, :by, :now, :ends) RETURNING id",
            name=name, template=template_id, terms=terms, digest=digest, by=by, now=now, ends=ends_at,
        )
    )  # fmt: skip


def get(tx: Tx, preapproval_id: int, *, lock: bool = False) -> Row[Any]:
    """One of them, revoked or not."""
    suffix = " FOR UPDATE OF a" if lock and not tx.is_sqlite else ""
    row = tx.one(f"{_SELECT} WHERE a.id = :id{suffix}", id=preapproval_id)
    if row is None:
        raise NotFound(f"There is no pre-approval {preapproval_id}.", mend="dispatcher preapproval list shows them.")
    return row


def by_name(tx: Tx, name: str) -> Row[Any] | None:
    """The one of this name that is not revoked, else the latest that was."""
    return tx.one(f"{_SELECT} WHERE a.name = :name ORDER BY a.revoked_at IS NOT NULL, a.id DESC LIMIT 1", name=name)


def every(tx: Tx) -> Sequence[Row[Any]]:
    """All of them, the newest first."""
    return tx.all(f"{_SELECT} ORDER BY a.id DESC")


def say_yes(tx: Tx, preapproval_id: int, person_id: int, level: str, now: int) -> None:
    """One person's yes; a second one of the same person changes nothing."""
    tx.change(
        "INSERT INTO preapproval_yes (preapproval_id, person_id, level, at) VALUES (:id, :person, :level, :now)"
        " ON CONFLICT DO NOTHING",
        id=preapproval_id, person=person_id, level=level, now=now,
    )  # fmt: skip


def yeses(tx: Tx, preapproval_id: int) -> Sequence[Row[Any]]:
    """Who said yes: person_id, name, level, at."""
    return tx.all(
        "SELECT y.person_id, p.name, y.level, y.at FROM preapproval_yes y JOIN person p ON p.id = y.person_id"
        " WHERE y.preapproval_id = :id ORDER BY y.at, y.person_id",
        id=preapproval_id,
    )


def revoke(tx: Tx, preapproval_id: int, person_id: int, reason: str, now: int) -> bool:
    """Take it back; whether it still held."""
    return bool(
        tx.change(
            "UPDATE preapproval SET revoked_at = :now, revoked_by = :by, revoked_reason = :reason"
            " WHERE id = :id AND revoked_at IS NULL",
            now=now, by=person_id, reason=reason, id=preapproval_id,
        )
    )  # fmt: skip


def instances(tx: Tx, preapproval_id: int) -> list[int]:
    """Broadcasts that were made under it, the oldest first."""
    rows = tx.all("SELECT id FROM broadcast WHERE preapproval_id = :id ORDER BY id", id=preapproval_id)
    return [row.id for row in rows]
