"""Vendors' reports: verified and stored before they are answered, applied by a worker in sets."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dispatcher.errors import DispatcherError, NotFound
from dispatcher.ledger import anomalies, claims, copies, events, suppressions
from dispatcher.ledger.engine import LedgerFault, Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.broadcast import BATCH
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.states import DeliveryState
from dispatcher.provider import ReportsEvents
from dispatcher.services.context import Context
from dispatcher.services.envelopes import parse_key

POSTS, SIZE = 200, 4 << 20
"""Stored posts applied in one transaction, and bytes of them: some 12,000 events:
memory stays flat, and on SQLite new posts do not wait long for their turn to be stored."""

STEPS = 8
"""Into so many steps of time, or one more, the arrivals of one set are put at most."""

FATAL = 5
"""A post that was taken so often and never dealt with is parked: each time the worker died."""

PROOF: dict[EventType, DeliveryState] = {
    EventType.PROCESSED: DeliveryState.ACCEPTED,
    EventType.DELIVERED: DeliveryState.DELIVERED,
    EventType.BOUNCED: DeliveryState.FAILED,
    EventType.BLOCKED: DeliveryState.FAILED,
    EventType.UNDELIVERED: DeliveryState.FAILED,
    EventType.DROPPED: DeliveryState.FAILED,
}

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Post:
    """A vendor's post whose signature is good."""

    account: str
    request: WebhookRequest


def verified(ctx: Context, account: str, request: WebhookRequest) -> Post:
    """Verify a vendor's post on its raw bytes. Raises NotFound or BadSignature; then there is nothing to keep."""
    found = ctx.accounts.get(account)
    if found is None or not isinstance(found.provider, ReportsEvents):
        raise NotFound(f"No account {account!r} takes events.")
    found.provider.verify(request)
    return Post(account, request)


def keep(ctx: Context, posts: Sequence[Post]) -> list[Exception | None]:
    """Commit posts at once; for each what went wrong, or None. Where the ledger refuses them, each is tried alone."""
    try:
        _keep(ctx, posts)
    except LedgerFault as error:
        if error.transient or len(posts) == 1:
            return [error] * len(posts)
        return [wrong for post in posts for wrong in keep(ctx, [post])]
    return [None] * len(posts)


def _keep(ctx: Context, posts: Sequence[Post]) -> None:
    rows = [(p.account, to_ms(p.request.received_at), p.request.url, p.request.headers, p.request.body) for p in posts]
    with ctx.ledger.write() as tx:
        events.store(tx, rows)


def store(ctx: Context, account: str, request: WebhookRequest) -> None:
    """Verify and commit one post."""
    (wrong,) = keep(ctx, [verified(ctx, account, request)])
    if wrong is not None:
        raise wrong


class _Unusable(ValueError):
    """A post that is not read. The message is ours, and names no address."""


@dataclass(slots=True)
class _Proved:
    """What came in one step of time proves about one broadcast."""

    seqs: set[int] = field(default_factory=set)
    proofs: dict[tuple[int, int | None], copies.Proof] = field(default_factory=dict)


