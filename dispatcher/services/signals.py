"""Signals of incident tools: proved and stored before they are answered, applied by a worker, each once.

A signal opens and moves incidents, sets facts as believed, promises the next word, drafts. It never sends anything.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dispatcher.errors import ConfigurationError, DispatcherError, Refused
from dispatcher.intake import playbook as books
from dispatcher.intake import redaction
from dispatcher.intake import severity as severities
from dispatcher.intake.tool import Ask, AsksBack
from dispatcher.ledger import anomalies, signals
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.event import WebhookRequest
from dispatcher.model.incident import incident_ref
from dispatcher.model.kinds import Mode, Severity
from dispatcher.model.person import Person
from dispatcher.model.signal import Signal
from dispatcher.people import Right, require
from dispatcher.services import doors, playbooks
from dispatcher.services.context import Context
from dispatcher.services.doors import AskAgain, Door, TooMany
from dispatcher.services.playbooks import Happening, Shelf, Trial
from dispatcher.services.rulings import HOUR_MS, SILENT, Case, case_of, fingerprint, keep, resumed, rule
from dispatcher.wire import WireError

ASK_SECONDS = 5.0
POSTS, OF_A_SOURCE = 100, 20
"""Posts looked at in one go, and how many of them may be of one source."""
LEASE_MS = 30_000
TRIES = 3
BODIES_KEPT_MS, BODIES_OF_A_SOURCE = 7 * 24 * HOUR_MS, 1000
HASHES_KEPT_MS = 14 * 24 * HOUR_MS
"""Repeats are known for two weeks; senders repeat for four days at most."""

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A post that is in the ledger."""

    id: int
    signals: int
    repeat: bool


def take(ctx: Context, door: Door, request: WebhookRequest) -> Taken:
    """Prove, read and commit a post. Raises BadSignature, TooMany or Refused; then nothing is kept."""
    door.reader.verify(request, door.secrets)
    if wait := door.pace.take(ctx.clock.monotonic()):
        raise TooMany(wait)
    found = door.reader.parse(request)
    post = signals.Post(
        hash=fingerprint(door.tool, door.source, *_delivery(request, found)),
        tool=door.tool,
        source=door.source,
        received_at=to_ms(request.received_at),
        headers=redaction.headers(request.headers, door.settings.token_header),
        body=request.body,
    )
    with ctx.ledger.write() as tx:
        number, repeat = signals.store(tx, post)
    return Taken(number, len(found), repeat)


async def prepare(ctx: Context, door: Door, request: WebhookRequest) -> None:
    """What a sender must be asked before its post can be proved. Raises AskAgain, BadSignature or Refused."""
    if isinstance(door.reader, AsksBack):
        await _asking(ctx, door.reader.prepare, request)


async def confirm(ctx: Context, door: Door, request: WebhookRequest) -> None:
    """Answer a stored post that asks for a confirmation. Raises AskAgain, so that the sender posts it again."""
    if isinstance(door.reader, AsksBack):
        await _asking(ctx, door.reader.confirm, request)


async def _asking(
    ctx: Context, step: Callable[[WebhookRequest, Ask], Awaitable[None]], request: WebhookRequest
) -> None:
    async def ask(address: str) -> bytes:
        if ctx.settings.mode is Mode.DRILL:
            raise AskAgain("A drill asks nobody outside this machine.")
        try:
            answer = await ctx.wire.request("GET", address, headers={}, timeout=ASK_SECONDS)
        except WireError as error:
            raise AskAgain(f"The sender could not be asked: {error}.") from None
        if answer.status != 200:
            raise AskAgain(f"The sender's own address answered {answer.status}.")
        return answer.body

    await step(request, ask)


def _delivery(request: WebhookRequest, found: Sequence[Signal]) -> list[bytes]:
    ids = [one.delivery_id.encode() for one in found]
    return [b"ids", *ids] if ids and all(ids) else [b"body", request.body]


def prune(ctx: Context) -> None:
    """Forget what is old: bodies after a week, all else after two. The tick calls it now and then."""
    with ctx.ledger.write() as tx:
        signals.prune(
            tx,
            to_ms(ctx.clock.now()),
            hashes_kept=HASHES_KEPT_MS,
            bodies_kept=BODIES_KEPT_MS,
            bodies_each=BODIES_OF_A_SOURCE,
        )


def anything_new(ctx: Context) -> bool:
    """Whether a post waits for a worker."""
    with ctx.ledger.read() as tx:
        return signals.anything_new(tx, to_ms(ctx.clock.now()))


def apply(ctx: Context, *, seconds: float = 2.0) -> bool:
    """Apply stored posts for at most `seconds`, every source in its turn; whether more wait."""
    ends = ctx.clock.monotonic() + seconds
    shelf: Shelf | None = None
    while True:
        with ctx.ledger.read() as tx:
            waiting = signals.waiting(tx, to_ms(ctx.clock.now()), OF_A_SOURCE, POSTS)
        if not waiting:
            return False
        shelf = shelf or playbooks.shelf(ctx)
        for number in waiting:
            _apply(ctx, shelf, number)
            if ctx.clock.monotonic() >= ends:
                return True


