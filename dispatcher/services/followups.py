"""Broadcasts that follow another: a correction, an update, a move of held people to another channel.

Each is a draft like any other, with its own check and approval; only its audience is made from what became of the
first one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.compose.printing import Moment, Printer
from dispatcher.errors import AudienceError, Refused, TemplateError
from dispatcher.ledger import broadcasts, controls, derived, superseding
from dispatcher.ledger.audiences import AudienceVersion
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState, ControlState, DeliveryState
from dispatcher.model.template import Template
from dispatcher.people import Right, door_of, require
from dispatcher.services import source, succession
from dispatcher.services.context import Context
from dispatcher.services.drafting import Draft, draft_in

CORRECTION = "correction"
"""The template, and the relation, of words that take others back."""
HELD_FOR_CORRECTION = "held: a correction of it is being written"
_PEOPLE = tuple(channel for channel in Channel if channel.counts_people)
_OUT = (BroadcastState.RELEASED, BroadcastState.PAUSED, BroadcastState.DONE, BroadcastState.STOPPED,
        BroadcastState.EXPIRED)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a following broadcast is made of. `held_of`: sources whose waiting people are meant too."""

    relation: str
    sources: Sequence[int]
    states: Sequence[DeliveryState]
    addresses: Mapping[Channel, Sequence[Channel]]
    template: Template
    facts: Mapping[FactKey, object] = field(default_factory=dict)
    held_of: Sequence[int] = ()


def correct(
    ctx: Context, actor: Person, ref: str, *, template: str = "", facts: Mapping[FactKey, object] | None = None
) -> Broadcast:
    """A correction for exactly those who got the wrong words or may have got them, on the channels they came by.

    What has not left yet of the wrong words is held from now on, so that nobody is told them after the list is made.
    """
    require(actor, Right.DRAFT)
    with ctx.ledger.write() as tx:
        return correct_in(ctx, tx, actor, broadcasts.get(tx, broadcast_id(ref), lock=True), template, facts)


def correct_in(
    ctx: Context,
    tx: Tx,
    actor: Person,
    origin: Broadcast,
    template: str = "",
    facts: Mapping[FactKey, object] | None = None,
) -> Broadcast:
    """The same inside a transaction of the caller's, who has checked the right and locked the broadcast."""
    _require_out(origin)
    words = ctx.catalogue.get(template or _correcting(ctx, origin))
    hold_in(ctx, tx, actor, origin)
    told = _mention(ctx, origin, words) | dict(facts or {})
    same = {channel: [channel] for channel in _PEOPLE}
    sources = [origin.id, *_reroutes(tx, origin)]
    return _follow(ctx, tx, actor, origin, _Wanted(CORRECTION, sources, derived.REACHED, same, words, told))


def update(
    ctx: Context, actor: Person, ref: str, *, template: str = "", facts: Mapping[FactKey, object] | None = None
) -> Broadcast:
    """An update for everybody whom this incident's messages of its purpose have reached so far, and for those who
    still wait for an older update that this one makes void."""
    require(actor, Right.DRAFT)
    with ctx.ledger.write() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref))
        _require_out(origin)
        words = ctx.catalogue.get(template or origin.template_id)
        sources = derived.chain(tx, origin.id)
        voided = _to_be_voided(ctx, tx, origin, words)
        same = {channel: [channel] for channel in _PEOPLE}
        wanted = _Wanted("update", sources, derived.REACHED, same, words, dict(facts or {}), voided)
        return _follow(ctx, tx, actor, origin, wanted)


def reroute(ctx: Context, actor: Person, ref: str, *, held_on: Channel, to: Sequence[Channel]) -> Broadcast:
    """The same words on other channels, for exactly those whom a frozen or paused channel still holds."""
    require(actor, Right.DRAFT)
    with ctx.ledger.write() as tx:
        origin = broadcasts.get(tx, broadcast_id(ref), lock=True)
        source.require_own(origin)
        if held_on not in origin.plan.channels or held_on in to:
            raise Refused(
                f"{origin.ref} holds nobody on {held_on} for another channel.", mend="--held-on sms --to email"
            )
        facts = {(name, locale): value for name, locale, value in origin.facts}
        words = ctx.catalogue.get(origin.template_id)
        wanted = _Wanted("rerouted", [origin.id], derived.HELD, {held_on: list(to)}, words, facts)
        return _follow(ctx, tx, actor, origin, wanted)


def _follow(ctx: Context, tx: Tx, actor: Person, origin: Broadcast, wanted: _Wanted) -> Broadcast:
    words = wanted.template
    own = {(name, locale): value for name, locale, value in origin.facts if words.spec(name) is not None}
    to = list(dict.fromkeys(channel for some in wanted.addresses.values() for channel in some))
    channels = _channels(origin, wanted, [channel for channel in to if channel in words.channels])
    version = _audience(ctx, tx, actor, origin, wanted)
    draft = Draft(
        template=words.id,
        channels=channels,
        incident=f"INC-{origin.incident_id}" if origin.incident_id else "",
        facts=own | dict(wanted.facts),
        mode=origin.mode,
        severity=origin.severity,
        origin=origin.id,
        relation=wanted.relation,
        version_id=version.id,
    )
    return draft_in(ctx, tx, actor, draft, words)


