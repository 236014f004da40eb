"""Incident tools in the ledger: their secrets, their posts, what each calls an incident, and every signal once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row

NEW, DONE, POISON = 0, 1, 2
_OPENING_LOCK = 7_218_004_512


@dataclass(frozen=True, slots=True)
class Subject:
    """What a source calls an incident. `state` is live, mitigated or over; `episode` counts how often it began."""

    id: int
    state: str
    occurred_at: int
    episode: int
    words: str
    incident_id: int | None
    playbook: str
    join_key: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Post:
    """A post to be kept. `hash` is over source and delivery, so that a repeat is known."""

    hash: bytes
    tool: str
    source: str
    received_at: int
    headers: Mapping[str, str]
    body: bytes


# --- secrets


def secrets(tx: Tx) -> Sequence[Row[Any]]:
    """Every live secret, the newest first: id, tool, source, form, value, created_at."""
    return tx.all(
        "SELECT id, tool, source, form, value, created_at FROM signal_secret WHERE retired_at IS NULL"
        " ORDER BY tool, source, id DESC"
    )


def add_secret(tx: Tx, tool: str, source: str, form: str, value: str, person: int, now: int) -> None:
    """A further secret of a source."""
    tx.change(
        "INSERT INTO signal_secret (tool, source, form, value, created_by, created_at)"
        " VALUES (:tool, :source, :form, :value, :person, :now)",
        tool=tool, source=source, form=form, value=value, person=person, now=now,
    )  # fmt: skip


def keep_newest(tx: Tx, tool: str, source: str, kept: int, now: int) -> int:
    """Retire all but the newest `kept` secrets of a source; how many were retired. Their values are forgotten."""
    return tx.change(
        "UPDATE signal_secret SET retired_at = :now, value = '' WHERE tool = :tool AND source = :source"
        " AND retired_at IS NULL AND id NOT IN (SELECT id FROM signal_secret WHERE tool = :tool AND source = :source"
        " AND retired_at IS NULL ORDER BY id DESC LIMIT :kept)",
        tool=tool, source=source, kept=kept, now=now,
    )  # fmt: skip


# --- posts


def store(tx: Tx, post: Post) -> tuple[int, bool]:
    """Keep a post, once: its id, and whether it had been kept before."""
    made = tx.one(
        "INSERT INTO signal_post (hash, tool, source, received_at, headers, body, size)"
        " VALUES (:hash, :tool, :source, :at, :headers, :body, :size) ON CONFLICT (hash) DO NOTHING RETURNING id",
        hash=post.hash, tool=post.tool, source=post.source, at=post.received_at,
        headers=json.dumps(dict(post.headers)), body=post.body, size=len(post.body),
    )  # fmt: skip
    if made is not None:
        return int(made.id), False
    known = tx.one("UPDATE signal_post SET repeats = repeats + 1 WHERE hash = :hash RETURNING id", hash=post.hash)
    return (int(known.id) if known else 0), True


def waiting(tx: Tx, now: int, each: int, limit: int) -> list[int]:
    """Posts that wait, at most `each` of a source, so that a flood of one holds up nobody else; the oldest first."""
    rows = tx.all(
        "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY tool, source ORDER BY id) AS place"
        " FROM signal_post WHERE state = 0 AND lease_until < :now) w WHERE place <= :each"
        " ORDER BY place, id LIMIT :limit",
        now=now, each=each, limit=limit,
    )  # fmt: skip
    return [row.id for row in rows]


def anything_new(tx: Tx, now: int) -> bool:
    """Whether a post waits for a worker."""
    return tx.one("SELECT 1 FROM signal_post WHERE state = 0 AND lease_until < :now LIMIT 1", now=now) is not None


def claim(tx: Tx, post_id: int, now: int, until: int) -> Row[Any] | None:
    """Take a waiting post: the row, or None if somebody else has it."""
    taken = tx.change(
        "UPDATE signal_post SET lease_until = :until, tries = tries + 1"
        " WHERE id = :id AND state = 0 AND lease_until < :now",
        id=post_id, now=now, until=until,
    )  # fmt: skip
    return tx.one("SELECT * FROM signal_post WHERE id = :id", id=post_id) if taken else None


def close_post(tx: Tx, post_id: int, state: int, body: bytes | None, error: str | None = None) -> None:
    """A post that has been dealt with; `body` is what is kept of it."""
    tx.change(
        "UPDATE signal_post SET state = :state, body = :body, error = :error WHERE id = :id",
        id=post_id, state=state, body=body, error=error,
    )  # fmt: skip


def reopen_post(tx: Tx, post_id: int) -> Row[Any]:
    """A post to be applied again; NotFound if it, or its body, is gone."""
    row = tx.one("SELECT * FROM signal_post WHERE id = :id", id=post_id)
    if row is None or row.body is None:
        raise NotFound(f"There is no post {post_id} any more.", mend="dispatcher signal list shows what is kept.")
    tx.change("UPDATE signal_post SET state = 0, tries = 0, lease_until = 0, error = NULL WHERE id = :id", id=post_id)
    tx.change("UPDATE signal SET done = 0 WHERE post_id = :id AND incident_id IS NULL", id=post_id)
    return row


def prune(tx: Tx, now: int, *, hashes_kept: int, bodies_kept: int, bodies_each: int) -> None:
    """Forget old posts, empty older bodies, and keep at most so many bodies of a source. Times in milliseconds."""
    tx.change("DELETE FROM signal_post WHERE state <> 0 AND received_at < :at", at=now - hashes_kept)
    tx.change("DELETE FROM signal WHERE done = 1 AND received_at < :at", at=now - hashes_kept)
    tx.change(
        "UPDATE signal_post SET body = NULL WHERE state <> 0 AND body IS NOT NULL AND (received_at < :at OR id IN ("
        " SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY tool, source ORDER BY id DESC) AS place"
        " FROM signal_post WHERE state <> 0 AND body IS NOT NULL) k WHERE place > :each))",
        at=now - bodies_kept, each=bodies_each,
    )  # fmt: skip


def sources(tx: Tx) -> Sequence[Row[Any]]:
    """What came from each source: tool, source, posts, repeats, waiting, poison, last."""
    return tx.all(
        "SELECT tool, source, count(*) AS posts, sum(repeats) AS repeats, max(received_at) AS last,"
        " sum(CASE WHEN state = 0 THEN 1 ELSE 0 END) AS waiting, sum(CASE WHEN state = 2 THEN 1 ELSE 0 END) AS poison"
        " FROM signal_post GROUP BY tool, source ORDER BY tool, source"
    )


def recent(tx: Tx, limit: int, source: str = "") -> Sequence[Row[Any]]:
    """The newest posts with their signals: the post's columns, and those of a signal or nothing."""
    return tx.all(
        "SELECT p.id, p.tool, p.source, p.received_at, p.state, p.repeats, p.error, p.size, p.body IS NOT NULL AS kept,"
        " s.kind, s.external_id, s.outcome, s.detail, s.incident_id, s.told"
        " FROM (SELECT * FROM signal_post WHERE :source = '' OR source = :source ORDER BY id DESC LIMIT :limit) p"
        " LEFT JOIN signal s ON s.post_id = p.id ORDER BY p.id DESC, s.id",
        limit=limit, source=source,
    )  # fmt: skip


