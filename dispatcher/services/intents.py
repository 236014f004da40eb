"""Whom the next calls of a batch are for: what the account's rate and caps allow, sealed, then written as an intent."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.ledger import attempts, claims, leases, suppressions, usage
from dispatcher.ledger.attempts import Request
from dispatcher.ledger.engine import Tx
from dispatcher.model.clock import to_ms
from dispatcher.model.rendition import Envelope
from dispatcher.services import outcomes
from dispatcher.services.context import Context
from dispatcher.services.outcomes import Finished
from dispatcher.services.work import Work


class LeaseLost(Exception):
    """The batch went to somebody else, or its rows are not as we read them; nothing was written or sent."""


async def affordable(ctx: Context, work: Work, room: int, *, patient: bool) -> list[list[int]]:
    """The next requests that the account's rate allows; `patient`: sleeps once, shortly, if it allows none yet."""
    chosen: list[list[int]] = []
    rate = work.account.settings.per_second
    left = _left_today(ctx, work)
    while work.todo and len(chosen) < room and left > 0:
        grant = ctx.limits.take(work.account.name, min(left, len(work.todo[0])), rate)
        if grant.tokens == 0:
            if patient and not chosen:
                await asyncio.sleep(min(grant.wait, 0.2))
            break
        seqs = work.todo.popleft()
        if grant.tokens < len(seqs):
            work.todo.appendleft(seqs[grant.tokens :])
        chosen.append(seqs[: grant.tokens])
        left -= grant.tokens
    if not chosen and left <= 0:
        work.halted, work.came_back = True, 1
        work.retry_after = usage.seconds_left(to_ms(ctx.clock.now()))
    return chosen


def _left_today(ctx: Context, work: Work) -> int:
    """Recipients that the account's caps still allow; a guess that the intent makes sure of."""
    settings = work.account.settings
    if not (settings.per_day or settings.spend_cap):
        return len(work.rows)
    with ctx.ledger.read() as tx:
        recipients, spent = usage.today(tx, work.account.name, to_ms(ctx.clock.now()))
    by_day = settings.per_day - recipients if settings.per_day else len(work.rows)
    price = settings.unit_cost * work.units
    by_money = int((settings.spend_cap - spent) / price + 1e-9) if settings.spend_cap and price else len(work.rows)
    return max(0, min(by_day, by_money))


def seal(ctx: Context, work: Work, chosen: Sequence[list[int]], part: int) -> dict[int, Envelope]:
    """Envelopes before the intent, so that a crash over one of them leaves none of them unknown."""
    seqs = [seq for some in chosen for seq in some]
    if work.claim.careful:
        with ctx.ledger.write() as tx:
            if not leases.suspect(tx, work.claim, seqs[0]):
                raise LeaseLost
    rows = [work.rows[seq] for seq in seqs]
    copies = [row.tries + work.again.get(row.seq, 0) + 1 for row in rows]
    envelopes = work.sealer.seal(rows, part, work.parts.get(part - 1), copies)
    return dict(zip(seqs, envelopes, strict=True))


@dataclass(frozen=True, slots=True)
class Leave:
    """What the ledger says under its locks: whether the batch may go on at an instant (ms), who of `chosen` is left,
    why others are not, by seq, and fresh attempt ids."""

    may_send: Callable[[int], bool]
    kept: list[list[int]]
    suppressed: dict[int, str]
    ids: list[int]


def ask_leave(tx: Tx, work: Work, chosen: Sequence[list[int]]) -> Leave:
    """Lock gate, control row and batch, in this order as whoever stops or expires a broadcast, and only then look who
    has opted out."""
    claim = work.claim
    people = claim.channel.counts_people
    addresses = {seq: work.rows[seq].address for seqs in chosen for seq in seqs} if people else {}
    with tx.together() as line:
        may_send = claims.may_send(line, claim)
        found = suppressions.among(line, claim.channel, claim.scope, list(addresses.values())) if people else dict
        ids = attempts.fresh_ids(line, len(chosen))
    barred = found()
    if not barred:
        return Leave(may_send, list(chosen), {}, ids())
    reasons = {seq: barred[address] for seq, address in addresses.items() if address in barred}
    left = ([seq for seq in seqs if seq not in reasons] for seqs in chosen)
    return Leave(may_send, [seqs for seqs in left if seqs], reasons, ids())


def write(
    ctx: Context, tx: Tx, work: Work, leave: Leave, part: int, now: int, finished: Sequence[Finished]
) -> list[tuple[Request, list[int]]]:
    """Take out who has opted out, then write whom we call, and with it what came back.

    Nobody, and nothing of what came back, where nobody is left or a cap forbids it. `now` in ms. Raises LeaseLost.
    """
    if leave.suppressed:
        claims.suppress(tx, work.claim.broadcast_id, work.claim.no, leave.suppressed)
    if not _within_caps(tx, work, leave.kept, now):
        work.halted, work.came_back, work.retry_after = True, 1, usage.seconds_left(now)
        return []
    if not leave.kept:
        return []
    pairs = zip(leave.ids, leave.kept, strict=False)  # whoever opted out leaves ids over
    requests = [Request(i, seqs[0], seqs[-1], len(seqs), now, part) for i, seqs in pairs]
    lease = now + ctx.settings.dispatch.lease_seconds * 1000
    if not attempts.intend(
        tx, work.claim, work.account.name, requests, now, lease, *outcomes.told(work.account, finished),
        along=outcomes.judging(ctx, work.account, finished, now),
    ):  # fmt: skip
        raise LeaseLost
    outcomes.suppress(tx, work.claim, finished, now)
    return list(zip(requests, leave.kept, strict=True))


def _within_caps(tx: Tx, work: Work, kept: Sequence[list[int]], now: int) -> bool:
    """Count these recipients against the account's caps of today. Money is reckoned by the longest this text can be."""
    settings = work.account.settings
    if not kept or not (settings.per_day or settings.spend_cap):
        return True
    recipients = sum(map(len, kept))
    cost = recipients * settings.unit_cost * work.units
    return usage.take(tx, work.account.name, now, recipients, cost, settings.per_day, settings.spend_cap)
