"""Claims: batches taken and given back, what is read of one, and whether it may still go on.

A claim carries a fence, which rises with every one: whoever holds an older one has lost the batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import superseding
from dispatcher.ledger.engine import Line, Tx
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import ADDRESS
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState as D

STATES = tuple(D)
COUNTERS = tuple(state.name.lower() for state in D)
"""The batch's counter columns, in the order of the stored states."""
CAREFUL_AFTER = 2
"""Crashes in a row with one batch before its deliveries are taken one at a time."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch in our hands until `lease_until` (ms), with what its control row says."""

    broadcast_id: int
    no: int
    channel: Channel
    rendition_id: int
    account: str | None
    hash: str
    fence: int
    tries: int
    careful: bool
    version_id: int | None
    purpose: str
    policy: str
    scope: str
    request_size: int
    expires_at: int


_DUE = """
FROM control c JOIN batch b ON b.broadcast_id = c.broadcast_id AND b.channel = c.channel
JOIN channel_gate g ON g.channel = c.channel
WHERE c.channel = :channel AND c.state = 'released' AND c.release_at <= :now AND c.expires_at > :now
AND (c.started_at IS NOT NULL OR c.release_at >= :latest) AND g.frozen_at IS NULL
AND b.waiting > 0 AND b.owner IS NULL AND b.due_at <= :now
"""
_URGENT = "ORDER BY c.rank, c.release_at, b.no"


def anything_due(tx: Tx, channel: str, now: int, latest: int) -> bool:
    """Whether a claim on this channel would find something."""
    return tx.one(f"SELECT 1 {_DUE} LIMIT 1", channel=channel, now=now, latest=latest) is not None


def fragile_is_next(tx: Tx, channel: str, now: int, latest: int) -> bool:
    """Whether the most urgent due batch is a fragile one."""
    found = tx.one(f"SELECT b.fragile {_DUE} {_URGENT} LIMIT 1", channel=channel, now=now, latest=latest)
    return found is not None and bool(found.fragile)


def claim(
    tx: Tx, channel: str, owner: str, now: int, latest: int, lease_ms: int, fragile: bool = False
) -> Claim | None:
    """Take the most urgent due batch, by severity, release time and place; None if there is none.

    Only of the `fragile` ones, over which workers fell, or only of the others. Nothing else may be under way in the
    process that works on a fragile one: at the next crash somebody of it may be blamed.
    """
    suffix = "" if tx.is_sqlite else " FOR UPDATE OF b SKIP LOCKED"
    found = tx.one(
        "SELECT b.broadcast_id, b.no, b.rendition_id, b.account, b.hash, b.fence, b.tries, b.crashes,"
        " b.suspect, c.policy, c.scope,"
        f" c.request_size, c.expires_at, c.started_at {_DUE} AND b.fragile {'>' if fragile else '='} 0"
        f" {_URGENT} LIMIT 1{suffix}",
        channel=channel, now=now, latest=latest,
    )  # fmt: skip
    if found is None:
        return None
    with tx.together() as line:
        line.change(
            "UPDATE batch SET owner = :owner, fence = fence + 1, lease_until = :until"
            " WHERE broadcast_id = :b AND no = :no",
            owner=owner, until=now + lease_ms, b=found.broadcast_id, no=found.no,
        )  # fmt: skip
        of = line.one("SELECT audience_version_id, purpose FROM broadcast WHERE id = :b", b=found.broadcast_id)
    if found.started_at is None:
        tx.change(
            "UPDATE control SET started_at = :now"
            " WHERE broadcast_id = :b AND channel = :channel AND started_at IS NULL",
            now=now, b=found.broadcast_id, channel=channel,
        )  # fmt: skip
        superseding.end(tx, found.broadcast_id, now)
    broadcast = of()
    return Claim(
        found.broadcast_id, found.no, Channel(channel), found.rendition_id, found.account, found.hash, found.fence + 1,
        found.tries, found.crashes >= CAREFUL_AFTER or found.suspect is not None,
        broadcast.audience_version_id if broadcast else None,
        broadcast.purpose if broadcast else "", found.policy, found.scope, found.request_size, found.expires_at,
    )  # fmt: skip


