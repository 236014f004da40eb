"""The shared state of accounts: whether one may be used, is broken and probed, or was stopped as misconfigured."""

from collections.abc import Sequence
from typing import Any

from dispatcher.ledger.engine import Line, Tx
from dispatcher.ledger.rows import Row

OPEN, BROKEN, PAUSED = "open", "broken", "paused"
FIRST_WEIGHT, STEP, REST_MS = 10, 3, 20_000
"""A mended account begins with a tenth of its work and trebles it after each rest."""


def ensure(tx: Tx, accounts: Sequence[tuple[str, str]], now: int) -> None:
    """A row for each (name, channel) of the settings."""
    for name, channel in accounts:
        tx.change(
            "INSERT INTO account (name, channel, state, changed_at) VALUES (:name, :channel, 'open', :now)"
            " ON CONFLICT (name) DO UPDATE SET channel = excluded.channel WHERE account.channel <> excluded.channel",
            name=name, channel=channel, now=now,
        )  # fmt: skip


def known(tx: Tx) -> set[str]:
    """Names with a row."""
    return {row[0] for row in tx.all("SELECT name FROM account")}


def states(tx: Tx) -> dict[str, Row[Any]]:
    """Every account by name."""
    return {row.name: row for row in tx.all("SELECT * FROM account ORDER BY name")}


def succeeded(tx: Tx | Line, name: str, now: int) -> None:
    """A call went through: failures are forgotten; a broken account opens, and its share of the work grows by steps."""
    tx.change(
        "UPDATE account SET state = 'open', reason = '', failures = 0, opened_at = NULL, probe_at = NULL,"
        f" weight = CASE WHEN state = 'broken' THEN {FIRST_WEIGHT} WHEN changed_at > :rested THEN weight"
        f" WHEN weight * {STEP} > 100 THEN 100 ELSE weight * {STEP} END,"
        " changed_at = CASE WHEN state = 'open' AND changed_at > :rested THEN changed_at ELSE :now END"
        " WHERE name = :name AND (state = 'broken' OR (state = 'open' AND (failures > 0"
        " OR (weight < 100 AND changed_at <= :rested))))",
        name=name, now=now, rested=now - REST_MS,
    )  # fmt: skip


def failed(tx: Tx | Line, name: str, reason: str, limit: int, open_ms: int, now: int) -> None:
    """A call failed without an answer about its recipients; at `limit` in a row the account is left alone."""
    tx.change(
        "UPDATE account SET failures = failures + 1, reason = :reason, changed_at = :now,"
        " state = CASE WHEN failures + 1 >= :limit THEN 'broken' ELSE state END,"
        " opened_at = CASE WHEN failures + 1 >= :limit AND opened_at IS NULL THEN :now ELSE opened_at END,"
        " probe_at = CASE WHEN failures + 1 >= :limit THEN :probe ELSE probe_at END"
        " WHERE name = :name AND state IN ('open', 'broken')",
        name=name, reason=reason, limit=limit, now=now, probe=now + open_ms,
    )  # fmt: skip


def pause(tx: Tx | Line, name: str, reason: str, now: int) -> None:
    """Stop an account whose settings the vendor refuses."""
    tx.change(
        "UPDATE account SET state = 'paused', reason = :reason, changed_at = :now WHERE name = :name"
        " AND state <> 'paused'",
        name=name, reason=reason, now=now,
    )  # fmt: skip


def reopen(tx: Tx, name: str, now: int) -> bool:
    """A person says it is mended; whether anything changed."""
    return bool(
        tx.change(
            "UPDATE account SET state = 'open', reason = '', failures = 0, opened_at = NULL, probe_at = NULL,"
            " weight = 100, changed_at = :now WHERE name = :name AND state <> 'open'",
            name=name, now=now,
        )
    )  # fmt: skip


def take_probe(tx: Tx, name: str, next_ms: int, now: int) -> bool:
    """Whether this caller may make the one probing call of a broken account; the next is due `next_ms` later."""
    return bool(
        tx.change(
            "UPDATE account SET probe_at = :next WHERE name = :name AND state = 'broken' AND probe_at <= :now",
            name=name, next=now + next_ms, now=now,
        )
    )  # fmt: skip
