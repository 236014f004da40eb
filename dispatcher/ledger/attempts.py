"""Attempts: whom the next calls are for, written before them, and what they came to, written after.

An intent needs the fence of its claim. What a call came to is written by attempt id instead: the row still names the
attempt only if nobody has tried again since, so a late truth lands and a stale worker changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger.claims import STATES, Claim, lock_batches, recount
from dispatcher.ledger.engine import Line, Tx
from dispatcher.model.states import DeliveryState as D

Along = Callable[[Line], object]
"""Statements that go to the server along with others, of which nobody asks what came."""


def _nothing(_: Line) -> None:
    pass


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
    whole: bool = False
    """These are all deliveries of the attempt."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What an attempt came to."""

    request: Request
    account: str
    outcome: str
    accepted: int
    provider_message_id: str | None
    reason: str | None


def attempt_ids(tx: Tx, count: int) -> list[int]:
    """Fresh attempt ids, rising."""
    with tx.together() as line:
        found = fresh_ids(line, count)
    return found()


def fresh_ids(line: Line, count: int) -> Callable[[], list[int]]:
    """The same, asked for along with other things."""
    if line.is_sqlite:
        last = line.all("UPDATE serial SET value = value + :n WHERE name = 'attempt' RETURNING value", n=count)
        return lambda: [last()[0].value - count + 1 + place for place in range(count)]
    found = line.all("SELECT nextval('attempt_serial') FROM generate_series(1, :n)", n=count)
    return lambda: sorted(row[0] for row in found())


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
    findings: Sequence[Finding] = (), closings: Sequence[Closing] = (), along: Along = _nothing,
) -> bool:  # fmt: skip
    """Write whom the next calls are for, and what earlier ones came to, with one change of the batch's row.

    The intent names attempts, the deliveries name theirs; `requests` are in the order of their ids; `along` goes with
    it. False: the batch is no longer ours, nothing may be sent, and all of this has to be undone.
    """
    begun = sum(one.size for one in requests)
    with tx.together() as line:
        ours = _shift(
            line, claim.broadcast_id, claim.no, findings, begun, " AND fence = :fence AND owner IS NOT NULL",
            fence=claim.fence, until=lease_until,
        )  # fmt: skip
        moved = _come_back(line, claim.broadcast_id, claim.no, findings, closings, now)
        line.change(
            "INSERT INTO intent (broadcast_id, no, first_id, last_id, started_at, fence, part, account)"
            " VALUES (:b, :no, :first, :last, :at, :fence, :part, :account)",
            b=claim.broadcast_id, no=claim.no, first=requests[0].attempt_id, last=requests[-1].attempt_id,
            at=requests[0].started_at, fence=claim.fence, part=requests[0].part, account=account,
        )  # fmt: skip
        changed = _name_attempts(line, claim.broadcast_id, requests)
        along(line)
    if not (ours() and changed() == begun):
        return False
    if moved() < _told_of(findings):
        _lift(tx, claim.broadcast_id, findings)
        recount(tx, claim.broadcast_id, claim.no, claim.no)
    return True


def _name_attempts(line: Line, broadcast_id: int, requests: Sequence[Request]) -> Callable[[], int]:
    """The waiting deliveries of these requests are under way from now on; how many those are.

    Where requests follow each other without a gap, all as large as the first but the last, an attempt is reckoned from
    its delivery's place: a join with many rows made for this one statement costs PostgreSQL as much as the change.
    """
    bounds = {"b": broadcast_id, "first": min(r.first_seq for r in requests), "last": max(r.last_seq for r in requests)}
    if _is_regular(requests):
        return line.change(
            "UPDATE delivery SET state = 3, tries = tries + 1,"
            " attempt_id = CAST(:id AS BIGINT) + (seq - :first) / :size"
            " WHERE broadcast_id = :b AND seq BETWEEN :first AND :last AND state = 0",
            id=requests[0].attempt_id, size=requests[0].size, **bounds,
        )  # fmt: skip
    return line.change_by(
        f"UPDATE delivery SET state = 3, tries = tries + 1, attempt_id = r.id {{r}}"
        f" WHERE {_within(requests)} AND state = 0",
        {"id": "int", "lo": "int", "hi": "int"},
        [(r.attempt_id, r.first_seq, r.last_seq) for r in requests],
        **bounds,
    )


def _is_regular(requests: Sequence[Request]) -> bool:
    first, last = requests[0], requests[-1]
    return last.size <= first.size and all(
        one.attempt_id == first.attempt_id + place
        and one.first_seq == first.first_seq + place * first.size
        and one.last_seq - one.first_seq + 1 == one.size
        and (one.size == first.size or one is last)
        for place, one in enumerate(requests)
    )