def rows(
    line: Line, broadcast_id: int, no: int, version_id: int | None, channel: Channel
) -> Callable[[], Sequence[Row[Any]]]:
    """Every delivery of a batch with its address and fields: seq, rid, state, tries, address, fields, attempt_id."""
    bounds = {"b": broadcast_id, "lo": no * BATCH, "hi": no * BATCH + BATCH - 1}
    if not channel.counts_people:
        return line.all(
            "SELECT d.seq, d.rid, d.state, d.tries, b.account AS address, '' AS fields, d.attempt_id FROM delivery d"
            " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = :no"
            " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi ORDER BY d.seq",
            no=no, **bounds,
        )  # fmt: skip
    one = line.tx.beside("recipient", "r", "r.version_id = :v AND r.rid = d.rid", single=True)
    return line.all(
        f"SELECT d.seq, d.rid, d.state, d.tries, r.{ADDRESS[channel]} AS address, r.fields, d.attempt_id"
        f" FROM delivery d {one} WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi ORDER BY d.seq",
        v=version_id, **bounds,
    )  # fmt: skip


def suppress(tx: Tx, broadcast_id: int, no: int, reasons: dict[int, str]) -> None:
    """Waiting deliveries of one batch whose address asked for no more, by seq; who may have been told is unknown."""
    lock_batches(tx, broadcast_id, [no])  # or the recount would not see what another transaction is changing
    told = "EXISTS (SELECT 1 FROM copy c WHERE c.broadcast_id = :b AND c.seq = delivery.seq AND c.state = 4)"
    tx.change_by(
        f"UPDATE delivery SET state = CASE WHEN {told} THEN 4 ELSE 1 END,"
        f" reason = CASE WHEN {told} THEN 'left by policy: ' || r.why ELSE r.why END {{r}}"
        " WHERE broadcast_id = :b AND seq = r.place AND state = 0",
        {"place": "int", "why": "text"},
        list(reasons.items()),
        b=broadcast_id,
    )
    recount(tx, broadcast_id, no, no)


def may_send(line: Line, claim: Claim) -> Callable[[int], bool]:
    """Whether control row and channel gate let this batch go on at an instant (ms) after the locks were had.

    Both, and the batch after them, stay locked until the intent commits.
    """
    suffix = "" if line.is_sqlite else " FOR SHARE OF g, control FOR UPDATE OF batch"
    found = line.one(
        "SELECT control.state, control.expires_at, g.frozen_at FROM channel_gate g"
        " JOIN control ON control.broadcast_id = :b AND control.channel = g.channel"
        " JOIN batch ON batch.broadcast_id = :b AND batch.no = :no"
        f" WHERE g.channel = :channel AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'hold' AND value <> ''){suffix}",
        b=claim.broadcast_id, no=claim.no, channel=claim.channel,
    )  # fmt: skip

    def allowed(now: int) -> bool:
        control = found()
        if control is None or control.frozen_at is not None:
            return False
        return bool(control.state == "released" and control.expires_at > now)

    return allowed


def release(tx: Tx, claim: Claim, due_at: int, tries: int) -> None:
    """Give a batch back, if it is still ours."""
    tx.change(
        "UPDATE batch SET owner = NULL, lease_until = NULL, due_at = :due, tries = :tries, crashes = 0, suspect = NULL,"
        " fragile = CASE fragile WHEN 2 THEN 2 ELSE 0 END WHERE broadcast_id = :b AND no = :no AND fence = :fence",
        due=due_at, tries=tries, b=claim.broadcast_id, no=claim.no, fence=claim.fence,
    )  # fmt: skip


def lock_batches(tx: Tx | Line, broadcast_id: int, numbers: Sequence[int]) -> None:
    """Take the batch rows in order before touching their deliveries, so that two changers never wait in a ring."""
    if not tx.is_sqlite:
        tx.all(
            "SELECT no FROM batch WHERE broadcast_id = :b AND no = ANY(:numbers) ORDER BY no FOR UPDATE",
            b=broadcast_id, numbers=list(numbers),
        )  # fmt: skip


def recount(tx: Tx, broadcast_id: int, first_no: int, last_no: int) -> None:
    """Set the counters of batches from their rows."""
    sums = ", ".join(f"sum(CASE state WHEN {int(state)} THEN 1 ELSE 0 END) AS {state.name.lower()}" for state in STATES)
    pairs = ", ".join(f"{name} = c.{name}" for name in COUNTERS)
    tx.change(
        f"UPDATE batch SET {pairs} FROM (SELECT seq / {BATCH} AS no, {sums} FROM delivery WHERE broadcast_id = :b"
        f" AND seq BETWEEN :lo AND :hi GROUP BY seq / {BATCH}) c WHERE batch.broadcast_id = :b AND batch.no = c.no",
        b=broadcast_id, lo=first_no * BATCH, hi=last_no * BATCH + BATCH - 1,
    )  # fmt: skip
