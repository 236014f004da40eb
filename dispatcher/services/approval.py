"""Submit freezes words, people and plan under a digest; a second person says yes, returns it or rejects it."""

import dataclasses
from collections.abc import Callable, Sequence

from dispatcher.errors import IllegalTransition, Refused
from dispatcher.ledger import approvals, broadcasts, controls, documents, planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.rendition import Rendition
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Template
from dispatcher.people import Right, door_of, require, require_second_person
from dispatcher.services import (
    asking_for_yes,
    checking,
    codes,
    marketing,
    notices,
    overriding,
    readership,
    sign_off,
    source,
    told_promise,
    waves,
)
from dispatcher.services.context import Context
from dispatcher.services.digests import digest, require_unaltered


def submit(ctx: Context, actor: Person, ref: str) -> Broadcast:
    """Render, expand the audience, cut batches, take the digest. Refused while a check blocks it."""
    require(actor, Right.SUBMIT)
    notices.prepare(ctx)
    return freeze(ctx, actor, ref, _ask)


def freeze(
    ctx: Context, actor: Person, ref: str, then: Callable[[Context, Tx, Broadcast, checking.CheckResult], None]
) -> Broadcast:
    """The same for whoever has checked the right. `then` says what the frozen broadcast waits for."""
    now = to_ms(ctx.clock.now())
    result, found, said = checking.passed(ctx, ref)
    template = ctx.catalogue.get(found.template_id)
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, found.id, lock=True)
        if broadcast.version != found.version:
            raise IllegalTransition(f"{broadcast.ref} was edited meanwhile.", mend="Check it and submit again.")
        planning.clear(tx, broadcast.id)
        _plan(tx, ctx, broadcast, template, said.renditions, now)
        documents.replace(tx, broadcast.id, said.documents)
        waves.require_submitted(tx, broadcast)
        size = planning.people(tx, broadcast.id)
        codes.bind(tx, broadcast, size)
        broadcasts.move(tx, broadcast, BroadcastState.SUBMITTED, submitted_at=now, audience_size=size, digest=None)
        _bind(tx, broadcast, template)
        broadcasts.note_edit(tx, broadcast.id, broadcast.version, actor.id, now)
        broadcasts.note_act(tx, "submitted", now, person_id=actor.id, door=door_of(actor), broadcast_id=broadcast.id)
        then(ctx, tx, broadcasts.get(tx, broadcast.id), result)
        return broadcasts.get(tx, broadcast.id)


def _bind(tx: Tx, broadcast: Broadcast, template: Template) -> None:
    """Keep what the words came from, and take the digest of it all."""
    outline = source.submitted(template)
    bound = digest(tx, dataclasses.replace(broadcast, source=outline))
    broadcasts.change(tx, broadcast.id, source=outline, profile=template.profile, digest=bound)


def _ask(ctx: Context, tx: Tx, broadcast: Broadcast, result: checking.CheckResult) -> None:
    """Keep what the check found for the approvers, and until when they have time."""
    now = to_ms(ctx.clock.now())
    found = [one.as_dict() for one in result.findings]
    due = sign_off.due(ctx, broadcast.severity, now)
    approvals.ask(tx, broadcast.id, broadcast.digest or "", result.basis, found, now, due)
    reachable = [one for one in sign_off.approvers(tx, broadcast) if one.email or one.phone]
    if ctx.settings.approval.tell_approvers and reachable:
        asking_for_yes.tell_that_it_waits(ctx, tx, reachable, broadcast, "ask")


