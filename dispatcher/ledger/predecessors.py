"""What was said before: the last message to the same people, and all that stands about the same incident."""

from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast

_APART = ("test", "notice", "rerouted")
"""Relations of broadcasts that repeat another one on purpose."""


def last(tx: Tx, broadcast: Broadcast) -> int | None:
    """The broadcast that an update or correction follows, else the newest one about this incident to the same audience
    (whatever its version); None where this is the first word."""
    if broadcast.relation in _APART:
        return None
    marks = {f"a{i}": word for i, word in enumerate(_APART)}
    apart = ", ".join(f":{name}" for name in marks)
    found = tx.scalar(
        "SELECT o.id FROM broadcast me JOIN broadcast o ON o.id <> me.id AND o.mode = me.mode"
        f" AND o.release_at IS NOT NULL AND coalesce(o.relation, '') NOT IN ({apart})"
        " LEFT JOIN audience_version mine ON mine.id = me.audience_version_id"
        " LEFT JOIN audience_version theirs ON theirs.id = o.audience_version_id"
        " WHERE me.id = :b AND (o.id = me.origin_id OR (o.incident_id = me.incident_id"
        " AND (me.relation = 'update' OR mine.audience_id = theirs.audience_id)))"
        " AND (me.release_at IS NULL OR o.release_at <= me.release_at)"
        " ORDER BY CASE WHEN me.relation = 'correction' AND o.id = me.origin_id THEN 0 ELSE 1 END,"
        " o.release_at DESC, o.id DESC LIMIT 1",
        b=broadcast.id, **marks,
    )  # fmt: skip
    return int(found) if found is not None else None


def standing(tx: Tx, broadcast: Broadcast) -> list[int]:
    """Other broadcasts of this incident, mode and purpose that are approved or have gone out, the oldest first.

    None that an update or correction has replaced, nor the one that this corrects.
    """
    marks = {f"a{i}": word for i, word in enumerate(_APART)}
    apart = ", ".join(f":{name}" for name in marks)
    rows = tx.all(
        "SELECT o.id FROM broadcast me JOIN broadcast o ON o.incident_id = me.incident_id AND o.id <> me.id"
        f" AND o.mode = me.mode AND o.purpose = me.purpose AND coalesce(o.relation, '') NOT IN ({apart})"
        " WHERE me.id = :b AND (o.state IN ('approved', 'released', 'paused', 'done')"
        " OR EXISTS (SELECT 1 FROM control c WHERE c.broadcast_id = o.id AND c.started_at IS NOT NULL))"
        " AND NOT (coalesce(me.relation, '') = 'correction' AND o.id = me.origin_id)"
        " AND NOT EXISTS (SELECT 1 FROM broadcast n WHERE n.origin_id = o.id AND n.id <> me.id"
        " AND n.relation IN ('update', 'correction') AND n.release_at IS NOT NULL) ORDER BY o.id",
        b=broadcast.id, **marks,
    )  # fmt: skip
    return [int(row.id) for row in rows]
