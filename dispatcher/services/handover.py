"""One claimed batch, from its rows to the vendor and back: tokens, intent, call, outcome, in that order.

Between awaits everything is synchronous and short; no transaction is open during a call. What a crash on any line
means is decided by the last committed row: before the intent nothing was sent, after it the outcome is unknown until
somebody proves it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.ledger import claims, leases, usage
from dispatcher.ledger.claims import Claim, Request
from dispatcher.ledger.engine import LedgerFault, Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Misconfigured, NotSent, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.services import outcomes
from dispatcher.services.calls import Calls
from dispatcher.services.context import Account, Context
from dispatcher.services.envelopes import Sealer
from dispatcher.services.outcomes import Finished
from dispatcher.wire import begin_before

FRESH_SECONDS = 0.5
"""A call not begun this long after its intent is not made."""
COMMIT_SECONDS = 0.9
"""Nor one whose intent was written, commit included, longer ago than this: a freeze at any place is noticed."""
BEGIN_SECONDS = 1.0
"""A request whose first byte is not written this long after the call began (no connection) is not written at all."""
AWAY_SECONDS = 0.2
"""Pause before a ledger that is busy or away is asked again."""
GATHER_SECONDS = 0.01
"""Answers wait this long at most for others to be written with, and room for a few calls for more of it, so that one
transaction serves many."""
FEW = 8
"""Fewer answers than this are written at once only when no call of their batch is under way any more."""
IDLE_SECONDS = 1.0
"""With nothing to begin and nothing to write, only an answer matters."""

LANES = 2
"""Batches worked on at once, so that the last calls of one overlap the first of the next."""

log = get(__name__)


@dataclass(slots=True)
class Work:
    """A batch at hand and what has become of it so far. `patience`: failures in a row after which it is given back."""

    claim: Claim
    rendition: Rendition
    account: Account
    rows: dict[int, Row[Any]]
    mark: int
    gone: dict[int, str]
    todo: deque[list[int]]
    sealer: Sealer
    units: int = 1
    parts: dict[int, str] = field(default_factory=dict)
    again: Counter[int] = field(default_factory=Counter)
    """Hand-overs of this work beyond the first, by seq: next parts of a thread, halves of a refused request."""
    finished: list[Finished] = field(default_factory=list)
    retry_after: float | None = None
    came_back: int = 0
    went: int = 0
    halted: bool = False
    lost: bool = False
    alone: bool = False
    """One call at a time, whatever the account bears: the batch is suspect, or the account is on probation."""
    patience: int = 5
    failures: int = 0
    calls: Calls = field(default_factory=Calls)
    open: int = 0
    """Calls begun whose outcome is not written yet: what a kill would leave unknown."""
    began_at: float = 0.0
    """When calls of it began last, monotonic."""


async def hand_over(ctx: Context, work: Work, halting: Callable[[], bool]) -> None:
    """Everything of one batch that may go now. Returns when no call of it is under way and all is written."""
    try:
        with ctx.concurrency.waking(work.calls.wake):
            await _work_through(ctx, work, halting)
    finally:
        work.calls.cancel()
        _close(ctx, work, work.open)


async def _work_through(ctx: Context, work: Work, halting: Callable[[], bool]) -> None:
    while True:
        going = bool(work.todo) and not work.halted and not halting()
        room = _room(ctx, work) if going else 0
        if _is_worth_an_intent(ctx, work, room):
            await _start(ctx, work, room)
        if work.calls or going:
            for one in await work.calls.answers(GATHER_SECONDS if going or work.finished else IDLE_SECONDS):
                _notice(work, one)
        await _flush(ctx, work, last=not work.calls)
        if not work.calls and not (work.todo and not work.halted and not halting()):
            return


def _room(ctx: Context, work: Work) -> int:
    """How many calls may begin now: what others leave of the account's window, which moves with the answers.

    A call takes its place until its outcome is written, so that a kill leaves no more unknown than the window.
    """
    if work.alone:
        return 1 - work.open
    return ctx.concurrency.room(work.account.name, work.account.settings.in_flight)


def _group(ctx: Context, work: Work) -> int:
    """Calls that are worth a transaction."""
    return max(1, ctx.concurrency.size(work.account.name, work.account.settings.in_flight) // 4)


def _is_worth_an_intent(ctx: Context, work: Work, room: int) -> bool:
    """Begin in groups, so that one intent serves many small requests; but do not wait long for one."""
    waited = ctx.clock.monotonic() - work.began_at >= GATHER_SECONDS
    return room > 0 and (work.open == 0 or waited or room >= _group(ctx, work))


def _notice(work: Work, one: Finished) -> None:
    """Keep an answer to be written. What makes no further call wise is heeded now, not once it is written.

    An account that fails again and again is left alone at once: each further call could cost another unknown.
    """
    work.finished.append(one)
    if one.stale:
        return
    failed = isinstance(one.outcomes[0], (NotSent, OutcomeUnknown, Misconfigured))
    work.failures = work.failures + 1 if failed else 0
    come_back = any(outcome.retryable for outcome in one.outcomes)
    work.halted = work.halted or come_back or work.failures >= work.patience


async def _flush(ctx: Context, work: Work, *, last: bool) -> None:
    many = max(FEW, _group(ctx, work))
    if work.finished and (last or len(work.finished) >= many or _oldest(ctx, work) >= GATHER_SECONDS):
        finished, work.finished = work.finished, []
        await _write(ctx, work, finished)
        _close(ctx, work, len(finished))
        for one in finished:
            _feel(ctx, work, one)
            _follow_up(work, one)


def _close(ctx: Context, work: Work, calls: int) -> None:
    work.open -= calls
    ctx.concurrency.ended(work.account.name, calls)


def _feel(ctx: Context, work: Work, one: Finished) -> None:
    """Let the account's window grow or shrink by this answer; one that failed says nothing about room."""
    account = work.account
    throttled = isinstance(one.outcomes[0], Throttled)
    if one.stale or isinstance(one.outcomes[0], (NotSent, OutcomeUnknown, Misconfigured)):
        return
    ctx.concurrency.answered(account.name, account.settings.in_flight, throttled=throttled, now=one.at)


