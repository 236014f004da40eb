"""Do not contact this address: suppressions added, lifted, imported. Each has a reason; none is ever deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dispatcher.channels.media import canonical
from dispatcher.errors import AudienceError, NotFound, Refused, UsageError
from dispatcher.ledger import broadcasts, suppressions
from dispatcher.ledger.suppressions import SCOPES, Suppression, Wanted
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services.context import Context
from dispatcher.tables.columns import recognised
from dispatcher.tables.reading import opened
from dispatcher.tables.recipients import SHOWN, Judge, RowError

REASONS = ("opt_out", "unsubscribed", "hard_bounce", "spam_report", "invalid", "legal", "request")
"""Why an address is suppressed; events of vendors use the same words."""

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class SuppressionImport:
    """What an import of suppressions came to; bad cells are named and the rest is in, since each one protects."""

    rows: int
    added: int
    held_already: int
    errors: tuple[RowError, ...]
    error_count: int


def add(
    ctx: Context,
    actor: Person,
    address: str,
    *,
    channel: Channel | None = None,
    reason: str = "request",
    scope: str = "all",
    note: str = "",
    region: str = "",
) -> Suppression:
    """Suppress one address. Without a channel, an @ says that it is email and anything else that it is a number."""
    require(actor, Right.SUPPRESS)
    _known(reason, REASONS, "--reason")
    _known(scope, SCOPES, "--scope")
    found = channel or guessed(address)
    form = canonical(found, address, region or ctx.settings.audience.region)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        wanted = Wanted(found, form, scope, reason, note)
        made = suppressions.add(tx, [wanted], source="person", by=actor.id, now=now)
        if made:
            broadcasts.note_act(tx, "suppression added", now, person_id=actor.id, channel=found, detail=reason)
        held = suppressions.of_address(tx, found, form)
        return next(one for one in held if one.scope == scope and one.removed_at is None)


def remove(
    ctx: Context, actor: Person, address: str, *, reason: str, channel: Channel | None = None, region: str = ""
) -> list[Suppression]:
    """Lift everything that holds for an address. The reason is kept: somebody may have to explain it."""
    require(actor, Right.UNSUPPRESS)
    if not reason.strip():
        raise UsageError("Lifting a suppression needs a reason.", mend="--reason 'asked for it again by phone'")
    found = channel or guessed(address)
    form = canonical(found, address, region or ctx.settings.audience.region)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        ended = suppressions.remove(tx, found, form, None, reason=reason.strip(), by=actor.id, now=now)
        if not ended:
            raise NotFound(f"This {found} address is not suppressed.", mend="dispatcher suppression list shows all.")
        broadcasts.note_act(tx, "suppression lifted", now, person_id=actor.id, channel=found, detail=reason.strip())
        return ended


def listing(ctx: Context, *, channel: Channel | None = None) -> Iterator[Suppression]:
    """Everything that holds, in the order in which it came, page by page."""
    after = 0
    while True:
        with ctx.ledger.read() as tx:
            page = suppressions.page(tx, channel=channel, after=after, limit=1000)
        if not page:
            return
        yield from page
        after = page[-1].id


def counts(ctx: Context) -> dict[tuple[str, str, str], int]:
    """How many hold, by channel, scope and reason."""
    with ctx.ledger.read() as tx:
        return suppressions.counts(tx)


def of_address(ctx: Context, address: str, *, channel: Channel | None = None, region: str = "") -> list[Suppression]:
    """The history of an address, the newest first."""
    found = channel or guessed(address)
    form = canonical(found, address, region or ctx.settings.audience.region)
    with ctx.ledger.read() as tx:
        return suppressions.of_address(tx, found, form)


def import_file(
    ctx: Context, actor: Person, path: Path, *, reason: str = "opt_out", scope: str = "all", region: str = ""
) -> SuppressionImport:
    """Suppress every address of a file: every email and phone cell of every row.

    Unlike people, good rows are taken although others are bad: a suppression left out would tell somebody who asked
    not to be told.
    """
    require(actor, Right.SUPPRESS)
    _known(reason, REASONS, "--reason")
    _known(scope, SCOPES, "--scope")
    with opened(path) as table:
        judge = Judge(table, recognised(table.columns), region or ctx.settings.audience.region)
        wanted, added = 0, 0
        for page in _pages(_addresses(judge, scope, reason)):
            wanted += len(page)
            added += _added(ctx, actor, page)
    if not judge.rows:
        raise AudienceError(f"{path.name} holds nobody.", mend="Export the list again.")
    return SuppressionImport(judge.rows, added, wanted - added, tuple(judge.errors[:SHOWN]), judge.error_count)


def guessed(address: str) -> Channel:
    """Email if there is an @ in it, else SMS."""
    return Channel.EMAIL if "@" in address or "＠" in address else Channel.SMS


def _added(ctx: Context, actor: Person, page: Sequence[Wanted]) -> int:
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        added = suppressions.add(tx, page, source="import", by=actor.id, now=now)
        broadcasts.note_act(tx, "suppressions imported", now, person_id=actor.id, detail=str(added))
        return added


def _addresses(judge: Judge, scope: str, reason: str) -> Iterator[Wanted]:
    for _, email, phone, _, _ in judge.recipients():
        if email:
            yield Wanted(Channel.EMAIL, email, scope, reason)
        if phone:
            yield Wanted(Channel.SMS, phone, scope, reason)


def _pages(wanted: Iterator[Wanted]) -> Iterator[list[Wanted]]:
    while page := list(islice(wanted, _PAGE)):
        yield page


def _known(word: str, words: Sequence[str], option: str) -> None:
    if word not in words:
        raise Refused(
            f"{word!r} is none of the words for {option}.", mend=f"{option} {' or '.join(words)}", code="E-SUP"
        )
