"""Drains a channel: claims due batches and hands them over until there are none or the time is up."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from dispatcher.ledger import accounts as account_rows
from dispatcher.ledger import attempts, broadcasts, claims, leases, planning
from dispatcher.ledger import codes as code_rows
from dispatcher.ledger.claims import Claim
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.rendition import Rendition
from dispatcher.policy.retry import wait_seconds
from dispatcher.services import asking, codes, hold, measuring, reconciling, routing, tampering, unsubscribes
from dispatcher.services.context import Account, Context
from dispatcher.services.envelopes import Sealer
from dispatcher.services.handover import hand_over
from dispatcher.services.routing import Choice
from dispatcher.services.work import Work, cut

LANES = 2
"""Batches worked on at once, so that the last calls of one overlap the first of the next."""

_BOUND = attrgetter("seq", "rid", "address", "fields")
"""What approval binds of a row."""

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain did. `more`: ring again, something is due now."""

    batches: int
    deliveries: int
    more: bool


@dataclass(frozen=True, slots=True)
class Done:
    """A batch that was worked on, and when it is due again (ms), after how many tries."""

    claim: Claim
    due_at: int
    tries: int


async def drain(
    ctx: Context, channel: str, *, seconds: float | None = None, stopping: Callable[[], bool] = lambda: False
) -> Drained:
    """Claim and hand over due batches of a channel for at most `seconds`, or until `stopping`."""
    if hold.guard(ctx):
        return Drained(0, 0, more=False)
    ensure_accounts(ctx)  # no tick may have seen this account yet, and without a row its failures count for nothing
    limit = ctx.settings.dispatch.drain_seconds if seconds is None else seconds
    ends = ctx.clock.monotonic() + limit

    def halting() -> bool:
        return stopping() or ctx.clock.monotonic() >= ends

    done = [await _lane(ctx, Channel(channel), halting, fragile=True)]
    done += await _side_by_side([_lane(ctx, Channel(channel), halting, fragile=False) for _ in range(LANES)])
    if not stopping():
        await reconciling.settle(ctx, Channel(channel), stopping)
        await asking.ask(ctx, Channel(channel), stopping)
    return Drained(sum(b for b, _ in done), sum(d for _, d in done), more=not stopping() and is_due(ctx, channel))


async def _side_by_side(lanes: Sequence[Coroutine[Any, Any, tuple[int, int]]]) -> list[tuple[int, int]]:
    """Every lane to its end, also when another fails: its calls under way have answers worth keeping."""
    done = await asyncio.gather(*lanes, return_exceptions=True)
    for one in done:
        if isinstance(one, BaseException):
            raise one
    return [one for one in done if not isinstance(one, BaseException)]


