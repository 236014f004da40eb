"""Claim, intent, outcome, give-back: every statement that stands around a provider call.

A claim carries a fence; an intent needs it. What a call came to is written by attempt id instead: the row still names
the attempt only if nobody has tried again since, so a late truth lands and a stale worker changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import superseding
from dispatcher.ledger.engine import Tx
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


@dataclass(frozen=True, slots=True)
class Request:
    """Consecutive waiting deliveries of one batch, handed over in one call. `started_at` (ms): when it was intended."""

    attempt_id: int
    first_seq: int
    last_seq: int
    size: int
    started_at: int
    part: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of deliveries `first_seq`..`last_seq` of one attempt."""

    attempt_id: int
    first_seq: int
    last_seq: int
    state: D
    size: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """What an attempt came to."""

    request: Request
    account: str
    outcome: str
    accepted: int
    provider_message_id: str | None
    reason: str | None


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
    tx.change(
        "UPDATE batch SET owner = :owner, fence = fence + 1, lease_until = :until WHERE broadcast_id = :b AND no = :no",
        owner=owner, until=now + lease_ms, b=found.broadcast_id, no=found.no,
    )  # fmt: skip
    if found.started_at is None:
        tx.change(
            "UPDATE control SET started_at = :now"
            " WHERE broadcast_id = :b AND channel = :channel AND started_at IS NULL",
            now=now, b=found.broadcast_id, channel=channel,
        )  # fmt: skip
        superseding.end(tx, found.broadcast_id, now)
    broadcast = tx.one("SELECT audience_version_id, purpose FROM broadcast WHERE id = :b", b=found.broadcast_id)
    return Claim(
        found.broadcast_id, found.no, Channel(channel), found.rendition_id, found.account, found.hash, found.fence + 1,
        found.tries, found.crashes >= CAREFUL_AFTER or found.suspect is not None,
        broadcast.audience_version_id if broadcast else None,
        broadcast.purpose if broadcast else "", found.policy, found.scope, found.request_size, found.expires_at,
    )  # fmt: skip


def rows(tx: Tx, broadcast_id: int, no: int, version_id: int | None, channel: Channel) -> Sequence[Row[Any]]:
    """Every delivery of a batch with its address and fields: seq, rid, state, tries, address, fields, attempt_id."""
    if not channel.counts_people:
        return tx.all(
            "SELECT d.seq, d.rid, d.state, d.tries, b.account AS address, '' AS fields, d.attempt_id FROM delivery d"
            " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = :no"
            " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi ORDER BY d.seq",
            b=broadcast_id, no=no, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
        )  # fmt: skip
    return tx.all(
        f"SELECT d.seq, d.rid, d.state, d.tries, r.{ADDRESS[channel]} AS address, r.fields, d.attempt_id"
        f" FROM delivery d {tx.beside('recipient', 'r', 'r.version_id = :v AND r.rid = d.rid')}"
        " WHERE d.broadcast_id = :b AND d.seq BETWEEN :lo AND :hi ORDER BY d.seq",
        v=version_id, b=broadcast_id, lo=no * BATCH, hi=no * BATCH + BATCH - 1,
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


def may_send(tx: Tx, claim: Claim, now: int) -> bool:
    """Whether control row and channel gate let this batch go on.

    Both, and the batch after them, stay locked until the intent commits.
    """
    suffix = "" if tx.is_sqlite else " FOR SHARE OF g, control FOR UPDATE OF batch"
    control = tx.one(
        "SELECT control.state, control.expires_at, g.frozen_at FROM channel_gate g"
        " JOIN control ON control.broadcast_id = :b AND control.channel = g.channel"
        " JOIN batch ON batch.broadcast_id = :b AND batch.no = :no"
        f" WHERE g.channel = :channel AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'hold' AND value <> ''){suffix}",
        b=claim.broadcast_id, no=claim.no, channel=claim.channel,
    )  # fmt: skip
    if control is None or control.frozen_at is not None:
        return False
    return bool(control.state == "released" and control.expires_at > now)


def attempt_ids(tx: Tx, count: int) -> list[int]:
    """Fresh attempt ids, rising."""
    if tx.is_sqlite:
        last = int(tx.scalar("UPDATE serial SET value = value + :n WHERE name = 'attempt' RETURNING value", n=count))
        return list(range(last - count + 1, last + 1))
    found = tx.all("SELECT nextval('attempt_serial') FROM generate_series(1, :n)", n=count)
    return sorted(row[0] for row in found)


_ATTEMPT = {
    "broadcast_id": "int", "no": "int", "finished_at": "int", "id": "int", "first_seq": "int", "last_seq": "int",
    "size": "int", "part": "int", "account": "text", "started_at": "int", "outcome": "text", "accepted": "int",
    "provider_message_id": "text", "reason": "text",
}  # fmt: skip
_AGAIN = "ON CONFLICT (broadcast_id, no, id) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in ("finished_at", "outcome", "accepted", "provider_message_id", "reason")
) + " WHERE attempt.outcome <> 'accepted' OR excluded.outcome = 'accepted'"  # fmt: skip
"""A truth that comes late says what a broken lease could not, but not less than was proved meanwhile."""


