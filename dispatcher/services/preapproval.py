"""A yes given in peace: words, facts within ranges, an audience up to a size, channels, until a day.

An instance is drafted, rendered and frozen like any broadcast and checked against the terms before it counts as
approved, and once more when it is sent. What lies outside stays a draft for the ordinary approval.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dispatcher.errors import NotFound, NotPermitted, Refused, TemplateError, UsageError
from dispatcher.ledger import approvals, audiences, broadcasts, preapprovals
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast, broadcast_ref
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Level, Person
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Template
from dispatcher.people import Right, door_of, may, require, require_level
from dispatcher.services import approval, briefing, checking, drafting, portraits, releasing, sign_off
from dispatcher.services import terms as agreed
from dispatcher.services.context import Context
from dispatcher.services.terms import Terms, outside


@dataclass(frozen=True, slots=True)
class Use:
    """What differs from one instance to the next. Empty: by the terms or the incident."""

    incident: str = ""
    facts: Mapping[FactKey, object] = field(default_factory=dict)
    channels: Sequence[Channel] = ()
    severity: Severity | None = None
    mode: Mode | None = None
    title: str = ""
    request_key: str = ""


@dataclass(frozen=True, slots=True)
class PreApproval:
    """One pre-approval as it stands. `missing` are the levels whose yes it still needs."""

    name: str
    terms: Terms
    digest: str
    author: str
    created_at: datetime
    approved_by: tuple[str, ...]
    missing: tuple[str, ...]
    instances: tuple[str, ...]
    ends_at: datetime
    state: str
    revoked: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "terms"}
        return told | {"terms": self.terms.model_dump(mode="json")}


def add(ctx: Context, actor: Person, name: str, terms: Terms) -> PreApproval:
    """Terms that others may say yes to. They never change: others need another name, or the old one revoked."""
    require(actor, Right.DRAFT)
    if not name.strip() or len(name) > 80 or not name.isprintable():
        raise UsageError("This cannot be the name of a pre-approval.", mend="Use 1 to 80 printable characters.")
    now, template = ctx.clock.now(), ctx.catalogue.get(terms.template)
    bound = terms.model_copy(update={"template_sha": template.sha256(), "voice": _voice(ctx)})
    agreed.require_sound(bound, template, now)
    with ctx.ledger.write() as tx:
        if bound.audience:
            audiences.current(tx, bound.audience)
        known = preapprovals.by_name(tx, name)
        if known is not None and known.revoked_at is None:
            raise Refused(
                f"There is a pre-approval {name} already.",
                mend=f"Use another name, or: dispatcher preapproval revoke {name} --reason TEXT",
                code="E-PRE",
            )
        made = preapprovals.add(
            tx, name, template.id, bound.stored(), bound.digest(), actor.id, to_ms(now), to_ms(bound.ends)
        )
        broadcasts.note_act(tx, "pre-approval drafted", to_ms(now), person_id=actor.id, detail=name)
        return _view(ctx, tx, preapprovals.get(tx, made))


def approve(ctx: Context, actor: Person, name: str, *, seen: str = "") -> PreApproval:
    """One person's yes to the terms as they stand; not their own."""
    require(actor, Right.APPROVE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        row = _standing(ctx, tx, name)
        if row.created_by == actor.id:
            raise NotPermitted(f"{actor.name} wrote these terms.", mend="Ask another approver.")
        if seen and not row.digest.startswith(seen.lower()):
            mend = f"dispatcher preapproval show {name}"
            raise Refused(f"{name} is not what you looked at.", mend=mend, code="E-DIG")
        lacking = _lacking(ctx, tx, row)
        if actor.id in {yes.person_id for yes in preapprovals.yeses(tx, row.id)}:
            raise NotPermitted(f"{actor.name} has said yes already.", mend="Another person's yes is needed.")
        if lacking:
            require_level(actor, min(lacking, key=lambda level: level.rank))
        preapprovals.say_yes(tx, row.id, actor.id, actor.level, now)
        broadcasts.note_act(tx, "pre-approval approved", now, person_id=actor.id, detail=f"{name} {row.digest[:12]}")
        return _view(ctx, tx, row)


def revoke(ctx: Context, actor: Person, name: str, reason: str) -> PreApproval:
    """It holds no more: what was sent under it and has not begun is taken back. Its author and every approver may."""
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        row = _known(tx, name)
        waiting = _waiting(tx, row, now)
        if row.created_by != actor.id or not may(actor, Right.DRAFT):
            require(actor, Right.APPROVE)
        if not preapprovals.revoke(tx, row.id, actor.id, reason.strip(), now):
            raise Refused(f"The pre-approval {name} is revoked already.", mend="dispatcher preapproval list")
        broadcasts.note_act(tx, "pre-approval revoked", now, person_id=actor.id, detail=f"{name}: {reason.strip()}")
        for one in waiting:
            releasing.take_back(ctx, tx, one)
            detail = f"the pre-approval {name} was revoked"
            broadcasts.note_act(tx, "undone", now, person_id=actor.id, broadcast_id=one.id, detail=detail)
        return _view(ctx, tx, preapprovals.get(tx, row.id))


def _waiting(tx: Tx, row: Row[Any], now: int) -> list[Broadcast]:
    """Released instances of which nothing has begun. They are locked before the terms are, as a send does."""
    found = [broadcasts.get(tx, number, lock=True) for number in preapprovals.instances(tx, row.id)]
    return [one for one in found if one.state is BroadcastState.RELEASED and not releasing.has_begun(tx, one, now)]


def show(ctx: Context, name: str) -> PreApproval:
    """One of them."""
    with ctx.ledger.read() as tx:
        return _view(ctx, tx, _known(tx, name))


def every(ctx: Context) -> list[PreApproval]:
    """All of them, the newest first."""
    with ctx.ledger.read() as tx:
        return [_view(ctx, tx, row) for row in preapprovals.every(tx)]


def instance(ctx: Context, actor: Person, name: str, use: Use = Use()) -> Broadcast:
    """A broadcast under this pre-approval, frozen, checked and approved by it. Refused names the limit it goes beyond.

    The same `request_key` again gives back, or finishes, what the first call made.
    """
    require(actor, Right.DRAFT)
    with ctx.ledger.read() as tx:
        row = _standing(ctx, tx, name)
        terms = _terms(row)
        _require_given(ctx, tx, row)
    made = drafting.draft(
        ctx,
        actor,
        drafting.Draft(
            terms.template,
            audience=terms.audience,
            channels=tuple(use.channels or terms.channels),
            incident=use.incident,
            facts=use.facts,
            severity=use.severity,
            mode=use.mode,
            title=use.title,
            request_key=use.request_key,
        ),
    )
    if made.state is not BroadcastState.DRAFT:
        return made

    def bind(ctx: Context, tx: Tx, frozen: Broadcast, result: checking.CheckResult) -> None:
        _bind(ctx, tx, actor, preapprovals.get(tx, row.id, lock=True), frozen, result)

    return approval.freeze(ctx, actor, made.ref, bind)


def require_still(ctx: Context, tx: Tx, broadcast: Broadcast, *, lock: bool = False) -> Terms | None:
    """The terms under which a broadcast goes, if they still hold at this moment; None for one without.

    With `lock` nobody revokes them before the transaction ends.
    """
    if broadcast.preapproval_id is None:
        return None
    row = preapprovals.get(tx, broadcast.preapproval_id, lock=lock)
    terms = _terms(row)
    _require_held(ctx, tx, row, broadcast.ref)
    _require_bytes(ctx, row, terms, _template_now(ctx, row, broadcast), broadcast.ref)
    _require_reach(tx, row, terms, broadcast)
    return terms


def _template_now(ctx: Context, row: Row[Any], broadcast: Broadcast) -> Template:
    """The template as it is: what a yes of days ago was given to must still be there when nobody looks again."""
    try:
        return ctx.catalogue.get(broadcast.template_id)
    except (NotFound, TemplateError) as error:
        raise outside(row.name, "template", f"Its template is gone or broken: {error.what}", broadcast.ref) from None


def _bind(
    ctx: Context, tx: Tx, actor: Person, row: Row[Any], broadcast: Broadcast, result: checking.CheckResult
) -> None:
    """Check every limit on what is frozen now; then it is approved."""
    terms, template = _terms(row), ctx.catalogue.get(broadcast.template_id)
    _require_held(ctx, tx, row, broadcast.ref)
    _require_given(ctx, tx, row)
    _require_bytes(ctx, row, terms, template, broadcast.ref)
    _require_reach(tx, row, terms, broadcast)
    brief = briefing.brief(ctx, tx, broadcast, template)
    agreed.require_facts(terms, row.name, brief.facts, ctx.clock.now(), broadcast.ref)
    _require_promise(ctx, row, terms, brief.next_update_at, broadcast.ref)
    _let_pass(ctx, tx, row, terms, broadcast, result)
    now = to_ms(ctx.clock.now())
    broadcasts.move(tx, broadcast, BroadcastState.APPROVED, approved_at=now, preapproval_id=row.id)
    broadcasts.note_act(
        tx, "approved by pre-approval", now, person_id=actor.id, door=door_of(actor), broadcast_id=broadcast.id,
        detail=f"{row.name} {row.digest[:12]}",
    )  # fmt: skip


def _let_pass(
    ctx: Context, tx: Tx, row: Row[Any], terms: Terms, broadcast: Broadcast, result: checking.CheckResult
) -> None:
    """Warnings must have been let pass in the terms, and are told as such."""
    warned = [one for one in result.findings if one.level == "warning"]
    if strange := [one for one in warned if one.code not in terms.warnings]:
        raise outside(row.name, f"warnings.{strange[0].code}", strange[0].what, broadcast.ref)
    now, first = to_ms(ctx.clock.now()), preapprovals.yeses(tx, row.id)[0]
    found = [one.as_dict() for one in result.findings]
    approvals.ask(tx, broadcast.id, broadcast.digest or "", result.basis, found, now, now)
    for code, scope in dict.fromkeys((one.code, one.scope) for one in warned):
        reason = f"pre-approval {row.name}: {terms.warnings[code]}"
        approvals.overrule(tx, broadcast.id, code, result.basis, scope, first.person_id, reason, now)


def _require_held(ctx: Context, tx: Tx, row: Row[Any], ref: str) -> None:
    """It is what was said yes to, not revoked, not over, not used up."""
    terms = _terms(row)
    if terms.digest() != row.digest:
        raise outside(row.name, "digest", "Its terms are not those that were approved.", ref)
    if row.revoked_at is not None:
        raise outside(row.name, "revoked", f"{row.revoker} revoked it: {row.revoked_reason}", ref)
    if row.ends_at <= to_ms(ctx.clock.now()):
        raise outside(row.name, "ends", f"It ended at {from_ms(row.ends_at):%Y-%m-%d %H:%M} UTC.", ref)
    used = [number for number in preapprovals.instances(tx, row.id) if broadcast_ref(number) != ref]
    if terms.instances is not None and len(used) >= terms.instances:
        raise outside(row.name, "instances", f"It was used {len(used)} times; that is all.", ref)


def _require_given(ctx: Context, tx: Tx, row: Row[Any]) -> None:
    if lacking := _lacking(ctx, tx, row):
        raise NotPermitted(
            f"The pre-approval {row.name} is not approved.",
            why=f"Missing: {', '.join(lacking)}.",
            mend=f"dispatcher preapproval approve {row.name}",
        )


def _require_bytes(ctx: Context, row: Row[Any], terms: Terms, template: Template, ref: str) -> None:
    if template.sha256() != terms.template_sha:
        raise outside(row.name, "template", "The template's bytes are not those that were approved.", ref)
    if _voice(ctx) != terms.voice:
        raise outside(row.name, "voice", "The organisation's words in the settings are not those of then.", ref)


def _require_reach(tx: Tx, row: Row[Any], terms: Terms, broadcast: Broadcast) -> None:
    if more := [channel for channel in broadcast.plan.channels if channel not in terms.channels]:
        raise outside(row.name, "channels", f"{more[0]} is not among them.", broadcast.ref)
    if broadcast.severity not in terms.severities:
        raise outside(row.name, "severities", f"{broadcast.severity} is not among them.", broadcast.ref)
    if broadcast.audience_version_id is not None:
        name = audiences.name_of(tx, broadcast.audience_version_id)
        if name != terms.audience:
            raise outside(row.name, "audience", f"It goes to {name}, not to {terms.audience}.", broadcast.ref)
    if besides := _besides(broadcast):
        raise outside(row.name, besides, "The terms speak of none.", broadcast.ref)
    size = broadcast.audience_size or 0
    if size > terms.audience_most:
        told = f"It goes to {size:,} people; {terms.audience_most:,} at most."
        raise outside(row.name, "audience_most", told, broadcast.ref)


def _besides(broadcast: Broadcast) -> str:
    """What terms never allow, as they have no word for it; a draft by hand under an instance's key could have it."""
    plan = broadcast.plan
    asked = {
        "codes": plan.codes, "variant": plan.variant or plan.variant_by, "fallback": plan.fallback,
        "signatory": broadcast.signatory, "relation": broadcast.relation,
    }  # fmt: skip
    return next((name for name, value in asked.items() if value), "")


def _require_promise(ctx: Context, row: Row[Any], terms: Terms, promised: datetime | None, ref: str) -> None:
    if promised is None or terms.promise_minutes is None:
        return
    ahead = (promised - ctx.clock.now()).total_seconds() / 60
    if ahead > terms.promise_minutes:
        told = f"The next update is promised in {ahead:.0f} minutes; {terms.promise_minutes} at most."
        raise outside(row.name, "promise_minutes", told, ref)


def _voice(ctx: Context) -> str:
    """The mark of what the settings say in every message: names, addresses, never-ask words."""
    directory = ctx.settings.signatories
    shown = [(key, portraits.usable(ctx.settings, key)) for key in sorted(directory)]
    said = repr((briefing.organisation(ctx), sorted(directory.items()), shown))
    return hashlib.sha256(said.encode()).hexdigest()


def _terms(row: Row[Any]) -> Terms:
    return Terms.model_validate_json(row.terms)


def _known(tx: Tx, name: str) -> Row[Any]:
    row = preapprovals.by_name(tx, name)
    if row is None:
        raise NotFound(f"There is no pre-approval {name!r}.", mend="dispatcher preapproval list shows them.")
    return row


def _standing(ctx: Context, tx: Tx, name: str) -> Row[Any]:
    row = _known(tx, name)
    _require_held(ctx, tx, row, "")
    return row


def _lacking(ctx: Context, tx: Tx, row: Row[Any]) -> list[Level]:
    """Levels whose yes is missing, for the gravest severity that the terms allow."""
    terms, template = _terms(row), ctx.catalogue.get(row.template_id)
    needs = max((sign_off.needed(ctx, template, one) for one in terms.severities), key=lambda all_: all_[0].rank)
    return sign_off.lacking(needs, [Level(yes.level) for yes in preapprovals.yeses(tx, row.id)])


def _lacking_or_unknown(ctx: Context, tx: Tx, row: Row[Any]) -> list[Level]:
    """To be shown, and taken back, also when its template is gone or broken: it can be used no more then anyway."""
    try:
        return _lacking(ctx, tx, row)
    except (NotFound, TemplateError):
        return [max(Level, key=lambda level: level.rank)]


def _view(ctx: Context, tx: Tx, row: Row[Any]) -> PreApproval:
    lacking = _lacking_or_unknown(ctx, tx, row)
    over = row.ends_at <= to_ms(ctx.clock.now())
    state = "revoked" if row.revoked_at else "ended" if over else "submitted" if lacking else "approved"
    return PreApproval(
        name=row.name,
        terms=_terms(row),
        digest=row.digest,
        author=row.author,
        created_at=from_ms(row.created_at),
        approved_by=tuple(yes.name for yes in preapprovals.yeses(tx, row.id)),
        missing=tuple(map(str, lacking)),
        instances=tuple(map(broadcast_ref, preapprovals.instances(tx, row.id))),
        ends_at=from_ms(row.ends_at),
        state=state,
        revoked=f"{row.revoker}: {row.revoked_reason}" if row.revoked_at else "",
    )
