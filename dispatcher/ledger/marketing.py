"""Promotion: which word is a yes to it, what waits because of which open incident, and what people missed."""

from collections.abc import Iterable, Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

AGREED = ("yes", "y", "true", "1", "agreed", "opted in", "oui", "ja")
"""Words in the column of consent that mean a yes; anything else, and nothing, means no."""


def incidents(tx: Tx, mode: str, severities: Iterable[str], hidden: Iterable[str]) -> Sequence[Row[Any]]:
    """Incidents that go on and make promotion wait: id, title. `hidden` are the severities at which one does that the
    public does not know of."""
    all_, grave = _words(severities), _words(hidden)
    return tx.all(
        "SELECT id, title FROM incident WHERE closed_at IS NULL AND phase <> 'resolved' AND mode = :mode"
        f" AND severity IN ({all_}) AND (visibility = 'public' OR severity IN ({grave})) ORDER BY id",
        mode=mode,
    )


def _words(words: Iterable[str]) -> str:
    """Words of ours as a list of SQL; one that nothing equals where there are none."""
    return ", ".join(f"'{word}'" for word in words if word.isidentifier()) or "''"


def hold(tx: Tx, broadcast_id: int, incident_id: int, now: int) -> bool:
    """This broadcast waits because of this incident; False if that was said before."""
    return bool(
        tx.change(
            "INSERT INTO marketing_pause (broadcast_id, incident_id, at) VALUES (:b, :i, :now) ON CONFLICT DO NOTHING",
            b=broadcast_id, i=incident_id, now=now,
        )
    )  # fmt: skip


def let_go(tx: Tx, broadcast_id: int, incident_id: int, person_id: int, reason: str, now: int) -> None:
    """A person lets it go although the incident goes on."""
    hold(tx, broadcast_id, incident_id, now)
    tx.change(
        "UPDATE marketing_pause SET let_go_at = :now, let_go_by = :p, reason = :reason"
        " WHERE broadcast_id = :b AND incident_id = :i AND let_go_at IS NULL",
        now=now, p=person_id, reason=reason, b=broadcast_id, i=incident_id,
    )  # fmt: skip


def freed(tx: Tx, broadcast_id: int) -> set[int]:
    """Incidents that a person has let this broadcast go in spite of."""
    rows = tx.all(
        "SELECT incident_id FROM marketing_pause WHERE broadcast_id = :b AND let_go_at IS NOT NULL", b=broadcast_id
    )
    return {row.incident_id for row in rows}


def under_way(tx: Tx, mode: str) -> list[tuple[int, set[int]]]:
    """Released promotional broadcasts, each with the incidents because of which it has waited already."""
    rows = tx.all(
        "SELECT b.id, m.incident_id FROM broadcast b LEFT JOIN marketing_pause m ON m.broadcast_id = b.id"
        " WHERE b.purpose = 'promotional' AND b.state = 'released' AND b.mode = :mode ORDER BY b.id",
        mode=mode,
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        found.setdefault(row.id, set()).update({row.incident_id} - {None})
    return list(found.items())


def missed(tx: Tx, incident_id: int | None) -> Sequence[Row[Any]]:
    """What waited because of an incident, or of any: with how many deliveries there are and how many went out."""
    which = "WHERE m.incident_id = :i" if incident_id is not None else ""
    values = {"i": incident_id} if incident_id is not None else {}
    return tx.all(
        "SELECT m.broadcast_id, m.incident_id, m.at, m.let_go_at, m.reason, p.name, b.title, b.state,"
        " (SELECT coalesce(sum(t.size - t.suppressed), 0) FROM batch t WHERE t.broadcast_id = b.id) AS meant,"
        " (SELECT coalesce(sum(t.accepted + t.delivered + t.unknown + t.sending + t.failed), 0) FROM batch t"
        " WHERE t.broadcast_id = b.id) AS went"
        " FROM marketing_pause m JOIN broadcast b ON b.id = m.broadcast_id LEFT JOIN person p ON p.id = m.let_go_by"
        f" {which} ORDER BY m.at, m.broadcast_id",
        **values,
    )