def approve(ctx: Context, actor: Person, ref: str, *, seen: str = "") -> Broadcast:
    """A second person's yes to exactly the stored digest. `seen`: the digest that was looked at, or its start."""
    require(actor, Right.APPROVE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = submitted(tx, ref)
        waves.require_alone(tx, broadcast, "approve")
        require_second_person(actor, broadcasts.editors(tx, broadcast.id))
        template = source.standing(ctx, broadcast)
        bound = require_unaltered(tx, broadcast)
        require_seen(broadcast, bound, seen)
        told_promise.require_all_ahead(ctx, tx, broadcast, ctx.clock.now())
        voice = sign_off.voice(ctx, tx, actor, broadcast, sign_off.missing(ctx, tx, broadcast, template, bound))
        overriding.require_none_open(ctx, tx, broadcast)
        instead = voice.instead_of
        broadcasts.add_approval(
            tx, broadcast, actor.id, voice.level, "approve", "", now, for_id=instead.id if instead else None
        )
        told = f"{bound[:12]} for {instead.name}" if instead else bound[:12]
        broadcasts.note_act(tx, "approved", now, person_id=actor.id, broadcast_id=broadcast.id, detail=told)
        if not sign_off.missing(ctx, tx, broadcast, template, bound):
            broadcasts.move(tx, broadcast, BroadcastState.APPROVED, approved_at=now)
            waves.approve_followers(tx, broadcast, approvals.decisions(tx, broadcast.id, bound, ["approve"]), now)
        return broadcasts.get(tx, broadcast.id)


def return_for_edit(ctx: Context, actor: Person, ref: str, reason: str) -> Broadcast:
    """Send it back with a reason."""
    return _decline(ctx, actor, ref, reason, "return", BroadcastState.RETURNED)


def reject(ctx: Context, actor: Person, ref: str, reason: str) -> Broadcast:
    """End it with a reason."""
    return _decline(ctx, actor, ref, reason, "reject", BroadcastState.REJECTED)


def lacking(ctx: Context, ref: str) -> list[str]:
    """Levels whose yes is still missing."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = source.standing(ctx, broadcast)
        return [str(level) for level in sign_off.missing(ctx, tx, broadcast, template, broadcast.digest or "")]


def require_seen(broadcast: Broadcast, bound: str, seen: str) -> None:
    """Return unless the person looked at another digest than the one that is bound; empty: they did not say."""
    if seen and not bound.startswith(seen.lower()):
        raise Refused(
            f"{broadcast.ref} is not the version you looked at.",
            mend=f"dispatcher broadcast preview {broadcast.ref}, then approve.",
            code="E-DIG",
        )


def submitted(tx: Tx, ref: str) -> Broadcast:
    """A broadcast that waits for approval, its row locked."""
    broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
    if broadcast.state is not BroadcastState.SUBMITTED:
        early = broadcast.state in (BroadcastState.DRAFT, BroadcastState.RETURNED)
        raise IllegalTransition(
            f"{broadcast.ref} is {broadcast.state}, not submitted.",
            mend=f"dispatcher broadcast submit {broadcast.ref} comes first." if early
            else f"dispatcher broadcast show {broadcast.ref} tells where it stands.",
        )  # fmt: skip
    return broadcast


def _decline(ctx: Context, actor: Person, ref: str, reason: str, decision: str, to: BroadcastState) -> Broadcast:
    require(actor, Right.APPROVE)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = submitted(tx, ref)
        broadcasts.add_approval(tx, broadcast, actor.id, actor.level, decision, reason, now)
        planning.clear(tx, broadcast.id)
        broadcasts.move(tx, broadcast, to)
        verb = {"return": "returned", "reject": "rejected"}[decision]
        broadcasts.note_act(tx, verb, now, person_id=actor.id, broadcast_id=broadcast.id, detail=reason)
        return broadcasts.get(tx, broadcast.id)


def _plan(
    tx: Tx, ctx: Context, broadcast: Broadcast, template: Template, rendered: Sequence[Rendition], now: int
) -> None:
    ids = broadcasts.replace_renditions(tx, broadcast.id, rendered)
    read = readership.readers(tx, broadcast, template)
    fallback = {one.channel: one for one in broadcast.plan.fallback}
    next_no = 0
    for channel in broadcast.plan.channels:
        after = fallback.get(channel)
        controls.add(
            tx, broadcast.id, channel, rank=broadcast.severity.rank, policy=broadcast.plan.policy[channel],
            request_size=broadcast.plan.request_size[channel], changed_at=now,
            scope=marketing.scope_of(broadcast.purpose),
            fallback_for=after.instead_of if after else None,
            fallback_after=after.after_seconds * 1000 if after else None,
        )  # fmt: skip
        next_no = _plan_channel(ctx, tx, broadcast, channel, ids, read, next_no)


def _plan_channel(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    channel: Channel,
    ids: dict[readership.Key, int],
    read: readership.Readers,
    first_no: int,
) -> int:
    if not channel.counts_people:
        rendition = ids[read.own(channel, ids)]
        return planning.expand_accounts(
            tx, broadcast.id, channel, rendition, broadcast.plan.accounts[channel], first_no
        )
    if broadcast.audience_version_id is None:
        return first_no
    waits = any(one.channel is channel for one in broadcast.plan.fallback)
    scopes, spared = marketing.scopes(broadcast.purpose), marketing.sparing(ctx, tx, broadcast)
    for key, locales, variants in read.groups(channel, ids):
        group = planning.Group(channel, ids[key], locales, waits, spared, read.column, variants)
        first_no = planning.expand(tx, broadcast.id, broadcast.audience_version_id, scopes, group, first_no)
    return first_no