# --- signals and subjects


def find(tx: Tx, digest: bytes) -> Row[Any] | None:
    """A signal that was seen before: id, post_id, outcome, detail, incident_id, done."""
    return tx.one("SELECT id, post_id, outcome, detail, incident_id, done FROM signal WHERE hash = :hash", hash=digest)


def keep(tx: Tx, values: Mapping[str, Any]) -> int:
    """Write a signal, or write it anew after a replay; its id."""
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    changed = ", ".join(f"{name} = excluded.{name}" for name in ("outcome", "detail", "incident_id", "done"))
    return int(
        tx.scalar(
            f"INSERT INTO signal ({names}) VALUES ({marks}) ON CONFLICT (hash) DO UPDATE SET {changed} RETURNING id",
            **values,
        )
    )


def finish(tx: Tx, signal_id: int, detail: str) -> None:
    """All consequences of a signal are there."""
    tx.change("UPDATE signal SET done = 1, detail = :detail WHERE id = :id", id=signal_id, detail=detail)


def subject(tx: Tx, tool: str, source: str, external_id: str) -> Subject:
    """What a source calls by this id, locked until the transaction ends; made if it is new."""
    names = {"tool": tool, "source": source, "external_id": external_id}
    made = tx.change(
        "INSERT INTO signal_subject (tool, source, external_id, state, occurred_at)"
        " VALUES (:tool, :source, :external_id, 'over', 0) ON CONFLICT DO NOTHING",
        **names,
    )
    suffix = "" if tx.is_sqlite else " FOR UPDATE"
    row = tx.one(
        "SELECT * FROM signal_subject WHERE tool = :tool AND source = :source AND external_id = :external_id" + suffix,
        **names,
    )
    if row is None:
        raise NotFound("The subject of a signal could not be kept.")
    return Subject(
        row.id, row.state, int(row.occurred_at), row.episode, row.words, row.incident_id, row.playbook or "",
        row.join_key or "", made > 0 or row.occurred_at == 0,
    )  # fmt: skip


def change_subject(tx: Tx, subject_id: int, **values: Any) -> None:
    """Set columns of a subject."""
    pairs = ", ".join(f"{name} = :{name}" for name in values)
    tx.change(f"UPDATE signal_subject SET {pairs} WHERE id = :id", id=subject_id, **values)


def lock_opening(tx: Tx) -> None:
    """Openings stand in one line: two signals of one trouble open one incident. SQLite has one writer anyway."""
    if not tx.is_sqlite:
        tx.scalar("SELECT pg_advisory_xact_lock(:lock)", lock=_OPENING_LOCK)


def joined(tx: Tx, playbook: str, join_key: str) -> int | None:
    """The open incident that this playbook opened for the same key, the newest."""
    found = tx.scalar(
        "SELECT max(i.id) FROM signal_subject s JOIN incident i ON i.id = s.incident_id"
        " WHERE s.playbook = :playbook AND s.join_key = :key AND i.closed_at IS NULL",
        playbook=playbook, key=join_key,
    )  # fmt: skip
    return None if found is None else int(found)


def outcomes_since(tx: Tx, tool: str, source: str, outcome: str, at: int) -> int:
    """How many signals of a source have come to this since then."""
    return int(
        tx.scalar(
            "SELECT count(*) FROM signal WHERE tool = :tool AND source = :source AND outcome = :outcome"
            " AND received_at >= :at",
            tool=tool, source=source, outcome=outcome, at=at,
        )
    )  # fmt: skip


def still_live(tx: Tx, incident_id: int) -> int:
    """How many subjects of an incident are not over."""
    return int(
        tx.scalar("SELECT count(*) FROM signal_subject WHERE incident_id = :id AND state <> 'over'", id=incident_id)
    )
