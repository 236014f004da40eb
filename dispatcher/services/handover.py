"""One claimed batch, from its rows to the vendor and back: tokens, intent, call, outcome, in that order.

Between awaits everything is synchronous and short; no transaction is open during a call. What a crash on any line
means is decided by the last committed row: before the intent nothing was sent, after it the outcome is unknown until
somebody proves it. What came back and whom the next calls are for are written together, in one transaction.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dispatcher.ledger.attempts import Request
from dispatcher.ledger.engine import LedgerFault
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Misconfigured, NotSent, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope
from dispatcher.services import intents, outcomes
from dispatcher.services.context import Context
from dispatcher.services.outcomes import Finished
from dispatcher.services.work import Work
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

log = get(__name__)


@dataclass(frozen=True, slots=True)
class _Intent:
    """Requests of which the ledger knows: each with its seqs, everybody's envelope by seq, and when it was written."""

    requests: Sequence[tuple[Request, list[int]]]
    sealed: dict[int, Envelope]
    written: float


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
        going = _goes_on(work, halting)
        room = _room(ctx, work) if going else 0
        if _is_worth_writing(ctx, work) or _is_worth_an_intent(ctx, work, room):
            await _turn(ctx, work, room)
            going = _goes_on(work, halting)
        if not (work.calls or work.finished or going):
            return
        if going and work.alone and not work.calls:
            continue  # nothing can come in that would be worth waiting for
        for one in await work.calls.answers(GATHER_SECONDS if going or work.finished else IDLE_SECONDS):
            _notice(ctx, work, one)


def _goes_on(work: Work, halting: Callable[[], bool]) -> bool:
    """Whether a further call of this batch is wanted."""
    return bool(work.todo) and not work.halted and not halting()


def _room(ctx: Context, work: Work) -> int:
    """How many calls may begin now: what others leave of the account's window, which moves with the answers.

    A call takes its place until its outcome is written, so that a kill leaves no more unknown than the window. Those
    that came back give theirs to the calls whose intent is written along with them.
    """
    if work.alone:
        return 1 - work.open
    return ctx.concurrency.room(work.account.name, work.account.settings.in_flight) + len(work.finished)


