"""Drafts a broadcast, and edits one that has not been sent. Any edit voids an approval."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.compose.facts import require_names
from dispatcher.errors import ConfigurationError, Refused, UsageError
from dispatcher.ledger import approvals, audiences, broadcasts, controls, incidents, planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, Fallback, Plan, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.incident import incident_ref
from dispatcher.model.kinds import Channel, Mode, Policy, Severity
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Template
from dispatcher.people import Right, door_of, require
from dispatcher.services import codes, signatories, waves
from dispatcher.services.context import Context

CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ23456789"
"""Letters of a verification code: none that spell words or are taken for each other."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What an author asks for. Empty means: by the template, the settings or the incident."""

    template: str
    audience: str = ""
    channels: Sequence[Channel] = ()
    accounts: Sequence[str] = ()
    incident: str = ""
    facts: Mapping[FactKey, object] = field(default_factory=dict)
    mode: Mode | None = None
    severity: Severity | None = None
    title: str = ""
    expires_hours: float | None = None
    fallback: Sequence[Fallback] = ()
    request_key: str = ""
    origin: int | None = None
    relation: str = ""
    version_id: int | None = None
    """An audience version at hand, instead of the newest one of `audience`."""
    variant: str = ""
    variant_by: str = ""
    """A column of the audience, instead of one `variant` for everybody."""
    signatory: str = ""
    """Who signs, by their key in the directory; by default whoever may for this topic."""
    codes: str = ""
    """A pool of goodwill codes, one for each person."""


def draft(ctx: Context, actor: Person, wanted: Draft) -> Broadcast:
    """A new draft. The same `request_key` again gives back the broadcast that the first call made."""
    require(actor, Right.DRAFT)
    template = ctx.catalogue.get(wanted.template)
    require_names(template, wanted.facts)
    with ctx.ledger.write() as tx:
        return draft_in(ctx, tx, actor, wanted, template)


def draft_in(ctx: Context, tx: Tx, actor: Person, wanted: Draft, template: Template) -> Broadcast:
    """The same inside a transaction of the caller's; the caller has checked the right."""
    now = to_ms(ctx.clock.now())
    if wanted.request_key and (made := broadcasts.by_request_key(tx, wanted.request_key)):
        return _same(made, wanted)
    new = broadcasts.add(tx, _row(ctx, tx, actor, wanted, template, now))
    broadcasts.note_edit(tx, new, 1, actor.id, now)
    broadcasts.note_act(
        tx, "drafted", now, person_id=actor.id, door=door_of(actor), broadcast_id=new, detail=template.id
    )
    return broadcasts.get(tx, new)


def edit(
    ctx: Context,
    actor: Person,
    ref: str,
    facts: Mapping[FactKey, object],
    title: str = "",
    *,
    without: Collection[FactKey] = (),
    next_at: datetime | None = None,
) -> Broadcast:
    """Change facts, title or promise of a broadcast that is not released: a new version, a draft, approvals void.

    `next_at` is the next update that it tells of from now on, whatever its incident has promised. What its author gave
    it under the names `without` is taken out first, in every language where none is named; the fact sheet of its
    incident speaks instead, if it has that fact.
    """
    require(actor, Right.DRAFT)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        waves.lock_lead(tx, broadcast_id(ref))
        found = broadcasts.get(tx, broadcast_id(ref), lock=True)
        require_names(ctx.catalogue.get(found.template_id), facts)
        promised = found.next_update_at if next_at is None else _promised(ctx, found, next_at)
        waves.void_lead(tx, found)
        if found.state is not BroadcastState.DRAFT:
            broadcasts.move(tx, found, BroadcastState.DRAFT)
            planning.clear(tx, found.id)
            waves.take_back(tx, found)
        approvals.void(tx, found.id)
        known = _kept(found, without) | dict(facts)
        broadcasts.change(
            tx, found.id, version=found.version + 1, digest=None, audience_size=None, approved_at=None,
            submitted_at=None, title=title or found.title, facts=_facts(known), preapproval_id=None,
            next_update_at=to_ms(promised) if promised else None,
        )  # fmt: skip
        broadcasts.note_edit(tx, found.id, found.version + 1, actor.id, now)
        broadcasts.note_act(tx, "edited", now, person_id=actor.id, broadcast_id=found.id)
        return broadcasts.get(tx, found.id)


