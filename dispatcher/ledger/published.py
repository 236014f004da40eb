"""What may be shown to the public: live broadcasts that were released, of incidents that are public, and their acts."""

import json
from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.fact import Fact, FactKind
from dispatcher.model.kinds import FactState

_GONE_OUT = (
    "(b.relation IS NULL OR b.relation NOT IN ('test', 'notice')) AND b.mode = 'live' AND b.release_at <= :now"
    " AND (b.state IN ('released', 'done') OR EXISTS"
    " (SELECT 1 FROM control c WHERE c.broadcast_id = b.id AND c.started_at IS NOT NULL))"
)
"""Released in time; of what was stopped, paused or ran out only what had begun to go out. No tests."""
_PUBLIC = "i.visibility = 'public' AND i.mode = 'live'"


def broadcasts_of_incidents(tx: Tx, now: int, limit: int) -> Sequence[Row[Any]]:
    """Ids of published broadcasts with their incidents: those of the newest `limit` incidents, the oldest first."""
    chosen = (
        "SELECT b.id, b.incident_id FROM broadcast b JOIN incident i ON i.id = b.incident_id"
        f" WHERE {_GONE_OUT} AND {_PUBLIC} AND b.purpose = 'service' AND (EXISTS"
        " (SELECT 1 FROM document d WHERE d.broadcast_id = b.id AND d.name = 'page') OR EXISTS"
        " (SELECT 1 FROM rendition r WHERE r.broadcast_id = b.id AND r.channel = 'social'))"
    )
    return tx.all(
        f"SELECT id, incident_id FROM ({chosen}) AS p WHERE incident_id IN"
        f" (SELECT DISTINCT incident_id FROM ({chosen}) AS q ORDER BY incident_id DESC LIMIT :limit)"
        " ORDER BY incident_id DESC, id",
        now=now, limit=limit,
    )  # fmt: skip


def moves(tx: Tx, incident_id: int) -> Sequence[Row[Any]]:
    """When the phase changed and by whom, the oldest first: id, at, verb, person_id, door, detail."""
    return tx.all(
        "SELECT id, at, verb, person_id, door, detail FROM act WHERE incident_id = :i"
        " AND verb IN ('phase changed', 'closed') ORDER BY at, id",
        i=incident_id,
    )


def fact_as_of(tx: Tx, incident_id: int, name: str, at: int) -> Fact | None:
    """What a fact said, in our own language, at an instant; None where nothing was said or it was taken back."""
    row = tx.one(
        "SELECT name, kind, value, state FROM fact WHERE incident_id = :i AND name = :name AND locale = ''"
        " AND set_at <= :at AND (replaced_at IS NULL OR replaced_at > :at) ORDER BY id DESC",
        i=incident_id, name=name, at=at,
    )  # fmt: skip
    if row is None or row.state in (FactState.UNKNOWN, FactState.RETRACTED):
        return None
    return Fact(row.name, FactKind(row.kind), json.loads(row.value), FactState(row.state))


def sent(tx: Tx, now: int, limit: int) -> list[int]:
    """Ids of the newest released live broadcasts to customers or the public, for whoever asks about their codes."""
    rows = tx.all(
        f"SELECT b.id FROM broadcast b LEFT JOIN incident i ON i.id = b.incident_id WHERE {_GONE_OUT}"
        f" AND b.purpose IN ('service', 'promotional') AND (i.id IS NULL OR ({_PUBLIC}))"
        " ORDER BY b.id DESC LIMIT :limit",
        now=now, limit=limit,
    )  # fmt: skip
    return [row.id for row in rows]