def intend(
    tx: Tx, claim: Claim, account: str, requests: Sequence[Request], now: int, lease_until: int,
    findings: Sequence[Finding] = (), closings: Sequence[Closing] = (),
) -> bool:  # fmt: skip
    """Write whom the next calls are for, and what earlier ones came to, with one change of the batch's row.

    The intent names attempts, the deliveries name theirs; `requests` are in the order of their ids. False: the batch
    is no longer ours, nothing may be sent, and all of this has to be undone.
    """
    begun = sum(one.size for one in requests)
    ours = " AND fence = :fence AND owner IS NOT NULL"
    if not _shift(tx, claim.broadcast_id, claim.no, findings, begun, ours, fence=claim.fence, until=lease_until):
        return False
    _, plain = _come_back(tx, claim.broadcast_id, claim.no, findings, closings, now)
    tx.change(
        "INSERT INTO intent (broadcast_id, no, first_id, last_id, started_at, fence, part, account)"
        " VALUES (:b, :no, :first, :last, :at, :fence, :part, :account)",
        b=claim.broadcast_id, no=claim.no, first=requests[0].attempt_id, last=requests[-1].attempt_id,
        at=requests[0].started_at, fence=claim.fence, part=requests[0].part, account=account,
    )  # fmt: skip
    changed = tx.change_by(
        "UPDATE delivery SET state = 3, tries = tries + 1, attempt_id = r.id {r}"
        f" WHERE {_within(requests)} AND state = 0",
        {"id": "int", "lo": "int", "hi": "int"},
        [(r.attempt_id, r.first_seq, r.last_seq) for r in requests],
        b=claim.broadcast_id,
        first=min(r.first_seq for r in requests),
        last=max(r.last_seq for r in requests),
    )
    if not plain:
        recount(tx, claim.broadcast_id, claim.no, claim.no)
    return changed == begun


def record(
    tx: Tx, broadcast_id: int, no: int, findings: Sequence[Finding], closings: Sequence[Closing], now: int
) -> int:
    """Write what calls came to; how many deliveries it moved. A row that has since been lifted by proof stays."""
    counted = _shift(tx, broadcast_id, no, findings)  # it also locks the batch, before its deliveries
    if not counted:
        lock_batches(tx, broadcast_id, [no])
    changed, plain = _come_back(tx, broadcast_id, no, findings, closings, now)
    if not (counted and plain):
        recount(tx, broadcast_id, no, no)
    return changed


def _come_back(
    tx: Tx, broadcast_id: int, no: int, findings: Sequence[Finding], closings: Sequence[Closing], now: int
) -> tuple[int, bool]:
    """How many deliveries moved, and whether all of them were under way: else the batch has to be counted anew.

    A truth that comes late still lifts what a broken lease made unknown.
    """
    if not findings:
        return 0, True
    changed = _move(tx, broadcast_id, findings, "delivery.state = 3")
    same = broadcast_id, no, now
    tx.insert_few("attempt", _ATTEMPT, [(*same, *_closed(closing)) for closing in closings], _AGAIN)
    if changed == sum(f.size for f in findings):
        return changed, True
    return changed + _move(tx, broadcast_id, findings, "delivery.state = 4 AND r.state <> 4"), False