def is_due(ctx: Context, channel: str) -> bool:
    """Whether a batch of this channel could be claimed now."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        return claims.anything_due(tx, channel, now, now - lateness_ms(ctx))


def lateness_ms(ctx: Context) -> int:
    """How late a release may be before it waits for a person."""
    return int(ctx.settings.dispatch.late_minutes * 60_000)


async def _lane(ctx: Context, channel: Channel, halting: Callable[[], bool], *, fragile: bool) -> tuple[int, int]:
    """One batch after the other: those over which workers fell, while such a one is the most urgent, or the others."""
    batches = deliveries = 0
    done: Done | None = None
    while not halting():
        claim, done = _claim(ctx, channel, fragile, done), None
        if claim is None:
            break
        batches += 1
        went, done = await _work_off(ctx, claim, halting)
        deliveries += went
        if done and fragile:
            _give_back(ctx, done)
            done = None
    if done:
        _give_back(ctx, done)
    return batches, deliveries


def _claim(ctx: Context, channel: Channel, fragile: bool = False, done: Done | None = None) -> Claim | None:
    """The next batch; the last one is given back, on SQLite in the same transaction.

    PostgreSQL's rows are locked one by one, and others take those of several batches in their order.
    """
    if done and not ctx.ledger.is_sqlite:
        _give_back(ctx, done)
        done = None
    owner = f"{ctx.host}/{os.getpid()}"
    lease = ctx.settings.dispatch.lease_seconds * 1000
    if fragile:
        now = to_ms(ctx.clock.now())
        with ctx.ledger.read() as tx:
            if not claims.fragile_is_next(tx, channel, now, now - lateness_ms(ctx)):
                return None
    with ctx.ledger.write() as tx:
        now = to_ms(ctx.clock.now())
        if done:
            claims.release(tx, done.claim, done.due_at, done.tries)
        return claims.claim(tx, channel, owner, now, now - lateness_ms(ctx), lease, fragile)


async def _work_off(ctx: Context, claim: Claim, halting: Callable[[], bool]) -> tuple[int, Done | None]:
    """Hand over what may go. How many went, and the batch to be given back, or None where it is not ours to give."""
    choice = routing.choose(ctx, claim)
    if choice is None:
        return 0, Done(claim, _due(ctx, ctx.settings.dispatch.breaker.open_seconds / 4), claim.tries)
    work = _prepare(ctx, claim, choice)
    if work is None:
        return 0, None
    await hand_over(ctx, work, halting)
    return work.went, None if work.lost else _settle(ctx, work)


def _prepare(ctx: Context, claim: Claim, choice: Choice) -> Work | None:
    """Read the batch and check that it is the one that was approved."""
    account = choice.account
    batch = claim.broadcast_id, claim.no
    with ctx.ledger.read() as tx:
        rendition = broadcasts.rendition(tx, claim.rendition_id)
        parts = attempts.accepted_parts(tx, *batch) if claim.channel is Channel.SOCIAL else {}
        with tx.together() as line:
            asked = claims.rows(line, *batch, claim.version_id, claim.channel)
            codes_of = code_rows.of_batch(line, *batch)
            lost = leases.fragile(line, *batch, ctx.settings.dispatch.retry.quarantine_after - 1)
        rows, bound, alone = asked(), codes_of(), lost()
    found = planning.batch_hash(map(_BOUND, rows))
    if code_rows.hash_with(found, bound) != claim.hash:
        tampering.stop(ctx, claim)
        return None
    rows = codes.filled(rows, bound)
    by_seq = {row.seq: row for row in rows}
    size = _request_size(claim, account)
    # Beside somebody over whom workers may die, others would be lost again and again, and blamed for it.
    one_by_one = claim.careful or choice.probing or any(row.state == 0 and row.seq in alone for row in rows)
    return Work(
        claim, rendition, account, by_seq, cut(rows, size, alone), _sealer(ctx, claim), size,
        _units(account, rendition, rows), parts, alone=one_by_one,
        patience=1 if choice.probing else ctx.settings.dispatch.breaker.failures,
    )  # fmt: skip


def _units(account: Account, rendition: Rendition, rows: Sequence[Row[Any]]) -> int:
    """What one recipient may cost at most, in units of the account's price: parts of a text, else 1."""
    if account.channel is not Channel.SMS or not account.settings.spend_cap:
        return 1
    return max((measuring.text_parts(rendition, row.fields) for row in rows), default=1)


def _request_size(claim: Claim, account: Account) -> int:
    asked = account.settings.recipients_per_request or claim.request_size
    size = max(1, min(asked, account.provider.recipients_per_request))
    return 1 if claim.careful else size


def _sealer(ctx: Context, claim: Claim) -> Sealer:
    purpose = Purpose(claim.purpose)
    wants = purpose is Purpose.PROMOTIONAL and claim.channel is Channel.EMAIL
    base = f"{ctx.settings.public_url.rstrip('/')}/unsubscribe/" if wants else ""
    return Sealer(ctx.ledger_id, claim.broadcast_id, purpose, base, unsubscribes.signer(ctx) if wants else str)


def _settle(ctx: Context, work: Work) -> Done:
    """Due at once if there is more of it, later if the vendor asked for patience."""
    if not work.came_back:
        return Done(work.claim, 0, 0 if work.went else work.claim.tries)
    tries = work.claim.tries + 1
    wait = wait_seconds(ctx.settings.dispatch.retry, tries, work.retry_after)
    return Done(work.claim, _due(ctx, wait), tries)


def _due(ctx: Context, wait: float) -> int:
    return to_ms(ctx.clock.now()) + int(wait * 1000) if wait else 0


def _give_back(ctx: Context, done: Done) -> None:
    with ctx.ledger.write() as tx:
        claims.release(tx, done.claim, done.due_at, done.tries)


def ensure_accounts(ctx: Context) -> None:
    """Give every account of the settings its row."""
    with ctx.ledger.read() as tx:
        missing = [(a.name, str(a.channel)) for a in ctx.accounts.values() if a.name not in account_rows.known(tx)]
    if missing:
        with ctx.ledger.write() as tx:
            account_rows.ensure(tx, missing, to_ms(ctx.clock.now()))
