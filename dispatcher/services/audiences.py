"""Lists of people: read, judged as a whole, confirmed by a person, kept as immutable versions.

An import is all or nothing, and it touches no suppression: who opted out stays out, whatever list brings them back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dispatcher.channels.phone import is_region
from dispatcher.errors import AudienceError, ConfirmationWrong, NotFound, Refused, UsageError
from dispatcher.ledger import audiences, broadcasts
from dispatcher.ledger.audiences import AudienceVersion, Reach
from dispatcher.ledger.staging import Repeat, Stage
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.recipient import Recipient
from dispatcher.people import Right, require
from dispatcher.services.context import Context
from dispatcher.tables.columns import recognised
from dispatcher.tables.reading import opened
from dispatcher.tables.recipients import SHOWN, Judge, RowError

RESERVED = frozenset({"all", "everyone", "everybody", "nobody", "none"})
"""Words that could be taken for a selection of their own."""

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What a file holds. `rows` is what a person confirms; `recipients` is less where rows repeat an address.

    `errors` and `repeats` are the first thousand of `error_count` and `repeat_count`; `reasons` counts errors by
    (column, why); `columns` says what each column is taken for; `nowhere` are recipients without any address.
    """

    source: str
    form: str
    region: str
    columns: Mapping[str, str]
    fields: tuple[str, ...]
    rows: int
    recipients: int
    with_email: int
    with_phone: int
    nowhere: int
    errors: tuple[RowError, ...]
    error_count: int
    reasons: Mapping[tuple[str, str], int]
    repeats: tuple[Repeat, ...]
    repeat_count: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that was read and judged and waits to be stored."""

    report: ImportReport
    stage: Stage
    leave_out_bad: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """`unchanged`: the newest version holds exactly these people already, and no other was made."""

    version: AudienceVersion
    unchanged: bool
    suppressed: Mapping[Channel, int]


@dataclass(frozen=True, slots=True)
class AudienceView:
    """One audience as shown: its newest version, the older ones, whom it reaches, a first few people."""

    version: AudienceVersion
    versions: tuple[AudienceVersion, ...]
    reach: Reach
    suppressed: Mapping[Channel, int]
    sample: tuple[Recipient, ...]


@contextmanager
def prepared(
    ctx: Context,
    path: Path,
    *,
    region: str = "",
    mapping: Mapping[str, str] | None = None,
    sheet: str = "",
    encoding: str = "",
    leave_out_bad: bool = False,
) -> Iterator[Prepared]:
    """Read and judge a file. Nothing is stored; with `leave_out_bad` a bad address is dropped instead of refused.

    `region` (ISO 3166) reads telephone numbers without country code; `mapping` is column to field, or to `ignore`.
    """
    chosen = _region(region or ctx.settings.audience.region)
    with Stage() as stage:
        with opened(path, sheet=sheet, encoding=encoding) as table:
            judge = Judge(table, recognised(table.columns, mapping), chosen)
            stage.put(judge.recipients())
        yield Prepared(_report(path.name, judge, stage), stage, leave_out_bad)


def _report(source: str, judge: Judge, stage: Stage) -> ImportReport:
    repeats, repeat_count = stage.drop_repeats(SHOWN)
    recipients, with_email, with_phone, nowhere = stage.counts()
    return ImportReport(
        source=source,
        form=judge.table.form,
        region=judge.region,
        columns=judge.columns.meaning(),
        fields=tuple(sorted(name for name, _ in judge.columns.fields)),
        rows=judge.rows,
        recipients=recipients,
        with_email=with_email,
        with_phone=with_phone,
        nowhere=nowhere,
        errors=tuple(judge.errors),
        error_count=judge.error_count,
        reasons=dict(judge.reasons),
        repeats=tuple(repeats),
        repeat_count=repeat_count,
    )


def preview(
    ctx: Context,
    path: Path,
    *,
    region: str = "",
    mapping: Mapping[str, str] | None = None,
    sheet: str = "",
    encoding: str = "",
) -> ImportReport:
    """What an import of this file would bring, and everything that is wrong with it."""
    with prepared(ctx, path, region=region, mapping=mapping, sheet=sheet, encoding=encoding) as found:
        return found.report


def store(ctx: Context, actor: Person, found: Prepared, into: str, *, rows: int) -> Imported:
    """Make a new version of an audience from a prepared file. `rows` is the number that a person confirmed."""
    require(actor, Right.IMPORT)
    name = audience_name(into)
    _refuse_bad(found)
    if rows != found.report.rows:
        raise ConfirmationWrong(
            f"{rows:,} rows were confirmed; the file holds {found.report.rows:,}.",
            why="A number that differs may mean a wrong or a damaged file.",
            mend=f"Look at the file; then confirm {found.report.rows}.",
        )
    before = _same_as_newest(ctx, found, name)
    version = before or _stored(ctx, actor, found, name)
    with ctx.ledger.read() as tx:
        return Imported(version, before is not None, audiences.suppressed(tx, version.id))


def current(ctx: Context, name: str) -> AudienceVersion:
    """The newest version of an audience; raises where there is none."""
    with ctx.ledger.read() as tx:
        return audiences.current(tx, name)


def listing(ctx: Context) -> list[AudienceVersion]:
    """The newest version of every audience."""
    with ctx.ledger.read() as tx:
        return audiences.listing(tx)


def show(ctx: Context, name: str, *, sample: int = 10) -> AudienceView:
    """One audience: versions, reach, and its first few people."""
    with ctx.ledger.read() as tx:
        version = audiences.current(tx, name)
        return AudienceView(
            version=version,
            versions=tuple(audiences.versions(tx, name)),
            reach=audiences.reach(tx, version.id),
            suppressed=audiences.suppressed(tx, version.id),
            sample=tuple(audiences.page(tx, version.id, limit=sample)),
        )


def recipients(ctx: Context, actor: Person, version_id: int) -> Iterator[Recipient]:
    """Everybody of a version, in order, page by page."""
    require(actor, Right.EXPORT)
    after = 0
    while True:
        with ctx.ledger.read() as tx:
            page = audiences.page(tx, version_id, after=after, limit=1000)
        if not page:
            return
        yield from page
        after = page[-1].rid


def remove(ctx: Context, actor: Person, name: str) -> None:
    """Take an audience off the list; refused while a broadcast to it is open. Its versions stay in the ledger."""
    require(actor, Right.IMPORT)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        if open_ids := audiences.open_broadcasts(tx, name):
            refs = ", ".join(broadcast_ref(one) for one in open_ids[:5])
            raise Refused(
                f"{len(open_ids)} broadcasts to {name!r} are open.",
                why=f"They are {refs}.",
                mend="Finish, stop or reject them first.",
                code="E-AUD",
            )
        if not audiences.remove(tx, name, now):
            raise NotFound(f"There is no audience {name!r}.", mend="dispatcher audience list shows their names.")
        broadcasts.note_act(tx, "audience removed", now, person_id=actor.id, detail=name)


def audience_name(written: str) -> str:
    """A name that can be told from an option, from a selection word and from its neighbour."""
    name = " ".join(written.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name.startswith("-"):
        raise UsageError(
            "This cannot be an audience's name.", mend=f"Use 1 to {_LONGEST_NAME} printable characters: customers-eu."
        )
    if name.casefold() in RESERVED:
        raise UsageError(
            f"No audience may be called {name!r}.",
            why="It could be read as a selection.",
            mend="Choose a plainer name.",
        )
    return name


def _region(written: str) -> str:
    region = written.strip().upper()
    if region and not is_region(region):
        hint = "The United Kingdom is GB." if region == "UK" else "Two letters of ISO 3166, such as GB or IE."
        raise UsageError(f"No region is called {region}.", mend=hint)
    return region


def _refuse_bad(found: Prepared) -> None:
    report = found.report
    if report.error_count and not found.leave_out_bad:
        first = report.errors[0]
        raise AudienceError(
            f"{report.error_count:,} cells of {report.source} cannot be imported; nothing was.",
            why=f"The first is on line {first.line}, column {first.column}: {first.why}",
            mend=(first.mend, "Correct them all and import again."),
            code="E-IMP",
        )
    if not report.recipients:
        raise AudienceError(
            f"{report.source} holds nobody.", why="An empty list means nobody.", mend="Export the list again."
        )


def _same_as_newest(ctx: Context, found: Prepared, name: str) -> AudienceVersion | None:
    with ctx.ledger.read() as tx:
        newest = audiences.latest(tx, name)
    if newest is None or newest.size != found.report.recipients:
        return None
    return newest if newest.content_hash == audiences.content_hash(found.stage.lines()) else None


def _stored(ctx: Context, actor: Person, found: Prepared, name: str) -> AudienceVersion:
    report, now = found.report, to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        opened_version = audiences.open_version(
            tx, name, fields=report.fields, source=report.source, region=report.region,
            imported_by=actor.id, now=now,
        )  # fmt: skip
        version = audiences.fill(tx, opened_version.id, found.stage.lines())
        detail = f"{version.label}: {version.size} people from {report.source}"
        broadcasts.note_act(tx, "audience imported", now, person_id=actor.id, detail=detail)
        return version


def first_errors(report: ImportReport, most: int = 20) -> list[str]:
    """Problems as lines of text, the first few of them."""
    lines = [f"line {e.line}, column {e.column}: {e.why} {e.mend}" for e in islice(report.errors, most)]
    more = report.error_count - len(lines)
    return [*lines, f"and {more:,} more"] if more > 0 else lines
