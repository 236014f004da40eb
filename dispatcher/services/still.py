"""The draft that says we are still working on it: one command, at least one new fact, never sent by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dispatcher.compose.lint.substance import substance
from dispatcher.errors import Refused, UsageError
from dispatcher.ledger import audiences, broadcasts, incidents
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.incident import Incident
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.promise import Circle
from dispatcher.model.template import Template
from dispatcher.people import Right, require
from dispatcher.services import drafting, facts, promises
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the author gives. Empty means: the audience told last, the template of the cadence, every usable channel.

    `next_at` None is the next time by the cadence.
    """

    facts: Mapping[FactKey, object] = field(default_factory=dict)
    circle: Circle = Circle.CUSTOMERS
    audience: str = ""
    template: str = ""
    channels: Sequence[Channel] = ()
    next_at: datetime | None = None


def draft(ctx: Context, actor: Person, ref: str, wanted: Wanted) -> Broadcast:
    """Draft the next word from the facts as they stand. Refused where nothing is new since the last one."""
    require(actor, Right.DRAFT)
    with ctx.ledger.read() as tx:
        incident = incidents.by_ref(tx, ref)
        _require_news(tx, incident, wanted, ctx.settings.organisation.locale)
        audience = wanted.audience or _audience(tx, incident, wanted.circle)
        next_at = wanted.next_at or promises.suggest(ctx, tx, incident, wanted.circle)
    if not incident.is_open:
        raise Refused(f"{incident.ref} is closed.", mend="dispatcher incident open")
    if next_at is None:
        raise UsageError("No cadence says when the next word is due.", mend="Say it: --next 'in 4h'")
    template = ctx.catalogue.get(wanted.template or _template(ctx, incident))
    if wanted.facts:
        facts.set_facts(ctx, actor, incident.ref, wanted.facts)
    asked = drafting.Draft(
        template=template.id,
        audience=audience,
        channels=tuple(wanted.channels) or _channels(ctx, template),
        incident=incident.ref,
        title=f"{template.title}: {incident.title}"[:200],
        facts=_own_facts(ctx, incident, template),
        relation="still",
    )
    with ctx.ledger.write() as tx:
        made = drafting.draft_in(ctx, tx, actor, asked, template)
        broadcasts.change(tx, made.id, next_update_at=to_ms(next_at))
        return broadcasts.get(tx, made.id)


def _require_news(tx: Tx, incident: Incident, wanted: Wanted, language: str) -> None:
    """At least one value that these readers have not had. That work goes on is no news."""
    standing = {(fact.name, fact.locale): fact for fact in incidents.facts(tx, incident.id)}
    given = {key: value for key, value in wanted.facts.items() if key not in standing or standing[key].value != value}
    if any(_tells(value, locale or language) for (_, locale), value in given.items()):
        return
    since = _last_word(tx, incident, wanted.circle)
    newer = [one for one in standing.values() if one.set_at is not None and (since is None or one.set_at > since)]
    if any(_tells(fact.value, fact.locale or language) for fact in newer):
        return
    raise Refused(
        "Nothing is new since the last word.",
        why="The same text again costs trust; even a quiet hour has one useful new sentence.",
        mend=f"dispatcher incident still {incident.ref} --to {wanted.circle} --fact changed='What has changed since.'",
        code="E-SAME",
    )


def _tells(value: object, language: str) -> bool:
    return not isinstance(value, str) or bool(substance(value, language))


def _last_word(tx: Tx, incident: Incident, circle: Circle) -> datetime | None:
    """When the facts of the last word to these readers were frozen: what was set later is news."""
    ids = {one.settled_by or one.told_by for one in rows.of(tx, incident.id) if one.clock == circle}
    said = [row for row in rows.words_said(tx, incident.id) if row.id in ids]
    return from_ms(int(said[-1].submitted_at or said[-1].worded_at)) if said else None


def _audience(tx: Tx, incident: Incident, circle: Circle) -> str:
    """The audience that these readers were told as before, else the one called like them."""
    ids = {one.settled_by or one.told_by for one in rows.of(tx, incident.id) if one.clock == circle}
    said = (rows.audience_of(tx, row.id) for row in rows.words_said(tx, incident.id) if row.id in ids)
    before = [name for name in said if name]
    return before[-1] if before and audiences.latest(tx, before[-1]) else str(circle)


def _template(ctx: Context, incident: Incident) -> str:
    long = timedelta(hours=ctx.settings.cadence.brief_after_hours)
    is_long = ctx.clock.now() - incident.opened_at >= long
    return ctx.settings.cadence.brief_template if is_long else ctx.settings.cadence.template


def _channels(ctx: Context, template: Template) -> tuple[Channel, ...]:
    return tuple(channel for channel in template.channels if ctx.on(channel))


def _own_facts(ctx: Context, incident: Incident, template: Template) -> dict[FactKey, object]:
    """The day of a long incident is counted for the author."""
    if template.spec("day") is None:
        return {}
    return {("day", None): (ctx.clock.now() - incident.opened_at).days + 1}