async def _write(ctx: Context, work: Work, finished: Sequence[Finished]) -> None:
    """Answers are not thrown away because the ledger is busy or away: they are written again until the lease ends."""
    until = ctx.clock.monotonic() + ctx.settings.dispatch.lease_seconds
    while True:
        try:
            outcomes.write(ctx, work.claim, work.account, finished)
        except LedgerFault as error:
            if not error.transient or ctx.clock.monotonic() > until:
                raise
            log.warning("outcomes_wait_for_the_ledger", error=type(error.orig).__name__)
            await asyncio.sleep(AWAY_SECONDS)
        else:
            return


def _oldest(ctx: Context, work: Work) -> float:
    return ctx.clock.monotonic() - work.finished[0].at


def _follow_up(work: Work, one: Finished) -> None:
    """What a written outcome means for the rest of this batch: a next part, smaller requests, a pause."""
    sample = one.outcomes[0]
    if one.stale:
        return
    if len(one.seqs) > 1 and all(isinstance(o, Rejected) and o.isolate for o in one.outcomes):
        half = len(one.seqs) // 2
        work.again.update(one.seqs)
        work.todo.extendleft((list(one.seqs[half:]), list(one.seqs[:half])))
        return
    if one.next_part:
        work.parts[one.request.part] = getattr(sample, "provider_message_id", "")
        work.todo.append(list(one.seqs))
        work.again.update(one.seqs)
        return
    back = sum(1 for outcome in one.outcomes if outcome.retryable)
    work.came_back += back
    work.went += len(one.outcomes) - back
    waits = [o.retry_after for o in one.outcomes if getattr(o, "retry_after", None)]  # type: ignore[attr-defined]
    work.retry_after = max([work.retry_after or 0.0, *waits]) or None


async def _start(ctx: Context, work: Work, room: int) -> None:
    """Begin as many requests as there is room for: tokens first, then one intent for all of them, then the calls."""
    chosen = await _affordable(ctx, work, room)
    if not chosen:
        return
    try:
        part = len(work.parts) + 1
        sealed = _seal(ctx, work, chosen, part)
        intended, written = _intend(ctx, work, chosen, part)
    except LeaseLost:
        work.halted = True
        return
    except LedgerFault as error:
        # Whether it was committed is not known: the lease runs out, and what it named becomes unknown.
        if not error.transient:
            raise
        log.warning("intent_without_ledger", error=type(error.orig).__name__)
        work.halted = work.lost = True
        return
    latest = min(written + COMMIT_SECONDS, ctx.clock.monotonic() + FRESH_SECONDS)
    expires = from_ms(work.claim.expires_at)
    work.began_at = ctx.clock.monotonic()
    work.open += len(intended)
    ctx.concurrency.begun(work.account.name, len(intended))
    for request, seqs in intended:
        work.calls.begin(_call(ctx, work, request, seqs, [sealed[seq] for seq in seqs], expires, latest))


def _seal(ctx: Context, work: Work, chosen: Sequence[list[int]], part: int) -> dict[int, Envelope]:
    """Envelopes before the intent, so that a crash over one of them leaves nobody unknown."""
    seqs = [seq for some in chosen for seq in some]
    if work.claim.careful:
        with ctx.ledger.write() as tx:
            if not leases.suspect(tx, work.claim, seqs[0]):
                raise LeaseLost
    rows = [work.rows[seq] for seq in seqs]
    copies = [row.tries + work.again[row.seq] + 1 for row in rows]
    envelopes = work.sealer.seal(rows, part, work.parts.get(part - 1), copies)
    return dict(zip(seqs, envelopes, strict=True))


async def _affordable(ctx: Context, work: Work, room: int) -> list[list[int]]:
    """The next requests that the account's rate allows; sleeps once, shortly, if it allows none yet."""
    chosen: list[list[int]] = []
    rate = work.account.settings.per_second
    left = _left_today(ctx, work)
    while work.todo and len(chosen) < room and left > 0:
        grant = ctx.limits.take(work.account.name, min(left, len(work.todo[0])), rate)
        if grant.tokens == 0:
            if not chosen:
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