def _promised(ctx: Context, found: Broadcast, at: datetime) -> datetime:
    """The time, if this broadcast can tell of one that is still ahead."""
    if found.incident_id is None:
        what = f"{found.ref} is about no incident."
        raise Refused(what, why="So it tells of no next update.", mend="Draft it with --incident.")
    if at <= ctx.clock.now():
        raise UsageError("The next update cannot be promised for a time that has passed.", mend="Name a later time.")
    return at


def _kept(found: Broadcast, without: Collection[FactKey]) -> dict[FactKey, object]:
    """The author's own facts but for those that are taken out."""
    own: dict[FactKey, object] = {(name, locale): value for name, locale, value in found.facts}
    for name, locale in without:
        gone = [key for key in own if key[0] == name and locale in (None, key[1])]
        if not gone:
            raise _not_given(found, f"{name}@{locale}" if locale else name)
        own = {key: value for key, value in own.items() if key not in gone}
    return own


def _not_given(found: Broadcast, called: str) -> Refused:
    given = ", ".join(sorted({name for name, _, _ in found.facts})) or "none"
    mend = [f"dispatcher broadcast edit {found.ref} --without-fact NAME"]
    if found.incident_id is not None:
        name = called.partition("@")[0]
        mend.append(f"dispatcher fact retract {incident_ref(found.incident_id)} {name} --reason WHY")
    return Refused(
        f"{found.ref} was not given the fact {called}.",
        why=f"Its own facts: {given}. What comes from the fact sheet of its incident is taken back there.",
        mend=mend,
        code="E-FACT",
    )


def _same(made: Broadcast, wanted: Draft) -> Broadcast:
    if made.template_id != wanted.template or made.facts != _pairs(wanted.facts):
        raise Refused(
            f"The key of this call already made {made.ref}, and not from the same words.",
            mend="Use a new --key for a new broadcast.",
            code="E-KEY",
        )
    return made


def _pairs(facts: Mapping[FactKey, object]) -> tuple[tuple[str, str | None, object], ...]:
    return tuple(sorted(((n, lang, v) for (n, lang), v in facts.items()), key=lambda row: (row[0], row[1] or "")))


def _facts(facts: Mapping[FactKey, object]) -> str:
    return broadcasts.canonical([list(row) for row in _pairs(facts)])


def _row(ctx: Context, tx: Tx, actor: Person, wanted: Draft, template: Template, now: int) -> dict[str, object]:
    incident = incidents.by_ref(tx, wanted.incident) if wanted.incident else None
    severity = wanted.severity or (incident.severity if incident else Severity.MAJOR)
    mode = wanted.mode or (incident.mode if incident else ctx.settings.mode)
    plan = _plan(ctx, wanted, template, severity, mode)
    signatories.require_known(ctx, wanted.signatory)
    version = _audience(tx, wanted)
    if wanted.codes:
        codes.required(tx, wanted.codes)
    _require_variants(wanted, template, version)
    if version is None and any(channel.counts_people for channel in plan.channels):
        raise Refused(
            "No audience was named.", why="A missing audience means nobody.", mend="--audience NAME", code="E-AUD"
        )
    return {
        "incident_id": incident.id if incident else None,
        "template_id": template.id,
        "title": wanted.title or template.title,
        "signatory": wanted.signatory or None,
        "purpose": template.purpose,
        "severity": severity,
        "mode": mode,
        "state": BroadcastState.DRAFT,
        "version": 1,
        "audience_version_id": version.id if version else None,
        "facts": _facts(wanted.facts),
        "plan": broadcasts.canonical(plan.as_dict()),
        "code": "".join(secrets.choice(CODE_LETTERS) for _ in range(7)),
        "nonce": secrets.token_hex(8),
        "author_id": actor.id,
        "created_at": now,
        "request_key": wanted.request_key or None,
        "origin_id": wanted.origin,
        "relation": wanted.relation or None,
    }


