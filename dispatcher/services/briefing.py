"""From a stored broadcast to what the composer is handed: facts in layers, the organisation's words, the locales."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from dispatcher.compose.brief import Brief, Organisation
from dispatcher.compose.facts import read_facts
from dispatcher.ledger import incidents, planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.fact import Fact, sheet
from dispatcher.model.kinds import FactState
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Template
from dispatcher.services.context import Context


def organisation(ctx: Context) -> Organisation:
    """The organisation of the settings, in the composer's terms."""
    told = ctx.settings.organisation
    public = ctx.settings.public_url.rstrip("/")
    if not public.startswith("https://"):
        public = f"https://{told.domain}"
    return Organisation(
        name=told.name,
        sms_name=told.sms_name or told.name,
        domains=(told.domain, *told.domains),
        status_url=told.help_url,
        verify_url=told.verify_url or f"{public}/verify",
        contact_email=told.contact,
        contact_phone=told.phone,
        never_ask={told.locale: told.never_ask} | dict(told.never_ask_in),
        contact_hours=dict(told.contact_hours),
        signatory_name=told.signatory,
        signatory_role=dict(told.signatory_role),
        dpo_name=told.dpo_name,
        dpo_email=told.dpo_email,
        press_email=told.press_email,
        post_address=told.address,
        accounts=tuple(told.social),
        supplier_names=tuple(told.suppliers),
        locale=told.locale,
        zone=told.time_zone,
    )


def sendable(broadcast: Broadcast, rendered: Iterable[Rendition]) -> list[Rendition]:
    """What will be handed over: people get their language, our own accounts speak the organisation's."""
    default = broadcast.plan.default_locale
    return [one for one in rendered if one.channel.counts_people or one.locale == default]


def brief(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> Brief:
    """Everything the composer needs for this broadcast; the incident's facts lie under the author's own."""
    incident = incidents.get(tx, broadcast.incident_id) if broadcast.incident_id else None
    return Brief(
        organisation=organisation(ctx),
        facts=sheet(_incident_facts(tx, broadcast, template), _own_facts(broadcast, template, ctx.clock.now())),
        channels=broadcast.plan.channels,
        locales=tuple(sorted(set(_locale_map(tx, broadcast, template).values()))) or (broadcast.plan.default_locale,),
        as_of=ctx.clock.now(),
        nonce=broadcast.nonce,
        code=broadcast.code,
        incident_ref=incident.ref if incident else "",
        next_update_at=incident.next_update_at if incident else None,
        purpose=broadcast.purpose,
        mode=broadcast.mode,
        severity=broadcast.severity,
    )


def _incident_facts(tx: Tx, broadcast: Broadcast, template: Template) -> list[Fact]:
    if not broadcast.incident_id:
        return []
    asked = {spec.name for spec in template.facts}
    return [fact for fact in incidents.facts(tx, broadcast.incident_id) if fact.name in asked]


def _own_facts(broadcast: Broadcast, template: Template, now: datetime) -> list[Fact]:
    raw = {(name, locale): value for name, locale, value in broadcast.facts}
    return read_facts(template.facts, raw, state=FactState.CONFIRMED, source=broadcast.ref, as_of=now)


def locales(tx: Tx, broadcast: Broadcast, template: Template, rendered: Sequence[Rendition]) -> dict[str | None, str]:
    """Which rendition's locale each of the audience's locale words reads."""
    have = {one.locale for one in rendered}
    chosen = _locale_map(tx, broadcast, template)
    return {word: locale if locale in have else broadcast.plan.default_locale for word, locale in chosen.items()}


def _locale_map(tx: Tx, broadcast: Broadcast, template: Template) -> dict[str | None, str]:
    default = broadcast.plan.default_locale
    if broadcast.audience_version_id is None:
        return {None: default}
    offered = spoken_locales(template)
    words = planning.locales(tx, broadcast.audience_version_id)
    return {word: _match(word, offered, default) for word in words} | {None: default}


def spoken_locales(template: Template) -> set[str]:
    """The languages in which a template has parts of its own."""
    return template.locales()


def _match(word: str | None, offered: set[str], default: str) -> str:
    if word is None:
        return default
    exact = word.replace("_", "-")
    return next((c for c in (exact, exact.split("-")[0].lower()) if c in offered), default)