def _intend(
    ctx: Context, work: Work, chosen: Sequence[list[int]], part: int
) -> tuple[list[tuple[Request, list[int]]], float]:
    """The intent transaction: under the locked control row, take out who has opted out, then write whom we call.

    Also when it was written, by the monotonic clock, before the commit. It is dated when the ledger let us in, not
    when we asked: the settle time counts from here, and whoever waited or slept at the door may be past the expiry.
    """
    with ctx.ledger.write() as tx:
        now = to_ms(ctx.clock.now())
        if not claims.may_send(tx, work.claim, now):
            work.halted = True
            return [], 0.0
        kept = _without_suppressed(tx, work, chosen)
        if not _within_caps(tx, work, kept, now):
            work.halted, work.came_back, work.retry_after = True, 1, usage.seconds_left(now)
            return [], 0.0
        ids = claims.attempt_ids(tx, len(kept))
        requests = [Request(i, seqs[0], seqs[-1], len(seqs), part) for i, seqs in zip(ids, kept, strict=True)]
        lease = now + ctx.settings.dispatch.lease_seconds * 1000
        if requests and not claims.intend(tx, work.claim, work.account.name, requests, now, lease):
            raise LeaseLost
        written = ctx.clock.monotonic()
    return list(zip(requests, kept, strict=True)), written


def _within_caps(tx: Tx, work: Work, kept: Sequence[list[int]], now: int) -> bool:
    """Count these recipients against the account's caps of today. Money is reckoned by the longest this text can be."""
    settings = work.account.settings
    if not kept or not (settings.per_day or settings.spend_cap):
        return True
    recipients = sum(map(len, kept))
    cost = recipients * settings.unit_cost * work.units
    return usage.take(tx, work.account.name, now, recipients, cost, settings.per_day, settings.spend_cap)


class LeaseLost(Exception):
    """The batch went to somebody else, or its rows are not as we read them; nothing was written or sent."""


def _without_suppressed(tx: Tx, work: Work, chosen: Sequence[list[int]]) -> list[list[int]]:
    claim = work.claim
    news = claims.suppressed_since(tx, claim.channel, claim.scope, work.mark)
    if not (work.gone or news):
        return list(chosen)
    asked = [seq for seqs in chosen for seq in seqs]
    reasons = {seq: work.gone[seq] for seq in asked if seq in work.gone}
    reasons |= {seq: news[work.rows[seq].address] for seq in asked if work.rows[seq].address in news}
    if not reasons:
        return list(chosen)
    claims.suppress(tx, claim.broadcast_id, claim.no, reasons)
    left = ([seq for seq in seqs if seq not in reasons] for seqs in chosen)
    return [seqs for seqs in left if seqs]


async def _call(
    ctx: Context,
    work: Work,
    request: Request,
    seqs: list[int],
    envelopes: Sequence[Envelope],
    expires_at: datetime,
    latest: float,
) -> Finished:
    """One provider call within its total deadline. Never raises for what the vendor or the wire does."""
    stale = ctx.clock.monotonic() > latest
    found: Sequence[Outcome] = (
        [NotSent("the worker was too slow to begin the call")] * len(seqs)
        if stale
        else await _within_deadline(work, envelopes, expires_at)
    )
    posts = work.rendition.posts if work.claim.channel is Channel.SOCIAL else ()
    more = request.part < len(posts) and found[0].settled and not isinstance(found[0], Rejected)
    return Finished(request, seqs, list(found), ctx.clock.monotonic(), next_part=more, stale=stale)


async def _within_deadline(work: Work, envelopes: Sequence[Envelope], expires_at: datetime) -> Sequence[Outcome]:
    try:
        begin_before(asyncio.get_running_loop().time() + BEGIN_SECONDS)
        async with asyncio.timeout(work.account.settings.timeout + 1.0):
            found = await work.account.provider.send(work.rendition, envelopes, expires_at=expires_at)
    except TimeoutError:
        return [OutcomeUnknown("no answer within the deadline")] * len(envelopes)
    except Exception as error:  # noqa: BLE001 - an adapter's fault after the intent is an unknown outcome, and is shown
        log.error("adapter_fault", account=work.account.name, error=type(error).__name__)
        return [OutcomeUnknown(f"the adapter failed: {type(error).__name__}")] * len(envelopes)
    if len(found) != len(envelopes):
        return [OutcomeUnknown("the adapter did not answer for everyone")] * len(envelopes)
    return found


def cut(rows: Sequence[Row[Any]], size: int, alone: Set[int] = frozenset()) -> deque[list[int]]:
    """Waiting deliveries of a batch as requests of up to `size`, in order; those in `alone` each by itself."""
    requests: deque[list[int]] = deque()
    for seq in (row.seq for row in rows if row.state == 0):
        last = requests[-1] if requests else []
        if not last or len(last) >= size or seq in alone or last[-1] in alone:
            requests.append([seq])
        else:
            last.append(seq)
    return requests