def record(
    tx: Tx, broadcast_id: int, no: int, findings: Sequence[Finding], closings: Sequence[Closing], now: int,
    along: Along = _nothing,
) -> int:  # fmt: skip
    """Write what calls came to; how many deliveries it moved. A row that has since been lifted by proof stays."""
    with tx.together() as line:
        lock_batches(line, broadcast_id, [no])
        counted = _shift(line, broadcast_id, no, findings)
        moved = _come_back(line, broadcast_id, no, findings, closings, now)
        along(line)
    lifted = _lift(tx, broadcast_id, findings) if moved() < _told_of(findings) else 0
    if not counted() or moved() < _told_of(findings):
        recount(tx, broadcast_id, no, no)
    return moved() + lifted


def _told_of(findings: Sequence[Finding]) -> int:
    return sum(one.size for one in findings)


def _come_back(
    line: Line, broadcast_id: int, no: int, findings: Sequence[Finding], closings: Sequence[Closing], now: int
) -> Callable[[], int]:
    """How many deliveries moved that were under way; where not all were, the batch has to be counted anew."""
    moved = _move_whole(line, broadcast_id, findings) or _move(line, broadcast_id, findings, "delivery.state = 3")
    same = broadcast_id, no, now
    line.insert_few("attempt", _ATTEMPT, [(*same, *_closed(closing)) for closing in closings], _AGAIN)
    return moved


def _lift(tx: Tx, broadcast_id: int, findings: Sequence[Finding]) -> int:
    """A truth that comes late still lifts what a broken lease made unknown."""
    with tx.together() as line:
        lifted = _move(line, broadcast_id, findings, "delivery.state = 4 AND r.state <> 4")
    return lifted()


def _closed(one: Closing) -> tuple[Any, ...]:
    asked = one.request
    return (
        asked.attempt_id, asked.first_seq, asked.last_seq, asked.size, asked.part, one.account,
        asked.started_at, one.outcome, one.accepted, one.provider_message_id, one.reason or "",
    )  # fmt: skip


def _move_whole(line: Line, broadcast_id: int, findings: Sequence[Finding]) -> Callable[[], int] | None:
    """Whole attempts with one and the same result are found by their ids alone: as for `_name_attempts`."""
    kinds = {(f.state, f.reason, f.whole) for f in findings}
    if len(kinds) != 1 or not findings[0].whole:
        return None
    [(state, reason, _)] = kinds
    return line.change(
        "UPDATE delivery SET state = :state, reason = :why WHERE broadcast_id = :b AND seq BETWEEN :first AND :last"
        f" AND attempt_id {line.tx.among_numbers} AND state = 3",
        state=int(state), why=reason, b=broadcast_id, numbers=line.tx.pack_numbers([f.attempt_id for f in findings]),
        first=min(f.first_seq for f in findings), last=max(f.last_seq for f in findings),
    )  # fmt: skip


def _move(line: Line, broadcast_id: int, findings: Sequence[Finding], which: str) -> Callable[[], int]:
    return line.change_by(
        f"UPDATE delivery SET state = r.state, reason = r.why {{r}} WHERE {_within(findings)} AND attempt_id = r.id"
        f" AND {which}",
        {"id": "int", "lo": "int", "hi": "int", "state": "int", "why": "text"},
        [(f.attempt_id, f.first_seq, f.last_seq, int(f.state), f.reason) for f in findings],
        b=broadcast_id,
        first=min((f.first_seq for f in findings), default=0),
        last=max((f.last_seq for f in findings), default=0),
    )


def _within(runs: Sequence[Request] | Sequence[Finding]) -> str:
    """Which rows of a broadcast lie in the runs. The constant bounds and the plain equality keep PostgreSQL
    on the key."""
    single = all(run.first_seq == run.last_seq for run in runs)
    rows = "seq = r.lo" if single else "seq BETWEEN r.lo AND r.hi"
    return f"broadcast_id = :b AND seq BETWEEN :first AND :last AND {rows}"


def _shift(
    line: Line, broadcast_id: int, no: int, findings: Sequence[Finding], begun: int = 0,
    which: str = " AND sending >= :found", **ours: int,
) -> Callable[[], int]:  # fmt: skip
    """Move the batch's counters by these findings, and by so many that begin; 0: the row is not as `which` says."""
    moved = dict.fromkeys(STATES, 0)
    for one in findings:
        moved[one.state] += one.size
    found = sum(moved.values())
    moved[D.WAITING] -= begun
    pairs = ", ".join(f"{state.name.lower()} = {state.name.lower()} + :{state.name.lower()}" for state in _REACHED)
    lease = ", lease_until = :until" if "until" in ours else ""
    return line.change(
        f"UPDATE batch SET sending = sending + :begun - :found, {pairs}{lease}"
        f" WHERE broadcast_id = :b AND no = :no{which}",
        begun=begun, found=found, b=broadcast_id, no=no, **{s.name.lower(): moved[s] for s in _REACHED}, **ours,
    )  # fmt: skip


_REACHED = (D.WAITING, D.UNKNOWN, D.ACCEPTED, D.FAILED, D.EXPIRED, D.CANCELLED)


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
