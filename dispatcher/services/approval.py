"""Submit freezes words, people and plan under a digest; a second person says yes, returns it or rejects it."""

from datetime import timedelta

from dispatcher.errors import IllegalTransition, NotPermitted, Refused
from dispatcher.ledger import broadcasts, controls, planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.person import Level, Person
from dispatcher.model.rendition import Rendition
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Template
from dispatcher.people import Right, require, require_level, require_second_person
from dispatcher.services import briefing, checking
from dispatcher.services.context import Context
from dispatcher.services.digests import digest, require_unaltered


def submit(ctx: Context, actor: Person, ref: str) -> Broadcast:
    """Render, expand the audience, cut batches, take the digest. Refused while a check blocks it."""
    require(actor, Right.SUBMIT)
    now = to_ms(ctx.clock.now())
    found, rendered = checking.passed(ctx, ref)
    template = ctx.catalogue.get(found.template_id)
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, found.id, lock=True)
        if broadcast.version != found.version:
            raise IllegalTransition(f"{broadcast.ref} was edited meanwhile.", mend="Check it and submit again.")
        planning.clear(tx, broadcast.id)
        _plan(tx, ctx, broadcast, template, rendered, now)
        size = planning.people(tx, broadcast.id)
        broadcasts.move(tx, broadcast, BroadcastState.SUBMITTED, submitted_at=now, audience_size=size, digest=None)
        broadcasts.change(tx, broadcast.id, digest=digest(tx, broadcast))
        broadcasts.note_edit(tx, broadcast.id, broadcast.version, actor.id, now)
        broadcasts.note_act(tx, "submitted", now, person_id=actor.id, broadcast_id=broadcast.id)
        return broadcasts.get(tx, broadcast.id)


def approve(ctx: Context, actor: Person, ref: str, *, seen: str = "") -> Broadcast:
    """A second person's yes to exactly the stored digest. `seen`: the digest that was looked at, or its start."""
    require(actor, Right.APPROVE)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = _submitted(tx, ref)
        require_second_person(actor, broadcasts.editors(tx, broadcast.id))
        template = ctx.catalogue.get(broadcast.template_id)
        require_level(actor, needed_level(template))
        bound = require_unaltered(tx, broadcast)
        if seen and not bound.startswith(seen.lower()):
            raise Refused(
                f"{broadcast.ref} is not the version you looked at.",
                mend="Preview it again, then approve.",
                code="E-DIG",
            )
        if actor.id in {row.person_id for row in broadcasts.approvals(tx, broadcast.id, bound)}:
            raise NotPermitted(f"{actor.name} has approved it already.", mend="Another person's yes is needed.")
        broadcasts.add_approval(tx, broadcast, actor.id, actor.level, "approve", "", now)
        broadcasts.note_act(tx, "approved", now, person_id=actor.id, broadcast_id=broadcast.id, detail=bound[:12])
        if not missing_levels(tx, broadcast, template, bound):
            broadcasts.move(tx, broadcast, BroadcastState.APPROVED, approved_at=now)
        return broadcasts.get(tx, broadcast.id)


def return_for_edit(ctx: Context, actor: Person, ref: str, reason: str) -> Broadcast:
    """Send it back with a reason."""
    return _decline(ctx, actor, ref, reason, "return", BroadcastState.RETURNED)


def reject(ctx: Context, actor: Person, ref: str, reason: str) -> Broadcast:
    """End it with a reason."""
    return _decline(ctx, actor, ref, reason, "reject", BroadcastState.REJECTED)


def needed_level(template: Template) -> Level:
    """The lowest level whose yes counts for this template."""
    return min((template.level, *template.approvals), key=lambda level: level.rank)


def missing_levels(tx: Tx, broadcast: Broadcast, template: Template, bound: str) -> list[Level]:
    """Levels whose yes to this digest is still missing; each person's yes serves one of them."""
    have = sorted((Level(row.level) for row in broadcasts.approvals(tx, broadcast.id, bound)), key=lambda lv: -lv.rank)
    missing = []
    for level in sorted((template.level, *template.approvals), key=lambda lv: -lv.rank):
        if have and have[0].covers(level):
            have.pop(0)
        else:
            missing.append(level)
    return missing


def _submitted(tx: Tx, ref: str) -> Broadcast:
    broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
    if broadcast.state is not BroadcastState.SUBMITTED:
        raise IllegalTransition(
            f"{broadcast.ref} is {broadcast.state}, not submitted.",
            mend=f"dispatcher broadcast submit {broadcast.ref} comes first.",
        )
    return broadcast


def _decline(ctx: Context, actor: Person, ref: str, reason: str, decision: str, to: BroadcastState) -> Broadcast:
    require(actor, Right.APPROVE)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = _submitted(tx, ref)
        broadcasts.add_approval(tx, broadcast, actor.id, actor.level, decision, reason, now)
        planning.clear(tx, broadcast.id)
        broadcasts.move(tx, broadcast, to)
        verb = {"return": "returned", "reject": "rejected"}[decision]
        broadcasts.note_act(tx, verb, now, person_id=actor.id, broadcast_id=broadcast.id, detail=reason)
        return broadcasts.get(tx, broadcast.id)


def _plan(tx: Tx, ctx: Context, broadcast: Broadcast, template: Template, rendered: list[Rendition], now: int) -> None:
    ids = broadcasts.replace_renditions(tx, broadcast.id, rendered)
    words = briefing.locales(tx, broadcast, template, rendered)
    fallback = {one.channel: one for one in broadcast.plan.fallback}
    next_no = 0
    for channel in broadcast.plan.channels:
        after = fallback.get(channel)
        controls.add(
            tx, broadcast.id, channel, rank=broadcast.severity.rank, policy=broadcast.plan.policy[channel],
            request_size=broadcast.plan.request_size[channel], changed_at=now,
            scope=checking.scope_of(broadcast.purpose),
            fallback_for=after.instead_of if after else None,
            fallback_after=after.after_seconds * 1000 if after else None,
        )  # fmt: skip
        next_no = _plan_channel(ctx, tx, broadcast, channel, ids, words, next_no)


def _promotional_limit(ctx: Context, purpose: Purpose) -> tuple[int, int]:
    """How many promotional messages since when (ms) are enough for one person; (0, 0): no such limit."""
    dispatch = ctx.settings.dispatch
    if purpose is not Purpose.PROMOTIONAL or not dispatch.promotional_most:
        return 0, 0
    return dispatch.promotional_most, to_ms(ctx.clock.now() - timedelta(days=dispatch.promotional_days))


def _plan_channel(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    channel: Channel,
    ids: dict[tuple[str, str, str], int],
    words: dict[str | None, str],
    first_no: int,
) -> int:
    scopes = sorted({"all", checking.scope_of(broadcast.purpose)})
    if not channel.counts_people:
        rendition = ids[read.own(channel, ids)]
        return planning.expand_accounts(
            tx, broadcast.id, channel, rendition, broadcast.plan.accounts[channel], first_no
        )
    if broadcast.audience_version_id is None:
        return first_no
    waits = any(one.channel is channel for one in broadcast.plan.fallback)
    for locale in sorted(set(words.values())):
        mine = tuple(word for word, to in words.items() if to == locale)
        group = planning.Group(
            channel, ids[(channel, locale, "")], mine, waits, *_promotional_limit(ctx, broadcast.purpose)
        )
        first_no = planning.expand(tx, broadcast.id, broadcast.audience_version_id, scopes, group, first_no)
    return first_no