@dataclass(slots=True)
class _Folded:
    """What a set of posts says. `proved` by broadcast and the end of the `step` in which it came (both ms)."""

    step: int = 1000
    proved: dict[tuple[int, int], _Proved] = field(default_factory=dict)
    suppressed: list[tuple[int, int, str, int]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    odd: set[tuple[str, str]] = field(default_factory=set)
    poison: list[tuple[int, str, str]] = field(default_factory=list)


def anything_new(ctx: Context) -> bool:
    """Whether a post waits that no worker has in hand."""
    return _times_taken(ctx) is not None


def _times_taken(ctx: Context) -> int | None:
    with ctx.ledger.read() as tx:
        return events.times_taken(tx, to_ms(ctx.clock.now()), _lease_ms(ctx))


def _lease_ms(ctx: Context) -> int:
    return ctx.settings.dispatch.lease_seconds * 1000


def apply(ctx: Context, *, seconds: float = 2.0, make_way: Callable[[], None] = lambda: None) -> bool:
    """Apply stored posts for at most `seconds`; whether more wait. Any number of workers may do so at once.

    `make_way` is called before a post of which workers may have died: nothing else should be under way beside it.
    """
    ends = ctx.clock.monotonic() + seconds
    while (taken := _times_taken(ctx)) is not None:
        if ctx.clock.monotonic() >= ends:
            return True
        if alone := taken >= events.ALONE:
            make_way()
        with ctx.ledger.write() as tx:
            posts = events.take(tx, to_ms(ctx.clock.now()), _lease_ms(ctx), POSTS, SIZE, alone=alone)
        _apply(ctx, posts)
    return False


def _apply(ctx: Context, posts: Sequence[Row[Any]]) -> None:
    """What a worker dies of stays taken until the lease ends; any other failure gives the posts back at once.

    Only a ledger that is away or busy is no fault of theirs: what fails again and again for another reason comes alone,
    and is parked in the end, so that it holds up nobody.
    """
    folded = _Folded(_step([post.received_at for post in posts]))
    try:
        for post in posts:
            _read_post(ctx, post, folded)
        if folded.odd:
            log.warning("unknown_event_words", words=[" ".join(one) for one in sorted(folded.odd)[:10]])
        _write(ctx, folded)
    except Exception as error:
        blamed = not (isinstance(error, LedgerFault) and error.transient)
        with suppress(LedgerFault), ctx.ledger.write() as tx:  # a ledger that is away: the lease ends by itself
            events.give_back(tx, [post.id for post in posts], blamed=blamed)
        raise


def _step(arrivals: Sequence[int]) -> int:
    """In whole seconds, or in longer steps where posts have waited long: each step of a set is folded by itself."""
    span = max(arrivals, default=0) - min(arrivals, default=0)
    return max(1, -(-span // (STEPS * 1000))) * 1000


def take(ctx: Context, found: Sequence[Event]) -> None:
    """Events that we asked for ourselves."""
    folded = _Folded()
    _add(ctx, found, to_ms(ctx.clock.now()), folded)
    if folded.proved:
        _write(ctx, folded)


def _write(ctx: Context, folded: _Folded) -> None:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        _fold_all(tx, folded.proved, now)
        if folded.suppressed:
            suppressions.suppress_addresses(tx, folded.suppressed, "provider event", now)
        for post_id, account, error in folded.poison:
            events.close(tx, [post_id], events.POISON, error)
            anomalies.add(tx, events.UNREADABLE, error, now, account=account)
        events.close(tx, folded.done, events.DONE)


def _fold_all(tx: Tx, proved: Mapping[tuple[int, int], _Proved], now: int) -> None:
    """All batches of a broadcast are locked before its first step, so that two workers never wait in a ring."""
    touched: dict[int, set[int]] = {}
    for (broadcast_id, _), one in proved.items():
        touched.setdefault(broadcast_id, set()).update(seq // BATCH for seq, _ in one.proofs)
    arrivals = {}
    for broadcast_id, at in sorted(proved):
        if numbers := touched.pop(broadcast_id, None):
            claims.lock_batches(tx, broadcast_id, sorted(numbers))
        arrivals[broadcast_id, at] = _fold(tx, broadcast_id, proved[broadcast_id, at], now)
    events.arrived(tx, arrivals)


def _fold(tx: Tx, broadcast_id: int, proved: _Proved, now: int) -> int:
    """How many rose to delivered."""
    rose = copies.fold(tx, broadcast_id, proved.proofs) if proved.proofs else Counter()
    if rose.total() != len(proved.seqs):
        _look_at_misfits(tx, broadcast_id, proved, now)
    return rose[DeliveryState.DELIVERED]


def _look_at_misfits(tx: Tx, broadcast_id: int, proved: _Proved, now: int) -> None:
    for seq, word in events.misfits(tx, broadcast_id, sorted(proved.seqs)):
        detail = f"an event came for a delivery that is {word}"
        anomalies.add(tx, "event for nobody", detail, now, broadcast_id=broadcast_id, seq=seq)


def _read_post(ctx: Context, post: Row[Any], folded: _Folded) -> None:
    """Parse one stored post; one that cannot be read is parked and shown, and holds up nobody."""
    account = ctx.accounts.get(post.account)
    try:
        if post.tries > FATAL:
            raise _Unusable("nobody could apply it: workers died or failed each time")
        if account is None or not isinstance(account.provider, ReportsEvents):
            raise _Unusable("its account is not in the settings")
        found = account.provider.parse(_request(post))
    except (ValueError, KeyError, TypeError, DispatcherError) as error:
        log.error("unreadable_events", account=post.account, error=type(error).__name__)
        why = str(error) if isinstance(error, _Unusable) else type(error).__name__
        folded.poison.append((post.id, post.account, f"{why}, post {post.id}"))
        return
    folded.done.append(post.id)
    folded.odd.update((post.account, event.vendor_word) for event in found if event.type is EventType.UNKNOWN)
    _add(ctx, found, post.received_at, folded)


def _request(post: Row[Any]) -> WebhookRequest:
    return WebhookRequest("POST", post.url, json.loads(post.headers), bytes(post.body), from_ms(post.received_at))


def _add(ctx: Context, found: Iterable[Event], received_at: int, folded: _Folded) -> None:
    """What events say of deliveries of ours; others' are none of our business."""
    at = -(-received_at // folded.step) * folded.step
    for event in found:
        ours = parse_key(event.key) if event.key else None
        if ours is None or ours[0] != ctx.ledger_id:
            continue
        _, broadcast_id, seq = ours
        place = broadcast_id, at
        if place not in folded.proved:
            folded.proved[place] = _Proved()
        _prove(event, seq, folded.proved[place])
        if event.suppresses:
            folded.suppressed.append((broadcast_id, seq, event.suppresses, received_at))


def _prove(event: Event, seq: int, proved: _Proved) -> None:
    proved.seqs.add(seq)
    state = PROOF.get(event.type)
    if state is None:
        return
    known = proved.proofs.get((seq, event.copy))
    if known is None or known[0] < state:
        reason = (event.reason or event.vendor_word)[:200] if state is DeliveryState.FAILED else None
        proved.proofs[seq, event.copy] = (state, reason)
