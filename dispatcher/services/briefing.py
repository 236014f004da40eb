"""From a stored broadcast to what the composer is handed: facts in layers, the organisation's words, the locales."""

from datetime import datetime

from dispatcher.compose.brief import Brief, Organisation, Said
from dispatcher.compose.facts import read_facts
from dispatcher.compose.preview.frames import plain
from dispatcher.ledger import broadcasts, incidents, predecessors
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.fact import Fact, sheet
from dispatcher.model.kinds import FactState
from dispatcher.model.template import Template
from dispatcher.services import promises, readership, signatories
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


def brief(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> Brief:
    """Everything the composer needs for this broadcast; the incident's facts lie under the author's own."""
    incident = incidents.get(tx, broadcast.incident_id) if broadcast.incident_id else None
    terms = promises.of_broadcast(ctx, tx, broadcast, template)
    read = readership.readers(tx, broadcast, template)
    speaks, signature = signatories.signed(ctx, organisation(ctx), template, broadcast.severity, broadcast.signatory)
    return Brief(
        organisation=speaks,
        signature=signature,
        facts=sheet(_incident_facts(tx, broadcast, template), _own_facts(broadcast, template, ctx.clock.now())),
        channels=broadcast.plan.channels,
        locales=tuple(sorted(set(read.locales.values()))),
        as_of=ctx.clock.now(),
        nonce=broadcast.nonce,
        code=broadcast.code,
        incident_ref=incident.ref if incident else "",
        next_update_at=terms.next_update_at if terms else None,
        purpose=broadcast.purpose,
        mode=broadcast.mode,
        severity=broadcast.severity,
        variants=tuple(sorted(set(read.variants.values()))),
        latest_update_at=terms.latest if terms else None,
        previous=_previous(tx, broadcast),
        corrects=_corrected(tx, broadcast),
    )


def _previous(tx: Tx, broadcast: Broadcast) -> tuple[Said, ...]:
    before = predecessors.last(tx, broadcast)
    older = broadcasts.renditions(tx, before).values() if before is not None else ()
    return tuple(Said(one.channel, one.locale, one.variant, plain(one)) for one in older)


def _corrected(tx: Tx, broadcast: Broadcast) -> tuple[str, ...]:
    if broadcast.relation != "correction" or broadcast.origin_id is None:
        return ()
    origin = broadcasts.get(tx, broadcast.origin_id)
    return origin.code, origin.ref


def _incident_facts(tx: Tx, broadcast: Broadcast, template: Template) -> list[Fact]:
    if not broadcast.incident_id:
        return []
    asked = {spec.name for spec in template.facts}
    return [fact for fact in incidents.facts(tx, broadcast.incident_id) if fact.name in asked]


def _own_facts(broadcast: Broadcast, template: Template, now: datetime) -> list[Fact]:
    raw = {(name, locale): value for name, locale, value in broadcast.facts}
    return read_facts(template.facts, raw, state=FactState.CONFIRMED, source=broadcast.ref, as_of=now)