def _closed(one: Closing) -> tuple[Any, ...]:
    asked = one.request
    return (
        asked.attempt_id, asked.first_seq, asked.last_seq, asked.size, asked.part, one.account,
        asked.started_at, one.outcome, one.accepted, one.provider_message_id, one.reason or "",
    )  # fmt: skip


def _move(tx: Tx, broadcast_id: int, findings: Sequence[Finding], which: str) -> int:
    return tx.change_by(
        f"UPDATE delivery SET state = r.state, reason = r.why {{r}} WHERE {_within(findings)} AND attempt_id = r.id"
        f" AND {which}",
        {"id": "int", "lo": "int", "hi": "int", "state": "int", "why": "text"},
        [(f.attempt_id, f.first_seq, f.last_seq, int(f.state), f.reason) for f in findings],
        b=broadcast_id,
        first=min(f.first_seq for f in findings),
        last=max(f.last_seq for f in findings),
    )


def _within(runs: Sequence[Request] | Sequence[Finding]) -> str:
    """Which rows of a broadcast lie in the runs. The constant bounds and the plain equality keep PostgreSQL
    on the key."""
    single = all(run.first_seq == run.last_seq for run in runs)
    rows = "seq = r.lo" if single else "seq BETWEEN r.lo AND r.hi"
    return f"broadcast_id = :b AND seq BETWEEN :first AND :last AND {rows}"


def _shift(
    tx: Tx, broadcast_id: int, no: int, findings: Sequence[Finding], begun: int = 0,
    which: str = " AND sending >= :found", **ours: int,
) -> bool:  # fmt: skip
    """Move the batch's counters by these findings, and by so many that begin; False: the row is not as `which` says."""
    moved = dict.fromkeys(STATES, 0)
    for one in findings:
        moved[one.state] += one.size
    found = sum(moved.values())
    moved[D.WAITING] -= begun
    pairs = ", ".join(f"{state.name.lower()} = {state.name.lower()} + :{state.name.lower()}" for state in _REACHED)
    lease = ", lease_until = :until" if "until" in ours else ""
    return bool(
        tx.change(
            f"UPDATE batch SET sending = sending + :begun - :found, {pairs}{lease}"
            f" WHERE broadcast_id = :b AND no = :no{which}",
            begun=begun, found=found, b=broadcast_id, no=no, **{s.name.lower(): moved[s] for s in _REACHED}, **ours,
        )
    )  # fmt: skip


_REACHED = (D.WAITING, D.UNKNOWN, D.ACCEPTED, D.FAILED, D.EXPIRED, D.CANCELLED)


def release(tx: Tx, claim: Claim, due_at: int, tries: int) -> None:
    """Give a batch back, if it is still ours."""
    tx.change(
        "UPDATE batch SET owner = NULL, lease_until = NULL, due_at = :due, tries = :tries, crashes = 0, suspect = NULL,"
        " fragile = CASE fragile WHEN 2 THEN 2 ELSE 0 END WHERE broadcast_id = :b AND no = :no AND fence = :fence",
        due=due_at, tries=tries, b=claim.broadcast_id, no=claim.no, fence=claim.fence,
    )  # fmt: skip


def lock_batches(tx: Tx, broadcast_id: int, numbers: Sequence[int]) -> None:
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


def accepted_parts(tx: Tx, broadcast_id: int, no: int) -> dict[int, str]:
    """Of a thread: part number to the vendor's id, for every part that is proved."""
    found = tx.all(
        "SELECT part, provider_message_id FROM attempt WHERE broadcast_id = :b AND no = :no AND outcome = 'accepted'",
        b=broadcast_id, no=no,
    )  # fmt: skip
    return {row.part: row.provider_message_id for row in found}


def prove_attempt(tx: Tx, broadcast_id: int, no: int, attempt_id: int, provider_message_id: str) -> None:
    """The vendor has this attempt's message after all."""
    tx.change(
        "UPDATE attempt SET outcome = 'accepted', accepted = accepted + 1, provider_message_id = :pmid"
        " WHERE broadcast_id = :b AND no = :no AND id = :id",
        pmid=provider_message_id, b=broadcast_id, no=no, id=attempt_id,
    )  # fmt: skip
