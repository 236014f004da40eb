"""Control rows and channel gates: release, pause, stop, freeze and expiry, each one small UPDATE whatever the size."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.states import CONTROL, ControlState

_FROM = {to: [str(was) for was, into in CONTROL.items() if to in into] for to in ControlState}


def add(tx: Tx, broadcast_id: int, channel: str, **values: Any) -> None:
    """The control row of one planned channel."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    tx.change(
        f"INSERT INTO control (broadcast_id, channel, state, {names}) VALUES (:b, :channel, 'planned', {marks})",
        b=broadcast_id, channel=channel, **values,
    )  # fmt: skip


def of(tx: Tx, broadcast_id: int) -> dict[str, Row[Any]]:
    """Control rows of a broadcast by channel."""
    rows = tx.all("SELECT * FROM control WHERE broadcast_id = :b ORDER BY channel", b=broadcast_id)
    return {row.channel: row for row in rows}


def move(
    tx: Tx, broadcast_id: int, to: ControlState, now: int, *, channel: str | None = None, reason: str = "", **more: Any
) -> int:
    """Move the rows that may legally move; how many did."""
    which = " AND channel = :channel" if channel else ""
    pairs = "".join(f", {name} = :{name}" for name in more)
    states = ", ".join(f"'{state}'" for state in _FROM[to])
    values = {"channel": channel} if channel else {}
    return tx.change(
        f"UPDATE control SET state = :to, reason = :reason, changed_at = :now{pairs}"
        f" WHERE broadcast_id = :b AND state IN ({states}){which}",
        to=to, reason=reason, now=now, b=broadcast_id, **values, **more,
    )  # fmt: skip


def halt(tx: Tx, broadcast_id: int, channel: str, reason: str, now: int) -> None:
    """Pause one channel because something is wrong with it."""
    move(tx, broadcast_id, ControlState.PAUSED, now, channel=channel, reason=reason)


def any_expired(tx: Tx, now: int) -> bool:
    """Whether `expire` would find something."""
    sql = "SELECT 1 FROM control WHERE state IN ('released', 'paused', 'late') AND expires_at <= :now LIMIT 1"
    return tx.one(sql, now=now) is not None


def any_late(tx: Tx, latest: int) -> bool:
    """Whether `mark_late` would find something."""
    sql = "SELECT 1 FROM control WHERE state = 'released' AND started_at IS NULL AND release_at < :latest LIMIT 1"
    return tx.one(sql, latest=latest) is not None


def expire(tx: Tx, now: int) -> list[tuple[int, str]]:
    """Rows whose time is over, once no call of theirs is under way: expired, or stopped where a newer broadcast ended
    them. (broadcast_id, channel)."""
    found = tx.all(
        "UPDATE control SET state = CASE WHEN superseded_by IS NULL THEN 'expired' ELSE 'stopped' END,"
        " changed_at = :now, reason = CASE WHEN superseded_by IS NULL THEN 'past its expiry'"
        " ELSE 'superseded by B-' || superseded_by END"
        " WHERE state IN ('released', 'paused', 'late') AND expires_at <= :now RETURNING broadcast_id, channel",
        now=now,
    )
    return [(row.broadcast_id, row.channel) for row in found]


def mark_late(tx: Tx, now: int, latest: int) -> list[tuple[int, str]]:
    """Releases that nobody began in time: they wait for a person. (broadcast_id, channel)."""
    found = tx.all(
        "UPDATE control SET state = 'late', changed_at = :now, reason = 'came due during an outage'"
        " WHERE state = 'released' AND started_at IS NULL AND release_at < :latest RETURNING broadcast_id, channel",
        now=now, latest=latest,
    )  # fmt: skip
    return [(row.broadcast_id, row.channel) for row in found]


def forgive_lateness(tx: Tx, broadcast_id: int, now: int, channel: str | None) -> None:
    """A person lets late releases go after all: they count as released now."""
    tx.change(
        "UPDATE control SET release_at = :now WHERE broadcast_id = :b AND state = 'late'"
        " AND (channel = :channel OR :channel IS NULL)",
        now=now, b=broadcast_id, channel=channel,
    )  # fmt: skip


def gates(tx: Tx) -> dict[str, Row[Any]]:
    """Channel gates by channel: frozen_at, reason."""
    return {row.channel: row for row in tx.all("SELECT * FROM channel_gate ORDER BY channel")}


def freeze(tx: Tx, channel: str, reason: str, now: int) -> bool:
    """Close a channel for every broadcast; returns once no intent is half way. Whether it was open."""
    return bool(
        tx.change(
            "UPDATE channel_gate SET frozen_at = :now, reason = :reason WHERE channel = :channel AND frozen_at IS NULL",
            now=now, reason=reason, channel=channel,
        )
    )  # fmt: skip


def thaw(tx: Tx, channel: str) -> bool:
    """Open it again; whether it was closed."""
    return bool(
        tx.change(
            "UPDATE channel_gate SET frozen_at = NULL, reason = '' WHERE channel = :channel AND frozen_at IS NOT NULL",
            channel=channel,
        )
    )


def due_channels(tx: Tx, now: int, latest: int) -> Sequence[str]:
    """Channels on which some batch could be claimed now."""
    found = tx.all(
        "SELECT DISTINCT c.channel FROM control c JOIN channel_gate g ON g.channel = c.channel"
        " WHERE c.state = 'released' AND c.release_at <= :now AND c.expires_at > :now AND g.frozen_at IS NULL"
        " AND (c.started_at IS NOT NULL OR c.release_at >= :latest)"
        " AND EXISTS (SELECT 1 FROM batch b WHERE b.broadcast_id = c.broadcast_id AND b.channel = c.channel"
        " AND b.waiting > 0 AND b.owner IS NULL AND b.due_at <= :now)",
        now=now, latest=latest,
    )  # fmt: skip
    return [row.channel for row in found]
