"""Which broadcast makes which older one void, and how: the older one's time ends when the newer one's begins.

That is written into the older one's control rows by the very transaction that releases the newer one. From then on no
claim and no intent of the older one passes that instant, on any host, whether or not a tick runs; vendors are told the
same end. And whoever claims the first batch of the newer one ends the older one before, whatever the clocks say.

An update makes older updates and what they follow void; a correction the wrong words and older corrections of them; a
broadcast of the same template, incident and audience the one before it. A correction is never made void by an update:
its people still have to read it. Nor is a template (a breach notice) by another one, unless it is among those whose
words are `passing`: void once there is newer news.
"""

from collections.abc import Collection, Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

_OPEN = "('released', 'paused', 'late', 'done')"
_UNDER_WAY = "('released', 'paused', 'late')"
_COLUMNS = "o.id, o.origin_id, o.relation, o.template_id, o.incident_id, o.state, o.release_at, v.audience_id, o.mode"
_FROM = "FROM broadcast o LEFT JOIN audience_version v ON v.id = o.audience_version_id"


def older(tx: Tx, broadcast_id: int, passing: Collection[str]) -> list[int]:
    """The broadcasts that this one makes void, the newest first."""
    mine = _row(tx, broadcast_id)
    return sorted((one.id for one, kin in _others(tx, mine) if _voids(mine, one, kin, passing)), reverse=True)


def newer(tx: Tx, broadcast_id: int, passing: Collection[str]) -> list[int]:
    """Released broadcasts that make this one void, the oldest first. One that ended before it began is none."""
    mine = _row(tx, broadcast_id)
    found = [one for one, kin in _others(tx, mine) if one.release_at is not None and _voids(one, mine, kin, passing)]
    return sorted(one.id for one in found if one.state in ("released", "paused", "done") or _began(tx, one.id))


