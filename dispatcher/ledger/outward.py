"""Notices to the organisation's own systems: a row per destination and act, claimed, answered or given up."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger import meta
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

DUE, DONE, DEAD = 0, 1, 2
OVERLAP = 1000
"""Acts looked at again each time: on PostgreSQL an act with a lower id may be committed after one with a higher."""


def begin(tx: Tx, destination: str) -> None:
    """From now on; what happened before a destination was named is not told to it."""
    newest = tx.scalar("SELECT max(id) FROM act") or 0
    meta.put_once(tx, f"outward_from:{destination}", str(newest))


def seen(tx: Tx, destination: str) -> tuple[int, int] | None:
    """The last act before a destination was named, and the last that was looked at; None for a new destination."""
    first = meta.get(tx, f"outward_from:{destination}")
    if first is None:
        return None
    return int(first), int(meta.get(tx, f"outward_seen:{destination}") or first)


def mark_seen(tx: Tx, destination: str, act: int) -> None:
    """Everything up to this act was looked at."""
    meta.put(tx, f"outward_seen:{destination}", str(act))


def newest_act(tx: Tx) -> int:
    """The highest id of an act."""
    return int(tx.scalar("SELECT max(id) FROM act") or 0)


def untold(tx: Tx, destination: str, after: int, verbs: Sequence[str]) -> Sequence[Row[Any]]:
    """Acts with these verbs about an incident or a broadcast that have no row yet, the oldest first."""
    names = ", ".join(f":v{i}" for i in range(len(verbs)))
    return tx.all(
        "SELECT a.id, a.at, a.verb, a.incident_id, a.broadcast_id FROM act a"
        f" WHERE a.id > :after AND a.verb IN ({names})"
        " AND (a.incident_id IS NOT NULL OR a.broadcast_id IS NOT NULL)"
        " AND NOT EXISTS (SELECT 1 FROM outward o WHERE o.destination = :to AND o.act_id = a.id) ORDER BY a.id",
        after=after, to=destination, **{f"v{i}": verb for i, verb in enumerate(verbs)},
    )  # fmt: skip


def add(tx: Tx, destination: str, act_id: int, kind: str, mode: str, body: str, now: int) -> None:
    """One notice, due at once. A second one about the same act is none."""
    tx.change(
        "INSERT INTO outward (destination, act_id, type, mode, body, made_at, due_at)"
        " VALUES (:to, :act, :kind, :mode, :body, :now, :now) ON CONFLICT DO NOTHING",
        to=destination, act=act_id, kind=kind, mode=mode, body=body, now=now,
    )  # fmt: skip


def any_due(tx: Tx, destinations: Sequence[str], now: int) -> bool:
    """Whether `claim` would find something."""
    return (
        tx.one(f"SELECT 1 FROM outward WHERE {_due(destinations)} LIMIT 1", now=now, **_names(destinations)) is not None
    )


def claim(tx: Tx, destinations: Sequence[str], now: int, until: int, limit: int) -> Sequence[Row[Any]]:
    """Due notices that are now ours until the lease ends; each counts as tried from here on."""
    due = _due(destinations)
    return tx.all(
        f"UPDATE outward SET lease_until = :until, tries = tries + 1 WHERE {due} AND id IN"
        f" (SELECT id FROM outward WHERE {due} ORDER BY due_at, id LIMIT :limit)"
        " RETURNING id, destination, act_id, type, mode, body, made_at, tries, lease_until",
        now=now, until=until, limit=limit, **_names(destinations),
    )  # fmt: skip


def _due(destinations: Sequence[str]) -> str:
    names = ", ".join(f":d{i}" for i in range(len(destinations))) or "NULL"
    return f"state = {DUE} AND due_at <= :now AND lease_until <= :now AND destination IN ({names})"


def _names(destinations: Sequence[str]) -> dict[str, str]:
    return {f"d{i}": name for i, name in enumerate(destinations)}


def answered(tx: Tx, number: int, now: int, why: str) -> None:
    """It was taken. Truth is written whoever holds the lease."""
    tx.change(
        f"UPDATE outward SET state = {DONE}, answered_at = :now, why = :why WHERE id = :id", now=now, why=why, id=number
    )


def again(tx: Tx, number: int, lease: int, due: int, why: str) -> None:
    """Not taken; due again later. Only by whoever still holds the lease."""
    tx.change(
        "UPDATE outward SET due_at = :due, lease_until = 0, why = :why"
        f" WHERE id = :id AND state = {DUE} AND lease_until = :lease",
        due=due, why=why, id=number, lease=lease,
    )  # fmt: skip


def give_up(tx: Tx, number: int, lease: int, why: str) -> None:
    """Not taken, and not tried again by itself."""
    tx.change(
        f"UPDATE outward SET state = {DEAD}, why = :why WHERE id = :id AND state = {DUE} AND lease_until = :lease",
        why=why, id=number, lease=lease,
    )  # fmt: skip


def any_older(tx: Tx, made_before: int) -> bool:
    """Whether `give_up_older` would find something."""
    return tx.one(f"SELECT 1 FROM outward WHERE state = {DUE} AND made_at < :t LIMIT 1", t=made_before) is not None


def give_up_older(tx: Tx, made_before: int, now: int, why: str) -> int:
    """Give up what nobody took in time and nobody is just trying; how many."""
    return tx.change(
        f"UPDATE outward SET state = {DEAD}, why = CASE WHEN why = '' THEN :why ELSE :why || ' Last: ' || why END"
        f" WHERE state = {DUE} AND made_at < :t AND lease_until <= :now",
        t=made_before, now=now, why=why,
    )  # fmt: skip


def listed(tx: Tx, *, dead_only: bool, limit: int) -> Sequence[Row[Any]]:
    """The newest notices."""
    where = f"WHERE state = {DEAD}" if dead_only else ""
    return tx.all(
        "SELECT id, destination, act_id, type, mode, made_at, state, tries, due_at, answered_at, why FROM outward"
        f" {where} ORDER BY id DESC LIMIT :limit",
        limit=limit,
    )


def revive(tx: Tx, destination: str, number: int | None, now: int) -> int:
    """Given-up notices of a destination, or one of them, are due again with a new five days; how many."""
    which = " AND id = :id" if number is not None else ""
    return tx.change(
        f"UPDATE outward SET state = {DUE}, tries = 0, made_at = :now, due_at = :now, lease_until = 0"
        f" WHERE state = {DEAD} AND destination = :to{which}",
        now=now, to=destination, **({"id": number} if number is not None else {}),
    )  # fmt: skip


def prune(tx: Tx, before: int) -> None:
    """Forget notices that were answered or given up long ago, but for those that keep an act from being told again."""
    tx.change(
        f"DELETE FROM outward WHERE state <> {DUE} AND made_at < :t"
        " AND act_id < (SELECT coalesce(max(id), 0) FROM act) - :overlap",
        t=before, overlap=2 * OVERLAP,
    )  # fmt: skip
