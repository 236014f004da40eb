"""Broadcasts that follow another: a correction, an update, a move of held people to another channel.

Each is a draft like any other, with its own check and approval; only its audience is made from what became of the
first one.
"""

from collections.abc import Mapping, Sequence

from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts, derived
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.states import DeliveryState
from dispatcher.people import Right, require
from dispatcher.services.context import Context
from dispatcher.services.drafting import Draft, draft_in

NOBODY = "Nobody was reached by it yet."


def correct(
    ctx: Context, actor: Person, ref: str, *, template: str = "", facts: Mapping[FactKey, object] | None = None
) -> Broadcast:
    """A correction for exactly those who got the wrong words or may have got them, on the channels they came by."""
    with ctx.ledger.read() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
    same = {channel: [channel] for channel in origin.plan.channels}
    return _follow(ctx, actor, origin, [origin.id], derived.REACHED, same, template, facts, "correction")


def update(
    ctx: Context, actor: Person, ref: str, *, template: str = "", facts: Mapping[FactKey, object] | None = None
) -> Broadcast:
    """An update for everybody whom any broadcast of this incident has reached so far."""
    with ctx.ledger.read() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
        sources = derived.chain(tx, origin.id)
    same = {channel: [channel] for channel in Channel if channel.counts_people}
    return _follow(ctx, actor, origin, sources, derived.REACHED, same, template, facts, "update")


def reroute(ctx: Context, actor: Person, ref: str, *, held_on: Channel, to: Sequence[Channel]) -> Broadcast:
    """The same words on other channels, for exactly those whom a frozen or paused channel still holds."""
    with ctx.ledger.read() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
    if held_on not in origin.plan.channels or held_on in to:
        raise Refused(f"{origin.ref} holds nobody on {held_on} for another channel.", mend="--held-on sms --to email")
    wanted = {held_on: list(to)}
    facts = {(name, locale): value for name, locale, value in origin.facts}
    return _follow(ctx, actor, origin, [origin.id], derived.HELD, wanted, origin.template_id, facts, "rerouted")


def _follow(
    ctx: Context,
    actor: Person,
    origin: Broadcast,
    sources: Sequence[int],
    states: Sequence[DeliveryState],
    addresses: Mapping[Channel, Sequence[Channel]],
    template: str,
    facts: Mapping[FactKey, object] | None,
    relation: str,
) -> Broadcast:
    require(actor, Right.DRAFT)
    words = ctx.catalogue.get(template or origin.template_id)
    own = {(name, locale): value for name, locale, value in origin.facts if words.spec(name) is not None}
    to = list(dict.fromkeys(channel for some in addresses.values() for channel in some))
    channels = [channel for channel in to if channel in words.channels and channel.counts_people]
    if relation == "correction":
        channels += [channel for channel in origin.plan.channels if not channel.counts_people]
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        version = derived.people(tx, f"{relation} of {origin.ref}", sources, states, addresses, by=actor.id, now=now)
        wanted = Draft(
            template=words.id,
            channels=_with_somebody(channels, words.channels),
            incident=f"INC-{origin.incident_id}" if origin.incident_id else "",
            facts=own | dict(facts or {}),
            mode=origin.mode,
            severity=origin.severity,
            origin=origin.id,
            relation=relation,
            version_id=version.id,
        )
        return draft_in(ctx, tx, actor, wanted, words)


def _with_somebody(channels: Sequence[Channel], offered: Sequence[Channel]) -> tuple[Channel, ...]:
    chosen = tuple(channel for channel in channels if channel in offered)
    if not chosen:
        raise Refused("The template has no words for the channels these people were told on.", mend="--template ID")
    return chosen