def _apply(ctx: Context, shelf: Shelf, number: int) -> None:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        post = signals.claim(tx, number, now, now + LEASE_MS)
    if post is None:
        return
    try:
        if post.tries > TRIES:
            raise ConfigurationError("It was tried too often.")
        reader, settings = doors.reader(ctx, post.tool, post.source)
        found = reader.parse(_request(post))
    except (Refused, ConfigurationError) as error:
        _park(ctx, post, error)
        return
    for place, signal in enumerate(found):
        _one(ctx, shelf, case_of(post, settings, signal, place))
    with ctx.ledger.write() as tx:
        signals.close_post(tx, number, signals.DONE, redaction.body(bytes(post.body)))


def _park(ctx: Context, post: Row[Any], error: DispatcherError) -> None:
    """A post that cannot be read is put aside and shown, and holds up nobody."""
    log.error("unreadable_signals", tool=post.tool, source=post.source, post=post.id, error=type(error).__name__)
    with ctx.ledger.write() as tx:
        signals.close_post(tx, post.id, signals.POISON, redaction.body(bytes(post.body)), error.what)
        words = f"post {post.id} of {post.tool}/{post.source}: {error.what}"
        anomalies.add(tx, "unreadable signals", words, to_ms(ctx.clock.now()))


def _request(post: Row[Any]) -> WebhookRequest:
    return WebhookRequest("POST", "", json.loads(post.headers), bytes(post.body), from_ms(int(post.received_at)))


def _one(ctx: Context, shelf: Shelf, case: Case) -> None:
    """Rule in one transaction; then the consequences, each of which may be done again after a crash."""
    with ctx.ledger.write() as tx:
        known = signals.find(tx, case.digest)
        if known is not None and known.done:
            return
        ruling = resumed(tx, known, case) if known is not None and known.incident_id else rule(tx, ctx, shelf, case)
        ruling = replace(ruling, signal_id=keep(tx, case, ruling))
    detail = ""
    if ruling.incident_id is not None and ruling.outcome not in SILENT:
        happening = Happening(
            ruling.incident_id, case.signal, case.seen, case.severity, ruling.moment, ruling.fresh, ruling.episode,
            case.digest.hex()[:12],
        )  # fmt: skip
        detail = playbooks.act(ctx, shelf.get(ruling.playbook), happening)
    with ctx.ledger.write() as tx:
        signals.finish(tx, ruling.signal_id, detail)


@dataclass(frozen=True, slots=True)
class Told:
    """A stored post, or one signal of it, for a list."""

    post: int
    tool: str
    source: str
    received_at: datetime
    kind: str
    title: str
    outcome: str
    detail: str
    incident: str
    repeats: int
    replayable: bool


@dataclass(frozen=True, slots=True)
class Source:
    """A source and what came from it. Without secret and without posts it is only named in the settings."""

    tool: str
    source: str
    address: str
    secrets: int
    posts: int
    repeats: int
    waiting: int
    unreadable: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a payload says and what would be done about it, without doing it."""

    signal: Signal
    severity: Severity
    seen: Mapping[str, Any]
    trial: Trial | None


def sources(ctx: Context) -> list[Source]:
    """Every source that is open, named or has posted."""
    told = doors.told(ctx)
    with ctx.ledger.read() as tx:
        rows = {(row.tool, row.source): row for row in signals.sources(tx)}
    found = []
    for tool, source in sorted({*told, *rows}):
        row = rows.get((tool, source))
        counts = (int(row.posts), int(row.repeats), int(row.waiting), int(row.poison)) if row else (0, 0, 0, 0)
        last = from_ms(int(row.last)) if row else None
        held = told.get((tool, source), 0)
        found.append(Source(tool, source, doors.address(ctx, tool, source), held, *counts, last))
    return found


def recent(ctx: Context, *, limit: int = 20, source: str = "") -> list[Told]:
    """The newest posts, a line for each signal."""
    with ctx.ledger.read() as tx:
        return [_told(row) for row in signals.recent(tx, limit, source)]


def _told(row: Row[Any]) -> Told:
    state = {signals.NEW: "waiting", signals.POISON: "unreadable"}.get(row.state, "repeat")
    return Told(
        post=row.id,
        tool=row.tool,
        source=row.source,
        received_at=from_ms(int(row.received_at)),
        kind=row.kind or "",
        title=str(json.loads(row.told).get("title", "")) if row.told else "",
        outcome=row.outcome or state,
        detail=row.detail or row.error or "",
        incident=incident_ref(row.incident_id) if row.incident_id else "",
        repeats=row.repeats,
        replayable=bool(row.kept),
    )


def replay(ctx: Context, actor: Person, number: int) -> list[Told]:
    """Apply a stored post again, with today's vocabularies and playbooks. What had its effect has it no second time."""
    require(actor, Right.INCIDENT)
    with ctx.ledger.write() as tx:
        signals.reopen_post(tx, number)
    _apply(ctx, playbooks.shelf(ctx), number)
    return [one for one in recent(ctx, limit=1000) if one.post == number]


def try_payload(ctx: Context, tool: str, source: str, request: WebhookRequest) -> list[Reading]:
    """Read a payload as if it came from a source; nothing is proved, stored or done."""
    reader, settings = doors.reader(ctx, tool, source)
    shelf = playbooks.shelf(ctx)
    found = []
    for signal in reader.parse(request):
        severity = severities.read(signal.severity_raw, settings.severity, settings.severity_unknown)
        seen = books.view(tool, source, signal, severity)
        book = books.choose(shelf.playbooks, seen) if signal.kind.is_live else None
        trial = playbooks.trial(book, signal, seen, settings.visibility) if book else None
        found.append(Reading(signal, severity, seen, trial))
    return found
