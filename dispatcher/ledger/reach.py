"""Who read one broadcast and what has followed it to them: counted and listed in sets.

Two broadcasts have audiences of their own, so people are matched by address: who was told on one address and corrected
on another of theirs counts as corrected, since both stand in the first audience.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

NOT_YET, WAITING, PERHAPS, TOLD = range(4)
"""How far the later word has come: not planned for them, on its way, perhaps read, accepted or delivered."""

_GOES_ON = "('planned', 'released', 'paused', 'late')"


def followers(tx: Tx, broadcast_id: int, relation: str) -> list[int]:
    """Broadcasts that correct or update this one directly, drafts too, the oldest first."""
    rows = tx.all(
        "SELECT id FROM broadcast WHERE origin_id = :b AND relation = :relation"
        " AND state NOT IN ('rejected') ORDER BY id",
        b=broadcast_id, relation=relation,
    )  # fmt: skip
    return [row.id for row in rows]


def counts(tx: Tx, broadcast_id: int, later: Sequence[int]) -> dict[tuple[bool, int], int]:
    """People by whether they surely read the first one, and by how far the later ones have come to them."""
    rows = tx.all(
        f"SELECT x.sure, x.far, count(*) AS n FROM ({_people(tx, later)}) x GROUP BY x.sure, x.far",
        b=broadcast_id, **_ids(later),
    )  # fmt: skip
    return {(bool(row.sure), int(row.far)): int(row.n) for row in rows}


def missed(tx: Tx, broadcast_id: int, later: Sequence[int]) -> Iterator[Sequence[Row[Any]]]:
    """Those who read the first one, or may have, and whom no later one has provably reached: rid, name fields, email,
    phone, locale, sure, far; in pages."""
    yield from tx.stream(
        f"SELECT x.* FROM ({_people(tx, later)}) x WHERE x.far < {TOLD} ORDER BY x.rid", b=broadcast_id, **_ids(later)
    )


def _people(tx: Tx, later: Sequence[int]) -> str:
    """One row for each person who has the first message or may have it."""
    seen = (
        "SELECT d.rid, max(CASE WHEN d.state IN (5, 6) THEN 1 ELSE 0 END) AS sure"
        f" FROM batch b {lookups.deliveries(tx)}"
        " WHERE b.broadcast_id = :b AND b.channel IN ('email', 'sms') AND d.state IN (3, 4, 5, 6) GROUP BY d.rid"
    )
    return (
        "SELECT s.rid, r.email, r.phone, r.locale, r.fields, s.sure,"
        " CASE WHEN coalesce(m.far, 0) > coalesce(p.far, 0) THEN coalesce(m.far, 0) ELSE coalesce(p.far, 0) END AS far"
        f" FROM ({seen}) s JOIN broadcast o ON o.id = :b"
        f" {lookups.recipients(tx, 's')}"
        f" LEFT JOIN ({_told(tx, later, 'email', 'email')}) m ON m.address = r.email"
        f" LEFT JOIN ({_told(tx, later, 'sms', 'phone')}) p ON p.address = r.phone"
    )


def _told(tx: Tx, later: Sequence[int], channel: str, column: str) -> str:
    """Addresses of one channel to how far the later broadcasts have come."""
    among = ", ".join(f":n{i}" for i in range(len(later))) or "NULL"
    return (
        f"SELECT r.{column} AS address, max(CASE WHEN d.state IN (5, 6) THEN {TOLD}"
        f" WHEN d.state IN (3, 4) THEN {PERHAPS}"
        f" WHEN d.state IN (0, 2) AND c.state IN {_GOES_ON} THEN {WAITING} ELSE {NOT_YET} END) AS far"
        f" FROM batch b JOIN broadcast o ON o.id = b.broadcast_id {lookups.deliveries(tx)} {lookups.recipients(tx)}"
        " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
        f" WHERE b.broadcast_id IN ({among}) AND b.channel = '{channel}' AND r.{column} IS NOT NULL GROUP BY r.{column}"
    )


def _ids(later: Sequence[int]) -> dict[str, int]:
    return {f"n{i}": one for i, one in enumerate(later)}