def lock(tx: Tx, broadcast_id: int) -> None:
    """Nobody else decides about this incident's broadcasts until the transaction ends."""
    if tx.is_sqlite:
        return
    mine = _row(tx, broadcast_id)
    table, number = ("incident", mine.incident_id) if mine.incident_id else ("broadcast", _root(tx, broadcast_id))
    tx.one(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE", id=number)


def supersede(tx: Tx, broadcast_id: int, at: int, now: int, passing: Collection[str]) -> list[int]:
    """End what this broadcast makes void when it begins, at `at` (ms); those whose end that is now.

    Our own accounts go on where the newer one does not speak there: their readers would have neither.
    """
    changed = []
    for one in older(tx, broadcast_id, passing):
        _lock_controls(tx, one)
        if tx.change(
            "UPDATE control SET superseded_by = :n, expires_at = :at, changed_at = :now WHERE broadcast_id = :o"
            f" AND state IN {_OPEN} AND expires_at > :at AND (channel IN ('email', 'sms') OR channel IN"
            " (SELECT channel FROM control WHERE broadcast_id = :n))",
            n=broadcast_id, o=one, at=at, now=now,
        ):  # fmt: skip
            changed.append(one)
    return changed


def lift(tx: Tx, broadcast_id: int, now: int, passing: Collection[str]) -> list[int]:
    """The newer one does not go out after all: whom it would have ended goes on; which those are."""
    rows = tx.all(
        "UPDATE control SET superseded_by = NULL, changed_at = :now, expires_at ="
        " (SELECT o.expires_at FROM broadcast o WHERE o.id = control.broadcast_id)"
        f" WHERE superseded_by = :n AND state IN {_OPEN} RETURNING broadcast_id",
        n=broadcast_id, now=now,
    )  # fmt: skip
    freed = sorted({row.broadcast_id for row in rows})
    for one in freed:
        for other in newer(tx, one, passing):
            if other != broadcast_id:
                supersede(tx, other, _row(tx, other).release_at, now, passing)
    return freed


def end(tx: Tx, broadcast_id: int, now: int) -> int:
    """The newer one begins: what it makes void is over at this moment; how many channels that ends."""
    return tx.change(
        f"UPDATE control SET state = 'stopped', reason = 'superseded by B-{int(broadcast_id)}', changed_at = :now"
        f" WHERE superseded_by = :n AND state IN {_UNDER_WAY}",
        n=broadcast_id, now=now,
    )  # fmt: skip


def ended(tx: Tx) -> Sequence[Row[Any]]:
    """Broadcasts still called released or paused of which a newer one ended the rest: id, by."""
    return tx.all(
        "SELECT o.id, max(c.superseded_by) AS by FROM broadcast o JOIN control c ON c.broadcast_id = o.id"
        " WHERE o.state IN ('released', 'paused') GROUP BY o.id"
        f" HAVING sum(CASE WHEN c.state IN {_UNDER_WAY} OR c.state = 'planned' THEN 1 ELSE 0 END) = 0"
        " AND sum(CASE WHEN c.state = 'stopped' AND c.superseded_by IS NOT NULL THEN 1 ELSE 0 END) > 0"
    )


def over(tx: Tx, broadcast_id: int, now: int) -> int | None:
    """The broadcast that has ended this one already; None while it may go on."""
    found = tx.scalar(
        "SELECT max(superseded_by) FROM control WHERE broadcast_id = :b AND superseded_by IS NOT NULL"
        " AND expires_at <= :now",
        b=broadcast_id, now=now,
    )  # fmt: skip
    return None if found is None else int(found)


def _row(tx: Tx, broadcast_id: int) -> Row[Any]:
    found = tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE o.id = :b", b=broadcast_id)
    if found is None:
        raise LookupError(broadcast_id)
    return found


def _root(tx: Tx, broadcast_id: int) -> int:
    return int(
        tx.scalar(
            "WITH RECURSIVE up (id, origin_id) AS (SELECT id, origin_id FROM broadcast WHERE id = :b UNION"
            " SELECT o.id, o.origin_id FROM broadcast o JOIN up ON o.id = up.origin_id) SELECT min(id) FROM up",
            b=broadcast_id,
        )
    )


def line(tx: Tx, broadcast_id: int) -> list[int]:
    """The broadcast, what it follows and everything that follows those, the oldest first."""
    rows = tx.all(
        "WITH RECURSIVE kin (id) AS (SELECT CAST(:root AS BIGINT) UNION SELECT o.id FROM broadcast o"
        " JOIN kin ON o.origin_id = kin.id WHERE o.relation IN ('update', 'correction', 'rerouted'))"
        " SELECT id FROM kin ORDER BY id",
        root=_root(tx, broadcast_id),
    )
    return [row.id for row in rows]


def _others(tx: Tx, mine: Row[Any]) -> list[tuple[Row[Any], bool]]:
    """Whatever may void the other: those of one line with this broadcast (True), and others of its incident (False)."""
    kin = {one: (_row(tx, one), True) for one in line(tx, mine.id) if one != mine.id}
    if mine.incident_id is None:
        return list(kin.values())
    rows = tx.all(
        f"SELECT {_COLUMNS} {_FROM} WHERE o.incident_id = :i AND o.template_id = :t AND o.id <> :id"
        " AND coalesce(o.relation, '') NOT IN ('test', 'notice')",
        i=mine.incident_id, t=mine.template_id, id=mine.id,
    )  # fmt: skip
    return list(({one.id: (one, False) for one in rows} | kin).values())


def _voids(new: Row[Any], old: Row[Any], kin: bool, passing: Collection[str]) -> bool:
    if old.id >= new.id or new.mode != old.mode:
        return False
    if new.relation == "correction":
        same_words = old.relation in ("correction", "rerouted") and old.origin_id == new.origin_id
        return bool(old.id == new.origin_id or same_words)
    if old.relation == "correction" or new.relation == "rerouted":
        return False
    alike = bool(new.template_id == old.template_id)
    if kin and new.relation == "update":
        return alike or old.template_id in passing
    return alike and new.audience_id is not None and bool(new.audience_id == old.audience_id)


def _began(tx: Tx, broadcast_id: int) -> bool:
    sql = "SELECT 1 FROM control WHERE broadcast_id = :b AND started_at IS NOT NULL LIMIT 1"
    return tx.one(sql, b=broadcast_id) is not None


def _lock_controls(tx: Tx, broadcast_id: int) -> None:
    if not tx.is_sqlite:
        tx.all("SELECT channel FROM control WHERE broadcast_id = :b ORDER BY channel FOR UPDATE", b=broadcast_id)