def _group(ctx: Context, work: Work) -> int:
    """Calls that are worth a transaction, which costs much the same for one recipient as for a thousand."""
    share = 2 if work.size == 1 else 4
    return max(1, ctx.concurrency.size(work.account.name, work.account.settings.in_flight) // share)


def _is_worth_an_intent(ctx: Context, work: Work, room: int) -> bool:
    """Begin in groups, so that one intent serves many small requests; but do not wait long for one."""
    waited = ctx.clock.monotonic() - work.began_at >= GATHER_SECONDS
    return room > 0 and (work.open == 0 or waited or room >= _group(ctx, work))


def _is_worth_writing(ctx: Context, work: Work) -> bool:
    """Likewise for answers; the last of those under way are written at once."""
    if not work.finished:
        return False
    many = len(work.finished) >= max(FEW, _group(ctx, work))
    return many or not work.calls or ctx.clock.monotonic() - work.finished[0].at >= GATHER_SECONDS


def _notice(ctx: Context, work: Work, one: Finished) -> None:
    """Keep an answer to be written. What makes no further call wise is heeded now, not once it is written.

    An account that fails again and again is left alone at once: each further call could cost another unknown. A vendor
    that throttles and names no time wants fewer calls at once, so the others go on in a smaller window.
    """
    work.finished.append(one)
    if one.stale:
        return
    failed = isinstance(one.outcomes[0], (NotSent, OutcomeUnknown, Misconfigured))
    throttled = isinstance(one.outcomes[0], Throttled)
    work.failures = work.failures + 1 if failed or throttled else 0
    come_back = any(outcome.retryable and not _wants_room(outcome) for outcome in one.kinds())
    work.halted = work.halted or come_back or work.failures >= work.patience
    if not failed:  # one that failed says nothing about room
        account = work.account
        ctx.concurrency.answered(account.name, account.settings.in_flight, throttled=throttled, now=one.at)


def _wants_room(outcome: Outcome) -> bool:
    """Throttled, and no time named."""
    return isinstance(outcome, Throttled) and not outcome.retry_after


async def _turn(ctx: Context, work: Work, room: int) -> None:
    """Write what came back and begin what there is room for: tokens first, then one transaction, then the calls."""
    finished, work.finished = work.finished, []
    intent = None
    try:
        chosen = await _chosen(ctx, work, room, patient=not finished)
        intent = _intend(ctx, work, finished, chosen) if chosen else None
    finally:  # whatever became of the intent
        if finished and intent is None:
            await _write(ctx, work, finished)
    _close(ctx, work, len(finished))
    if intent is not None:
        _begin(ctx, work, intent)
    for one in finished:
        _follow_up(work, one)


async def _chosen(ctx: Context, work: Work, room: int, *, patient: bool) -> list[list[int]]:
    """Nobody where the ledger cannot say what the account's caps allow: the batch is given back."""
    try:
        return await intents.affordable(ctx, work, room, patient=patient) if room > 0 else []
    except LedgerFault as error:
        if not error.transient:
            raise
        log.warning("caps_without_ledger", error=type(error.orig).__name__)
        work.halted = True
        return []


def _intend(ctx: Context, work: Work, finished: Sequence[Finished], chosen: Sequence[list[int]]) -> _Intent | None:
    """One transaction for what came back and for whom we call next. None: it was undone, or nobody knows.

    An intent is dated when the ledger let us in, not when we asked: the settle time counts from here, and whoever
    waited or slept at the door may be past the expiry. `written` is by the monotonic clock, before the commit.
    """
    part = len(work.parts) + 1
    try:
        sealed = intents.seal(ctx, work, chosen, part)
        with ctx.ledger.write() as tx:
            leave = intents.ask_leave(tx, work, chosen)
            now = to_ms(ctx.clock.now())
            allowed = leave.may_send(now)
            requests = intents.write(ctx, tx, work, leave, part, now, finished) if allowed else []
            if not requests:
                outcomes.record(ctx, tx, work.claim, work.account, finished, now)
            work.halted = work.halted or not allowed
            written = ctx.clock.monotonic()
    except intents.LeaseLost:
        work.halted = True
        return None
    except LedgerFault as error:
        # Whether it was committed is not known: the lease runs out, and what it named becomes unknown.
        if not error.transient:
            raise
        log.warning("intent_without_ledger", error=type(error.orig).__name__)
        work.halted = work.lost = True
        return None
    return _Intent(requests, sealed, written)


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


def _close(ctx: Context, work: Work, calls: int) -> None:
    work.open -= calls
    ctx.concurrency.ended(work.account.name, calls)


def _begin(ctx: Context, work: Work, intent: _Intent) -> None:
    latest = min(intent.written + COMMIT_SECONDS, ctx.clock.monotonic() + FRESH_SECONDS)
    expires = from_ms(work.claim.expires_at)
    work.began_at = ctx.clock.monotonic()
    work.open += len(intent.requests)
    ctx.concurrency.begun(work.account.name, len(intent.requests))
    for request, seqs in intent.requests:
        work.calls.begin(_call(ctx, work, request, seqs, [intent.sealed[seq] for seq in seqs], expires, latest))


def _follow_up(work: Work, one: Finished) -> None:
    """What a written outcome means for the rest of this batch: a next part, smaller requests, a pause."""
    sample = one.outcomes[0]
    if one.stale:
        return
    if len(one.seqs) > 1 and all(isinstance(o, Rejected) and o.isolate for o in one.kinds()):
        half = len(one.seqs) // 2
        work.again.update(one.seqs)
        work.todo.extendleft((list(one.seqs[half:]), list(one.seqs[:half])))
        return
    if one.next_part:
        work.parts[one.request.part] = getattr(sample, "provider_message_id", "")
        work.todo.append(list(one.seqs))
        work.again.update(one.seqs)
        return
    again = any(outcome.retryable for outcome in one.kinds())
    back = sum(outcome.retryable for outcome in one.outcomes) if again else 0
    work.came_back += back
    work.went += len(one.outcomes) - back
    waits = [o.retry_after for o in one.kinds() if isinstance(o, Throttled) and o.retry_after]
    work.retry_after = max([work.retry_after or 0.0, *waits]) or None


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
    stale = ctx.clock.monotonic() > latest or ctx.clock.now() >= expires_at
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
