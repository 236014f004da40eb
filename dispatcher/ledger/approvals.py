"""What surrounds a yes: what approvers were asked, warnings that were let pass, deputies, and what must be reviewed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dispatcher.ledger.broadcasts import canonical
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row


def ask(
    tx: Tx, broadcast_id: int, digest: str, basis: str, findings: Sequence[Mapping[str, Any]], now: int, due: int
) -> None:
    """Approvers are asked about this digest; an earlier question about the same broadcast is forgotten."""
    tx.change("DELETE FROM submission WHERE broadcast_id = :b", b=broadcast_id)
    tx.change(
        "INSERT INTO submission (broadcast_id, digest, basis, findings, asked_at, due_at)"
        " VALUES (:b, :digest, :basis, :findings, :now, :due)",
        b=broadcast_id, digest=digest, basis=basis, findings=canonical(list(findings)), now=now, due=due,
    )  # fmt: skip


def asked(tx: Tx, broadcast_id: int, digest: str | None) -> Row[Any] | None:
    """What was asked about exactly this digest: basis, findings, asked_at, due_at, passed_on_at."""
    return tx.one(
        "SELECT * FROM submission WHERE broadcast_id = :b AND digest = :digest", b=broadcast_id, digest=digest or ""
    )


def findings(row: Row[Any] | None) -> list[dict[str, Any]]:
    """What the check had found when the question was asked."""
    return list(json.loads(row.findings)) if row is not None else []


def unanswered(tx: Tx, now: int) -> list[int]:
    """Broadcasts whose approvers let the time pass, and whose deputies have not been asked yet."""
    rows = tx.all(
        "SELECT s.broadcast_id FROM submission s JOIN broadcast b ON b.id = s.broadcast_id AND b.digest = s.digest"
        " WHERE b.state = 'submitted' AND s.passed_on_at IS NULL AND s.due_at <= :now ORDER BY s.broadcast_id",
        now=now,
    )
    return [row.broadcast_id for row in rows]


def pass_on(tx: Tx, broadcast_id: int, now: int) -> bool:
    """Mark the question as passed on to deputies; False if somebody did so before."""
    return bool(
        tx.change(
            "UPDATE submission SET passed_on_at = :now WHERE broadcast_id = :b AND passed_on_at IS NULL",
            now=now, b=broadcast_id,
        )
    )  # fmt: skip


def overrule(tx: Tx, broadcast_id: int, rule: str, basis: str, what: str, person_id: int, reason: str, at: int) -> None:
    """Let a warning about one text pass."""
    tx.change(
        "INSERT INTO overruling (broadcast_id, rule, basis, what, person_id, reason, at)"
        " VALUES (:b, :rule, :basis, :what, :person, :reason, :at)",
        b=broadcast_id, rule=rule, basis=basis, what=what, person=person_id, reason=reason, at=at,
    )  # fmt: skip


def overrulings(tx: Tx, broadcast_id: int, basis: str) -> Sequence[Row[Any]]:
    """What was let pass about the text of this mark: rule, what, name, reason, at."""
    return tx.all(
        "SELECT o.rule, o.what, p.name, o.reason, o.at FROM overruling o JOIN person p ON p.id = o.person_id"
        " WHERE o.broadcast_id = :b AND o.basis = :basis ORDER BY o.id",
        b=broadcast_id, basis=basis,
    )  # fmt: skip


def decisions(tx: Tx, broadcast_id: int, digest: str, kinds: Iterable[str]) -> Sequence[Row[Any]]:
    """Decisions of these kinds about a digest: person_id, name, level, decision, reason, at, for_id, for_name."""
    marks = ", ".join(f"'{kind}'" for kind in kinds if kind.isidentifier())
    return tx.all(
        "SELECT a.person_id, p.name, a.level, a.decision, a.reason, a.at, a.for_id, f.name AS for_name FROM approval a"
        " JOIN person p ON p.id = a.person_id LEFT JOIN person f ON f.id = a.for_id"
        f" WHERE a.broadcast_id = :b AND a.digest = :digest AND a.decision IN ({marks}) ORDER BY a.id",
        b=broadcast_id, digest=digest,
    )  # fmt: skip


def void(tx: Tx, broadcast_id: int) -> None:
    """Every yes that was said so far is history: it does not come back where an edit leads to the same digest again."""
    tx.change(
        "UPDATE approval SET decision = 'void_' || decision"
        " WHERE broadcast_id = :b AND decision IN ('approve', 'break_glass')",
        b=broadcast_id,
    )


def set_deputy(tx: Tx, person_id: int, deputy_id: int, away_until: int | None) -> None:
    """Name a deputy, or say anew until when the person is away."""
    tx.change("DELETE FROM deputy WHERE person_id = :p AND deputy_id = :d", p=person_id, d=deputy_id)
    tx.change(
        "INSERT INTO deputy (person_id, deputy_id, away_until) VALUES (:p, :d, :until)",
        p=person_id, d=deputy_id, until=away_until,
    )  # fmt: skip


def remove_deputy(tx: Tx, person_id: int, deputy_id: int) -> bool:
    """Take a deputy's office away; whether there was one."""
    return bool(tx.change("DELETE FROM deputy WHERE person_id = :p AND deputy_id = :d", p=person_id, d=deputy_id))


def deputies(tx: Tx) -> Sequence[Row[Any]]:
    """Every deputy whose person and who themselves are still here: person_id, person, deputy_id, deputy, away_until."""
    return tx.all(
        "SELECT d.person_id, p.name AS person, d.deputy_id, q.name AS deputy, d.away_until FROM deputy d"
        " JOIN person p ON p.id = d.person_id AND p.removed_at IS NULL"
        " JOIN person q ON q.id = d.deputy_id AND q.removed_at IS NULL ORDER BY p.name, q.name"
    )


def open_review(tx: Tx, broadcast_id: int, digest: str, detail: str, now: int) -> None:
    """Something was done outside the rule; the same again about the same digest is one review."""
    tx.change(
        "INSERT INTO review (broadcast_id, digest, opened_at, detail) VALUES (:b, :digest, :now, :detail)"
        " ON CONFLICT DO NOTHING",
        b=broadcast_id, digest=digest, now=now, detail=detail,
    )  # fmt: skip


def reviews(tx: Tx, *, open_only: bool = True) -> Sequence[Row[Any]]:
    """Reviews, the oldest first: broadcast_id, digest, opened_at, detail, closed_at, name, verdict."""
    which = "WHERE r.closed_at IS NULL" if open_only else ""
    return tx.all(
        "SELECT r.broadcast_id, r.digest, r.opened_at, r.detail, r.closed_at, p.name, r.verdict FROM review r"
        f" LEFT JOIN person p ON p.id = r.closed_by {which} ORDER BY r.id"
    )


def close_review(tx: Tx, broadcast_id: int, person_id: int, verdict: str, now: int) -> bool:
    """A person has looked at it and says what they think; whether something was open."""
    return bool(
        tx.change(
            "UPDATE review SET closed_at = :now, closed_by = :p, verdict = :verdict"
            " WHERE broadcast_id = :b AND closed_at IS NULL",
            now=now, p=person_id, verdict=verdict, b=broadcast_id,
        )
    )  # fmt: skip
