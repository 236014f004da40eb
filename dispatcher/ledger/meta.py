"""Facts about the ledger itself: its id, epoch, hold, and how far its attempts have come."""

from dispatcher.ledger.engine import Tx


def get(tx: Tx, name: str) -> str | None:
    """One value, or None."""
    found = tx.scalar("SELECT value FROM meta WHERE name = :name", name=name)
    return None if found is None else str(found)


def put(tx: Tx, name: str, value: str) -> None:
    """Set one value."""
    tx.change(
        "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        name=name, value=value,
    )  # fmt: skip


def drop(tx: Tx, name: str) -> None:
    """Forget one value."""
    tx.change("DELETE FROM meta WHERE name = :name", name=name)


def last_attempt(tx: Tx) -> int:
    """The highest attempt id ever given out here; 0 before the first."""
    if tx.is_sqlite:
        return int(tx.scalar("SELECT value FROM serial WHERE name = 'attempt'") or 0)
    row = tx.one("SELECT last_value, is_called FROM attempt_serial")
    return int(row.last_value) if row is not None and row.is_called else 0


def raise_attempts(tx: Tx, at_least: int) -> None:
    """Never give out an attempt id again that was given out before a restore."""
    if last_attempt(tx) >= at_least:
        return
    if tx.is_sqlite:
        tx.change("UPDATE serial SET value = :value WHERE name = 'attempt'", value=at_least)
    else:
        tx.scalar("SELECT setval('attempt_serial', :value)", value=at_least)


def site(tx: Tx) -> str:
    """Which database cluster this is; empty on SQLite, where the anchor alone tells."""
    if tx.is_sqlite:
        return ""
    return str(tx.scalar("SELECT system_identifier || '/' || current_database() FROM pg_control_system()"))


def has_gone_live(tx: Tx) -> bool:
    """Whether a live broadcast was ever released here, or anything handed over for one."""
    live = "JOIN broadcast b ON b.id = x.broadcast_id WHERE b.mode = 'live'"
    released = tx.one(f"SELECT 1 FROM control x {live} AND x.release_at IS NOT NULL LIMIT 1")
    return released is not None or tx.one(f"SELECT 1 FROM intent x {live} LIMIT 1") is not None


def put_once(tx: Tx, name: str, value: str) -> str:
    """Set one value unless it is there already; the value that stands."""
    tx.change(
        "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING", name=name, value=value
    )
    return get(tx, name) or value