def _require_variants(wanted: Draft, template: Template, version: audiences.AudienceVersion | None) -> None:
    """The variant is one of the template's, the column one of the audience's."""
    have = sorted(template.variants())
    if (wanted.variant or wanted.variant_by) and not have:
        raise Refused(f"{template.title} has no variants.", mend="Leave the variant out.", code="E-VAR")
    if wanted.variant and (wanted.variant not in have or wanted.variant_by):
        mend = f"Use one of {', '.join(have)}; or a column alone: --variant-by COLUMN"
        raise Refused(f"{template.title} has no variant {wanted.variant!r} like that.", mend=mend, code="E-VAR")
    columns = version.fields if version else ()
    if wanted.variant_by and wanted.variant_by not in columns:
        raise Refused(
            f"The audience has no column {wanted.variant_by!r}.",
            mend=f"Use one of {', '.join(columns)}." if columns else "Import it with that column.",
            code="E-VAR",
        )


def _audience(tx: Tx, wanted: Draft) -> audiences.AudienceVersion | None:
    if wanted.version_id is not None:
        return audiences.version(tx, wanted.version_id)
    return audiences.current(tx, wanted.audience) if wanted.audience else None


def _plan(ctx: Context, wanted: Draft, template: Template, severity: Severity, mode: Mode) -> Plan:
    channels = tuple(dict.fromkeys(wanted.channels or template.channels))
    for one in wanted.fallback:
        if one.channel not in channels or one.instead_of not in channels or one.channel is one.instead_of:
            raise Refused(f"{one.channel} cannot stand in for {one.instead_of} here.", mend="Name both with --channel.")
    if strange := [c for c in channels if c not in template.channels]:
        raise Refused(
            f"{template.title} has no words for {strange[0]}.",
            why=f"It has parts for {', '.join(template.channels)}.",
            mend="Choose other channels, or another template.",
        )
    dispatch = ctx.settings.dispatch
    hours = wanted.expires_hours or dispatch.expiry_hours[severity]
    policy = dispatch.when_unknown[severity]
    return Plan(
        channels=channels,
        accounts={channel: _accounts(ctx, channel, wanted.accounts, mode) for channel in channels},
        request_size={channel: dispatch.recipients_per_request(channel, severity) for channel in channels},
        expires_after=int(hours * 3600),
        policy={channel: policy if channel.counts_people else Policy.AT_MOST_ONCE for channel in channels},
        fallback=tuple(wanted.fallback),
        default_locale=ctx.settings.organisation.locale,
        variant=wanted.variant,
        variant_by=wanted.variant_by,
        codes=wanted.codes,
    )


def _accounts(ctx: Context, channel: Channel, named: Sequence[str], mode: Mode) -> tuple[str, ...]:
    have = [account for account in ctx.on(channel) if account.settings.enabled]
    chosen = [account for account in have if account.name in named] if named else have
    chosen = chosen or have
    if not chosen:
        raise ConfigurationError(
            f"No account can carry {channel}.",
            why=_why_unusable(ctx) or f"No block under [providers] is for {channel}.",
            mend="Add one and look with: dispatcher doctor",
        )
    if mode is Mode.DRILL and (out := [a.name for a in chosen if not a.is_loopback]):
        raise ConfigurationError(
            f"A drill cannot use {out[0]}: its address is not on this machine.",
            mend="Point base_url at the sandbox, or draft with --mode live.",
            code="E-DRILL",
        )
    return tuple(account.name for account in chosen)


def _why_unusable(ctx: Context) -> str:
    return "; ".join(f"{name}: {why}" for name, why in ctx.unusable.items())


def gates_shut(tx: Tx, channels: Sequence[Channel]) -> list[str]:
    """Those of the channels that are frozen."""
    gates = controls.gates(tx)
    return [channel for channel in channels if channel in gates and gates[channel].frozen_at is not None]