def _channels(origin: Broadcast, wanted: _Wanted, offered: Sequence[Channel]) -> tuple[Channel, ...]:
    """Those of the people, and where the first one spoke on accounts of our own, those too."""
    words = wanted.template
    if wanted.relation == "rerouted":
        chosen = tuple(offered)
    else:
        own = [c for c in origin.plan.channels if not c.counts_people and c in words.channels]
        used = [c for c in offered if c in origin.plan.channels or wanted.relation == "update"]
        chosen = (*used, *own)
    if not chosen:
        raise Refused("The template has no words for the channels these people were told on.", mend="--template ID")
    return chosen


def _audience(ctx: Context, tx: Tx, actor: Person, origin: Broadcast, wanted: _Wanted) -> AudienceVersion:
    now = to_ms(ctx.clock.now())
    name = f"{wanted.relation} of {origin.ref}"
    try:
        return derived.people(
            tx, name, wanted.sources, wanted.states, wanted.addresses, by=actor.id, now=now, held_of=wanted.held_of
        )
    except AudienceError:
        if wanted.relation == "rerouted":
            raise Refused(f"{origin.ref} holds nobody there.", mend=f"dispatcher broadcast show {origin.ref}") from None
        raise Refused(
            f"Nobody was reached by {origin.ref} yet.",
            mend=f"dispatcher broadcast undo {origin.ref}, or stop {origin.ref}",
        ) from None


def _require_out(origin: Broadcast) -> None:
    source.require_own(origin)
    if origin.state not in _OUT:
        raise Refused(
            f"{origin.ref} is {origin.state}: nobody has read it.",
            mend=f"dispatcher broadcast edit {origin.ref} --fact NAME=VALUE",
        )


def _correcting(ctx: Context, origin: Broadcast) -> str:
    """The template that takes words back, if it can speak where they were said; else the same words anew."""
    if CORRECTION not in ctx.catalogue.ids():
        return origin.template_id
    speaks = ctx.catalogue.get(CORRECTION).channels
    return CORRECTION if any(channel in speaks for channel in origin.plan.channels) else origin.template_id


def _mention(ctx: Context, origin: Broadcast, words: Template) -> dict[FactKey, object]:
    """Which message is meant, in each language that the template speaks, where it wants to know."""
    if words.spec("original") is None or origin.release_at is None:
        return {}
    told = ctx.settings.organisation
    own = told.locale.split("-")[0]
    said: dict[FactKey, object] = {}
    for language, phrases in words.words.items():
        if "our_message" in phrases:
            day = Moment(origin.release_at.isoformat(), Printer(language, told.time_zone, phrases)).date
            locale = None if language == own else language
            said["original", locale] = _named(phrases["our_message"], language, code=origin.code, day=day)
    return said


def _named(words: str, language: str, **names: str) -> str:
    try:
        return words.format(**names)
    except (KeyError, IndexError, ValueError, AttributeError):
        raise TemplateError(
            f"words.toml: our_message in {language} cannot be filled in.",
            mend="It may hold {code} and {day} in braces, and no other.",
        ) from None


def hold_in(ctx: Context, tx: Tx, actor: Person, origin: Broadcast) -> None:
    """Hold what has not left of a broadcast and its reroutes; the caller has checked the right and locked it."""
    now = to_ms(ctx.clock.now())
    for one in [origin.id, *_reroutes(tx, origin)]:
        if not controls.move(tx, one, ControlState.PAUSED, now, reason=HELD_FOR_CORRECTION):
            continue
        found = broadcasts.get(tx, one, lock=True)
        left = {row.state for row in controls.of(tx, one).values()}
        if left == {ControlState.PAUSED} and found.state is BroadcastState.RELEASED:
            broadcasts.move(tx, found, BroadcastState.PAUSED)
        broadcasts.note_act(
            tx, "paused", now, person_id=actor.id, door=door_of(actor), broadcast_id=one, detail=HELD_FOR_CORRECTION
        )


def _reroutes(tx: Tx, origin: Broadcast) -> list[int]:
    """Broadcasts that carry the same words to other people of the same audience."""
    found = (broadcasts.get(tx, one) for one in superseding.line(tx, origin.id) if one > origin.id)
    return [one.id for one in found if one.relation == "rerouted" and one.origin_id == origin.id]


def _to_be_voided(ctx: Context, tx: Tx, origin: Broadcast, words: Template) -> list[int]:
    """What the update will end: those of its line that it outdates."""
    passing = succession.passing(ctx, tx)
    line = [broadcasts.get(tx, one) for one in superseding.line(tx, origin.id)]
    return [
        one.id
        for one in line
        if one.relation != CORRECTION
        and one.release_at is not None
        and (one.template_id == words.id or one.template_id in passing)
    ]
